//! A provider's WireGuard file, as `wg-quick`(8) takes it: foreign text with keys in it.
//!
//! Nothing of a file is ever executed, and no line of it is repeated in a message, as it may hold a key. What the cell
//! decides itself (routing table, marks, ports) is left out and said; what would run a program is refused.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::desired::{Endpoint, EndpointHost};
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::name::DomainName;

/// Longest file: a thousand times what a provider writes.
pub const MAX_BYTES: usize = 64 << 10;
/// Addresses and networks of one kind that are taken at the most.
const MOST: usize = 512;
/// Bytes per packet where the file says nothing: fits a path of 1500 in both families.
const MTU: u16 = 1420;
/// Seconds between keepalives where the file says nothing: keeps the way through address translation open.
const KEEPALIVE: u16 = 25;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Our key.
    pub private_key: PrivateKey,
    /// Our addresses in the tunnel.
    pub addresses: BTreeSet<IpAddr>,
    /// The provider's resolvers, in order.
    pub dns: Vec<IpAddr>,
    /// Bytes per packet.
    pub mtu: u16,
    /// The provider's key.
    pub public_key: PublicKey,
    /// Symmetric key.
    pub preshared_key: Option<PresharedKey>,
    /// Where the provider is; absent: it dials us.
    pub endpoint: Option<Endpoint>,
    /// Port at which it does.
    pub listen: Option<u16>,
    /// What the provider carries.
    pub allowed: BTreeSet<IpNet>,
    /// Seconds between keepalives; 0 is off.
    pub keepalive: u16,
    /// What was left out, in words.
    pub notes: Vec<String>,
}

impl Provider {
    /// Whether the exit has an address of the family.
    pub fn has_family(&self, is_v4: bool) -> bool {
        self.addresses.iter().any(|address| address.is_ipv4() == is_v4)
    }

    /// What is carried in families in which the exit has an address.
    pub fn carried(&self) -> impl Iterator<Item = IpNet> {
        self.allowed.iter().copied().filter(|net| self.has_family(matches!(net, IpNet::V4(_))))
    }
}

/// What is wrong with a file, without its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    /// Line, from 1; 0 where it is about the whole file.
    pub line: usize,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.message)
    }
}

fn error<T>(line: usize, message: impl Into<String>) -> Result<T, FileError> {
    Err(FileError { line, message: message.into() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Interface,
    Peer,
}

#[derive(Default)]
struct Draft {
    private_key: Option<PrivateKey>,
    addresses: BTreeSet<IpAddr>,
    dns: Vec<IpAddr>,
    mtu: Option<u16>,
    public_key: Option<PublicKey>,
    preshared_key: Option<PresharedKey>,
    endpoint: Option<Endpoint>,
    /// Port, and the line that it is in.
    listen: Option<(u16, usize)>,
    allowed: BTreeSet<IpNet>,
    keepalive: Option<u16>,
    peers: usize,
    notes: Vec<String>,
}

/// Reads a file.
pub fn read(text: &str) -> Result<Provider, FileError> {
    if text.len() > MAX_BYTES {
        return error(0, format!("the file is larger than {} KiB", MAX_BYTES >> 10));
    }
    let mut draft = Draft::default();
    let mut section = Section::None;
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.split(['#', ';']).next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = draft.begin(number, name)?;
        } else {
            let Some((key, value)) = line.split_once('=') else {
                return error(number, "this is neither [Interface], [Peer] nor KEY = VALUE");
            };
            draft.take(number, section, &key.trim().to_ascii_lowercase(), value.trim())?;
        }
    }
    draft.finish()
}

impl Draft {
    fn begin(&mut self, line: usize, name: &str) -> Result<Section, FileError> {
        match name.strip_suffix(']').map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            Some("interface") => Ok(Section::Interface),
            Some("peer") if self.peers == 0 => {
                self.peers = 1;
                Ok(Section::Peer)
            }
            Some("peer") => error(line, "there is a second [Peer]; an exit leads to one provider"),
            _ => error(line, "a section is [Interface] or [Peer]"),
        }
    }

    fn take(&mut self, line: usize, section: Section, key: &str, value: &str) -> Result<(), FileError> {
        match (section, key) {
            (_, "preup" | "postup" | "predown" | "postdown") => error(
                line,
                format!(
                    "{} would run a program as root, which a provider's file may not; remove the line",
                    shown(key)
                ),
            ),
            (Section::None, _) => error(line, "this stands before [Interface]"),
            (Section::Interface, "privatekey") => {
                self.private_key = Some(PrivateKey::parse(value).map_err(|bad| at(line, bad))?);
                Ok(())
            }
            (Section::Interface, "address") => each(line, value, self.addresses.len(), |word| {
                let address = word.parse::<IpNet>().map(|net| net.addr()).or_else(|_| word.parse::<IpAddr>());
                self.addresses.insert(usable(address.ok()?)?);
                Some(())
            }),
            (Section::Interface, "dns") => self.resolvers(line, value),
            (Section::Interface, "mtu") => {
                let mtu = value.parse().ok().filter(|mtu| (576..=9000).contains(mtu));
                self.mtu = Some(mtu.map_or_else(|| error(line, "MTU is no size of 576 to 9000 bytes"), Ok)?);
                Ok(())
            }
            (Section::Interface, "listenport") => {
                let port = value.parse().ok().filter(|port| *port > 0);
                self.listen = Some((port.map_or_else(|| error(line, "ListenPort is no port"), Ok)?, line));
                Ok(())
            }
            (Section::Interface, "table" | "fwmark" | "saveconfig") => {
                self.notes
                    .push(format!("{} (line {line}) is the cell's own business and is left out", shown(key)));
                Ok(())
            }
            (Section::Peer, "publickey") => {
                self.public_key = Some(value.parse().map_err(|bad| at(line, bad))?);
                Ok(())
            }
            (Section::Peer, "presharedkey") => {
                self.preshared_key = Some(PresharedKey::parse(value).map_err(|bad| at(line, bad))?);
                Ok(())
            }
            (Section::Peer, "endpoint") => {
                self.endpoint = Some(endpoint(value).map_or_else(
                    || {
                        error(
                            line,
                            "Endpoint is no HOST:PORT, as vpn.example.org:51820 or [2001:db8::7]:51820",
                        )
                    },
                    Ok,
                )?);
                Ok(())
            }
            (Section::Peer, "allowedips") => each(line, value, self.allowed.len(), |word| {
                let net = word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)).ok()?;
                self.allowed.insert(net.trunc());
                Some(())
            }),
            (Section::Peer, "persistentkeepalive") => {
                let seconds = if value.eq_ignore_ascii_case("off") { Some(0) } else { value.parse().ok() };
                self.keepalive = Some(
                    seconds.map_or_else(|| error(line, "PersistentKeepalive is no number of seconds"), Ok)?,
                );
                Ok(())
            }
            (
                Section::Interface,
                "jc" | "jmin" | "jmax" | "s1" | "s2" | "s3" | "s4" | "h1" | "h2" | "h3" | "h4" | "i1",
            ) => error(
                line,
                "this is a file for AmneziaWG, which is another protocol; ask the provider for one for WireGuard",
            ),
            _ => error(line, format!("{} is nothing that a WireGuard file has there", shown(key))),
        }
    }

    /// Addresses of resolvers; search domains are for a device, not for a cell.
    fn resolvers(&mut self, line: usize, value: &str) -> Result<(), FileError> {
        for word in words(value) {
            match word.parse::<IpAddr>() {
                Ok(address) if self.dns.len() < 8 => {
                    if !self.dns.contains(&address) {
                        self.dns.push(address);
                    }
                }
                Ok(_) => return error(line, "there are more than 8 resolvers"),
                Err(_)
                    if word.parse::<DomainName>().is_ok()
                        || word.bytes().all(|b| b.is_ascii_alphanumeric()) =>
                {
                    self.notes.push(format!("a search domain (line {line}) is left out"));
                }
                Err(_) => return error(line, "DNS has something that is neither an address nor a domain"),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Provider, FileError> {
        let missing = |what: &str| FileError { line: 0, message: format!("the file has no {what}") };
        if self.addresses.is_empty() {
            return Err(missing("Address in [Interface]"));
        }
        if self.endpoint.is_none() && self.listen.is_none() {
            return Err(missing("Endpoint in [Peer]"));
        }
        if let Some((_, line)) = self.listen.take_if(|_| self.endpoint.is_some()) {
            self.notes.push(format!("listenport (line {line}) is the cell's own business and is left out"));
        }
        let provider = Provider {
            private_key: self.private_key.ok_or_else(|| missing("PrivateKey in [Interface]"))?,
            addresses: self.addresses,
            dns: self.dns,
            mtu: self.mtu.unwrap_or(MTU),
            public_key: self.public_key.ok_or_else(|| missing("PublicKey in [Peer]"))?,
            preshared_key: self.preshared_key,
            endpoint: self.endpoint,
            listen: self.listen.map(|(port, _)| port),
            allowed: self.allowed,
            keepalive: self.keepalive.unwrap_or(KEEPALIVE),
            notes: self.notes,
        };
        if provider.private_key.public() == provider.public_key {
            return error(0, "PublicKey is that of the file's own PrivateKey; it must be the provider's");
        }
        if provider.carried().next().is_none() {
            return error(
                0,
                "AllowedIPs has nothing of a family in which there is an Address: nothing would pass",
            );
        }
        Ok(provider)
    }
}

fn at(line: usize, bad: crate::key::KeyError) -> FileError {
    FileError { line, message: bad.to_string() }
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', ' ', '\t']).filter(|word| !word.is_empty())
}

/// Takes each word of a list that may stand in several lines.
fn each(
    line: usize,
    value: &str,
    known: usize,
    take: impl FnMut(&str) -> Option<()>,
) -> Result<(), FileError> {
    if words(value).count() + known > MOST {
        return error(line, format!("there are more than {MOST} of them"));
    }
    match words(value).try_for_each(take) {
        Some(()) => Ok(()),
        None => error(line, "there is something that is no address or network"),
    }
}

/// An address that a host can have.
pub(super) fn usable(address: IpAddr) -> Option<IpAddr> {
    let sound = match address {
        IpAddr::V4(v4) => !v4.is_broadcast(),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_none(),
    };
    (sound && !address.is_unspecified() && !address.is_loopback() && !address.is_multicast())
        .then_some(address)
}

fn endpoint(text: &str) -> Option<Endpoint> {
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        let port = Some(socket.port()).filter(|port| *port > 0)?;
        return Some(Endpoint { host: EndpointHost::Address(usable(socket.ip())?), port: Some(port) });
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    let host = host.trim_end_matches('.').to_ascii_lowercase().parse().ok()?;
    Some(Endpoint { host: EndpointHost::Name(host), port: Some(port) })
}

/// A key of the file, made safe to print: it is foreign text, too.
fn shown(key: &str) -> String {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    if plain.is_empty() { "what stands here".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\u{feff}# Device: Quick Otter\r\n[Interface]\r\nPrivateKey = YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\r\nAddress = 10.64.1.2/32,fc00:bbbb:bbbb:bb01::1:102/128\r\nDNS = 10.64.0.1, example\r\nTable = off\r\n\r\n[Peer]\r\nPublicKey = YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=\r\nAllowedIPs = 0.0.0.0/0,::0/0 # all\r\nEndpoint = NL1.example.org:51820\r\n";

    #[test]
    fn takes_what_providers_write() {
        let provider = read(FILE).unwrap();
        assert_eq!(provider.addresses.len(), 2);
        assert_eq!(provider.dns, ["10.64.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(
            (provider.mtu, provider.keepalive, provider.endpoint.as_ref().unwrap().port),
            (1420, 25, Some(51820))
        );
        assert_eq!(provider.notes.len(), 2, "{:?}", provider.notes);
        assert_eq!(provider.carried().count(), 2);
        assert_eq!(
            provider.endpoint.as_ref().unwrap().host,
            EndpointHost::Name("nl1.example.org".parse().unwrap())
        );
        let four = read(&FILE.replace(",fc00:bbbb:bbbb:bb01::1:102/128", "")).unwrap();
        assert_eq!(four.carried().count(), 1, "without an address there is no v6");
    }

    #[test]
    fn refuses_with_the_line_and_without_the_text() {
        let with = |line: &str| read(&FILE.replace("Table = off", line)).unwrap_err();
        for hook in ["PostUp = iptables -F", "predown=true", "PostDown = rm SECRET"] {
            let error = with(hook);
            assert_eq!(error.line, 6);
            assert!(error.message.contains("run a program") && !error.to_string().contains("SECRET"));
        }
        for (line, part) in [
            ("Jc = 4", "AmneziaWG"),
            ("MTU = 99999", "MTU"),
            ("Address = 10.0.0.0/99", "no address"),
            ("Address = 0.0.0.0", "no address"),
            ("[Peer]\n[Peer]", "second"),
            ("gibberish", "KEY = VALUE"),
            ("PrivateKey = SECRETSECRET", "44 characters"),
            ("Unknown\u{1b}[31mKey = x", "nothing that"),
        ] {
            let error = with(line);
            assert!(error.message.contains(part) && !error.message.contains("SECRET"), "{line}: {error}");
            assert!(!error.message.contains('\u{1b}'));
        }
        for missing in ["PrivateKey", "Address", "PublicKey", "Endpoint", "AllowedIPs"] {
            let text: String = FILE
                .lines()
                .filter(|line| !line.starts_with(missing))
                .map(|line| format!("{line}\n"))
                .collect();
            assert!(read(&text).is_err(), "{missing}");
        }
        assert!(read(&FILE.replace("NL1.example.org:51820", "nl1.example.org:0")).is_err());
        assert!(read(&"#".repeat(MAX_BYTES + 1)).is_err());
        assert!(!format!("{:?}", read(FILE).unwrap()).contains("YWFh"));
    }

    #[test]
    fn the_other_side_may_dial() {
        let without = FILE.replace("Endpoint = NL1.example.org:51820\r\n", "");
        assert_eq!(read(&without).unwrap_err().message, "the file has no Endpoint in [Peer]");
        let listening = without.replace("Table = off", "ListenPort = 51821");
        let provider = read(&listening).unwrap();
        assert_eq!((provider.endpoint, provider.listen), (None, Some(51821)));
        assert!(provider.notes.iter().all(|note| !note.contains("listenport")), "{:?}", provider.notes);
        let both = FILE.replace("Table = off", "ListenPort = 51821");
        let provider = read(&both).unwrap();
        assert_eq!(provider.listen, None);
        assert!(provider.notes.iter().any(|note| note.contains("listenport")));
        assert!(read(&without.replace("Table = off", "ListenPort = 0")).is_err());
    }
}
