//! Questions of reach: may this host open a connection there? In `[[test]]`, in `picctl why` and in the API.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::desired::{Port, Protocol};
use crate::dns::Name;
use crate::name::PeerName;

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// The cell itself.
    Cell,
    /// Any host of the internet.
    Internet,
    /// A peer, a LAN (any of its hosts) or a reservation.
    Named(PeerName),
    /// Whoever has this address.
    Address(IpAddr),
    /// Whoever has this name of the internet, of two labels or more.
    Outside(Name),
}

/// What is asked of the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// An echo request.
    Ping,
    /// The first packet to a port.
    Port(Port),
}

/// Where a connection leads, as `nas:445`, `nas:udp/53`, `[fd00::1]:22`, or `nas` for a ping.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Whom.
    pub host: Host,
    /// What of it.
    pub service: Service,
}

/// What a text is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// Not a host.
    #[error(
        "is no host: write a peer, LAN or reservation, an address, a name of the internet, \"internet\" or \"cell\""
    )]
    Host,
    /// Not a port.
    #[error("has no port behind the colon: write 443, tcp/443 or udp/53")]
    Port,
}

impl FromStr for Host {
    type Err = ReachError;

    fn from_str(text: &str) -> Result<Self, ReachError> {
        match text {
            "cell" => Ok(Self::Cell),
            "internet" => Ok(Self::Internet),
            _ => match text.trim_start_matches('[').trim_end_matches(']').parse() {
                Ok(address) => Ok(Self::Address(address)),
                Err(_) => text.parse().map(Self::Named).or_else(|_| outside(text)),
            },
        }
    }
}

fn outside(text: &str) -> Result<Host, ReachError> {
    let name = Name::absolute(text).ok().filter(|name| !name.is_wildcard());
    name.filter(|name| name.as_str().contains('.')).map(Host::Outside).ok_or(ReachError::Host)
}

impl FromStr for Target {
    type Err = ReachError;

    fn from_str(text: &str) -> Result<Self, ReachError> {
        // A bare v6 address has colons of its own.
        if let Ok(address) = text.parse() {
            return Ok(Self { host: Host::Address(address), service: Service::Ping });
        }
        match text.rsplit_once(':') {
            None => Ok(Self { host: text.parse()?, service: Service::Ping }),
            Some((host, port)) => Ok(Self { host: host.parse()?, service: Service::Port(read_port(port)?) }),
        }
    }
}

fn read_port(text: &str) -> Result<Port, ReachError> {
    let (protocol, number) = match text.split_once('/') {
        None => (Protocol::Tcp, text),
        Some(("tcp", number)) => (Protocol::Tcp, number),
        Some(("udp", number)) => (Protocol::Udp, number),
        Some(_) => return Err(ReachError::Port),
    };
    let number = number.parse().ok().filter(|number| *number > 0).ok_or(ReachError::Port)?;
    Ok(Port { protocol, number })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell => f.write_str("cell"),
            Self::Internet => f.write_str("internet"),
            Self::Named(name) => f.write_str(name.as_str()),
            Self::Address(address) => write!(f, "{address}"),
            Self::Outside(name) => f.write_str(name.as_str()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Service::Port(port) = self.service else { return write!(f, "{}", self.host) };
        match self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            _ => write!(f, "{}:", self.host)?,
        }
        match port.protocol {
            Protocol::Tcp => write!(f, "{}", port.number),
            Protocol::Udp => write!(f, "udp/{}", port.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_written_as_they_are_read() {
        for text in [
            "nas",
            "cell",
            "internet",
            "nas:445",
            "cell:udp/53",
            "10.77.0.2",
            "10.77.0.2:80",
            "fd00::1",
            "www.video.example:443",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("nas:tcp/445".parse::<Target>().unwrap().to_string(), "nas:445");
        assert_eq!("[fd00::1]:22".parse::<Target>().unwrap().to_string(), "[fd00::1]:22");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in ["", ":80", "nas:", "nas:0", "nas:65536", "nas:sctp/80", "a b", "<b>:80"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
