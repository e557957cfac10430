//! Where a cell has its time from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::DomainName;

/// UDP port of NTP (RFC 5905).
pub const NTP_PORT: u16 = 123;

/// Public servers that speak NTS, each of another operator: two of them must agree, and one may be away.
pub const DEFAULT_SOURCES: [&str; 4] =
    ["nts://time.cloudflare.com", "nts://nts.netnod.se", "nts://ptbtime1.ptb.de", "nts://ntppool1.time.nl"];

/// A server to take the time from, as `nts://time.example.org` or `ntp://192.168.1.1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeSource {
    /// Server.
    pub host: TimeHost,
    /// Port when it is another than usual: of the key exchange (TCP 4460, RFC 8915) with NTS, else of NTP (UDP 123).
    pub port: Option<u16>,
    /// Whether its answers are authenticated by NTS.
    pub nts: bool,
}

/// Host of a [`TimeSource`], or one that a LAN's devices are told of. A name is of letters, digits, `-` and `.` alone, an address prints as one: neither can be
/// anything else in a line of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimeHost {
    /// Looked up again when the server stops answering.
    Name(DomainName),
    /// Literal.
    Address(IpAddr),
}

/// Why a text is no source of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeSourceError {
    /// Neither `nts://` nor `ntp://`.
    #[error("it begins with neither nts:// nor ntp://")]
    Scheme,
    /// The rest is no host.
    #[error("what follows is no host or host:port")]
    Host,
    /// NTS proves a name.
    #[error("NTS needs a name: the server's certificate is for one")]
    Address,
}

impl fmt::Display for TimeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.nts { "nts://" } else { "ntp://" })?;
        match (&self.host, self.port) {
            (TimeHost::Address(IpAddr::V6(address)), Some(port)) => write!(f, "[{address}]:{port}"),
            (host, Some(port)) => write!(f, "{host}:{port}"),
            (host, None) => host.fmt(f),
        }
    }
}

impl FromStr for TimeSource {
    type Err = TimeSourceError;

    fn from_str(text: &str) -> Result<Self, TimeSourceError> {
        let (nts, rest) = match (text.strip_prefix("nts://"), text.strip_prefix("ntp://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(TimeSourceError::Scheme),
        };
        let (host, port) = host_and_port(rest).ok_or(TimeSourceError::Host)?;
        if nts && matches!(host, TimeHost::Address(_)) {
            return Err(TimeSourceError::Address);
        }
        Ok(Self { host, port, nts })
    }
}

impl FromStr for TimeHost {
    type Err = TimeSourceError;

    fn from_str(text: &str) -> Result<Self, TimeSourceError> {
        let name = || text.parse().map(Self::Name).map_err(|_| TimeSourceError::Host);
        text.parse().map(Self::Address).or_else(|_| name())
    }
}

impl TryFrom<String> for TimeHost {
    type Error = TimeSourceError;

    fn try_from(text: String) -> Result<Self, TimeSourceError> {
        text.parse()
    }
}

impl From<TimeHost> for String {
    fn from(host: TimeHost) -> Self {
        host.to_string()
    }
}

fn host_and_port(text: &str) -> Option<(TimeHost, Option<u16>)> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = plain.parse() {
        return Some((TimeHost::Address(address), None));
    }
    let (host, port) = match text.rsplit_once(':') {
        // As a number is written: `parse` alone would take `+1`.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, Some(port.parse().ok().filter(|port| *port != 0)?))
        }
        Some(_) => return None,
        None => (text, None),
    };
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match plain {
        Some(address) => TimeHost::Address(IpAddr::V6(address.parse().ok()?)),
        None => match host.parse() {
            Ok(address) => TimeHost::Address(IpAddr::V4(address)),
            Err(_) => TimeHost::Name(host.parse().ok()?),
        },
    };
    Some((host, port))
}

impl TryFrom<String> for TimeSource {
    type Error = TimeSourceError;

    fn try_from(text: String) -> Result<Self, TimeSourceError> {
        text.parse()
    }
}

impl From<TimeSource> for String {
    fn from(source: TimeSource) -> Self {
        source.to_string()
    }
}

/// The sources of a cell that names none.
pub fn default_sources() -> Vec<TimeSource> {
    // All are right; a test looks.
    DEFAULT_SOURCES.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_print_as_they_are_written() {
        assert_eq!(default_sources().len(), DEFAULT_SOURCES.len());
        for text in DEFAULT_SOURCES.into_iter().chain([
            "nts://time.example.org:4461",
            "ntp://192.168.1.1",
            "ntp://192.168.1.1:1123",
            "ntp://fd12::1",
            "ntp://[fd12::1]:1123",
            "ntp://0.pool.example.org",
        ]) {
            assert_eq!(text.parse::<TimeSource>().map(|source| source.to_string()).as_deref(), Ok(text));
        }
        assert!("ntp://[fd12::1]".parse::<TimeSource>().is_ok());
    }

    #[test]
    fn nothing_else_is_a_source() {
        use TimeSourceError::{Address, Host, Scheme};
        for (text, error) in [
            ("", Scheme),
            ("time.example.org", Scheme),
            ("http://time.example.org", Scheme),
            ("nts://192.0.2.1", Address),
            ("nts://[fd12::1]:4460", Address),
            ("ntp://", Host),
            ("ntp://localhost", Host),
            ("ntp://time.example.org:0", Host),
            ("ntp://time.example.org:+1", Host),
            ("ntp://time.example.org:99999", Host),
            ("ntp://time.example.org offline", Host),
            ("ntp://time.example.org\nallow all", Host),
            ("ntp://a.b#c", Host),
            ("ntp://fd12::1%eth0", Host),
            ("ntp://[192.168.1.1]:123", Host),
        ] {
            assert_eq!(text.parse::<TimeSource>(), Err(error), "{text:?}");
        }
    }
}
