//! Who may reach what: the words of `[[service]]`, `[[grant]]` and `[[forward]]`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::desired::Protocol;
use crate::name::SubjectName;
use crate::reach::Host;
use crate::schedule::Schedule;

/// `[[service]]`: a named target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Who offers it. A name follows its address.
    pub host: Host,
    /// Where; empty is the whole host.
    pub ports: Vec<Ports>,
}

/// `[[grant]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// For lists and for who asks why.
    pub name: Option<SubjectName>,
    /// Who may.
    pub from: BTreeSet<Subject>,
    /// Reach what.
    pub to: BTreeSet<Target>,
    /// When it counts, on the cell's clock; `None` is always.
    pub when: Option<Schedule>,
    /// Unix seconds from which on it does not count.
    pub expires: Option<i64>,
}

/// One who may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Every peer.
    Peers,
    /// A peer, the members of a group, the hosts of a LAN or subnet, an app, or a reservation.
    Named(SubjectName),
}

/// What may be reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Where.
    pub to: Where,
    /// Only these of its ports.
    pub ports: Option<Ports>,
}

/// Where a grant leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// The internet through the cell.
    Internet,
    /// What the cell itself serves.
    Cell,
    /// Names at the cell.
    Dns,
    /// The time at the cell.
    Time,
    /// The host's own ssh.
    Ssh,
    /// Echo requests to the cell.
    Ping,
    /// Every peer.
    Peers,
    /// A service, a peer, the members of a group, a LAN or subnet, an app, or a reservation.
    Named(SubjectName),
    /// Whoever is in this network; one address is a network, too.
    Network(IpNet),
}

/// Ports of one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// Transport.
    pub protocol: Protocol,
    /// First, from 1.
    pub first: u16,
    /// Last, not below the first and at most [`MAX_PORTS`] of them.
    pub last: u16,
}

/// Most ports in one range: each is an element of a set of its own, so that its cost is that of one.
pub const MAX_PORTS: u16 = 1024;

/// `[[forward]]`: from the internet to a host behind the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Port of the cell.
    pub listen: crate::desired::Port,
    /// Where it leads.
    pub host: Host,
    /// Port there.
    pub port: u16,
    /// Who may; empty is everyone.
    pub from: BTreeSet<IpNet>,
}

/// What a text is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a name, word or network.
    #[error("is no name, address or network")]
    Where,
    /// A network with bits behind its prefix.
    #[error("has bits set behind its prefix")]
    Bits,
    /// Everything.
    #[error("is everything, the cell's own networks too")]
    Everything,
    /// Not ports.
    #[error(
        "takes ports from 1 to 65535 behind the colon, as 443, 5000-5010 or udp/53; those of the cell may be dns, time, ssh or ping"
    )]
    Ports,
    /// Ports of what has none.
    #[error("is not granted by port")]
    NoPorts,
    /// Too many ports.
    #[error("is a range of more than {MAX_PORTS} ports")]
    TooMany,
    /// The internet does not begin anything by a grant.
    #[error("begins connections by [[forward]] only")]
    FromInternet,
}

impl FromStr for Ports {
    type Err = PolicyError;

    /// `445`, `tcp/445`, `udp/5000-5010`.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (protocol, numbers) = match text.split_once('/') {
            None => (Protocol::Tcp, text),
            Some(("tcp", numbers)) => (Protocol::Tcp, numbers),
            Some(("udp", numbers)) => (Protocol::Udp, numbers),
            Some(_) => return Err(PolicyError::Ports),
        };
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0);
        let (first, last) = number(first).zip(number(last)).ok_or(PolicyError::Ports)?;
        match last.checked_sub(first) {
            None => Err(PolicyError::Ports),
            Some(more) if more >= MAX_PORTS => Err(PolicyError::TooMany),
            Some(_) => Ok(Self { protocol, first, last }),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{protocol}/{}", self.first)?;
        if self.last > self.first { write!(f, "-{}", self.last) } else { Ok(()) }
    }
}

impl FromStr for Subject {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "peers" => Ok(Self::Peers),
            "internet" => Err(PolicyError::FromInternet),
            _ => text.parse().map(Self::Named).map_err(|_| PolicyError::Where),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peers => f.write_str("peers"),
            Self::Named(name) => f.write_str(name.as_str()),
        }
    }
}

impl FromStr for Target {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        // A bare v6 address or network has colons of its own.
        if let Ok(network) = network(text) {
            return Ok(Self { to: Where::Network(network?), ports: None });
        }
        let (to, ports) = match text.rsplit_once(':') {
            None => (text, None),
            Some((to, ports)) => (to, Some(ports.parse()?)),
        };
        let to = to.trim_start_matches('[').trim_end_matches(']');
        let to = match network(to) {
            Ok(network) => Where::Network(network?),
            Err(NotOne) => word(to)?,
        };
        let has_ports = matches!(to, Where::Cell | Where::Peers | Where::Named(_) | Where::Network(_));
        if ports.is_some() && !has_ports { Err(PolicyError::NoPorts) } else { Ok(Self { to, ports }) }
    }
}

/// The text is no network at all.
struct NotOne;

/// An address or a network.
fn network(text: &str) -> Result<Result<IpNet, PolicyError>, NotOne> {
    let one =
        text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse::<IpNet>()).map_err(|_| NotOne)?;
    Ok(match one {
        one if one.prefix_len() == 0 => Err(PolicyError::Everything),
        one if one.addr() != one.network() => Err(PolicyError::Bits),
        one => Ok(one),
    })
}

fn word(text: &str) -> Result<Where, PolicyError> {
    Ok(match text {
        "internet" => Where::Internet,
        "cell" => Where::Cell,
        "dns" => Where::Dns,
        "time" => Where::Time,
        "ssh" => Where::Ssh,
        "ping" => Where::Ping,
        "peers" => Where::Peers,
        _ => Where::Named(text.parse().map_err(|_| PolicyError::Where)?),
    })
}

/// Words that no service may be called by, since they mean something of their own among targets.
pub const WORDS: [&str; 8] = ["internet", "cell", "dns", "time", "ssh", "ping", "peers", "host"];

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet => f.write_str("internet"),
            Self::Cell => f.write_str("cell"),
            Self::Dns => f.write_str("dns"),
            Self::Time => f.write_str("time"),
            Self::Ssh => f.write_str("ssh"),
            Self::Ping => f.write_str("ping"),
            Self::Peers => f.write_str("peers"),
            Self::Named(name) => f.write_str(name.as_str()),
            Self::Network(net) if net.prefix_len() == net.max_prefix_len() => write!(f, "{}", net.addr()),
            Self::Network(net) => write!(f, "{net}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.to, self.ports) {
            (to, None) => write!(f, "{to}"),
            (Where::Network(IpNet::V6(_)), Some(ports)) => write!(f, "[{}]:{ports}", self.to),
            (to, Some(ports)) => write!(f, "{to}:{ports}"),
        }
    }
}

impl Target {
    /// The cell's own services, or the internet: what `allow` can say, too.
    pub fn word(to: Where) -> Self {
        Self { to, ports: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written_the_same() {
        for text in [
            "internet",
            "cell",
            "cell:tcp/8080",
            "dns",
            "nas",
            "nas:tcp/445",
            "nas:udp/5000-5010",
            "10.0.0.0/8",
            "10.0.0.5:tcp/22",
            "fd00::/64",
            "fd00::1",
            "[fd00::1]:tcp/443",
            "[fd00::/64]:udp/53",
            "peers:tcp/1-1024",
        ] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("nas:445".parse::<Target>(), "nas:tcp/445".parse());
    }

    #[test]
    fn what_cannot_be_granted_is_told() {
        let error = |text: &str| text.parse::<Target>().unwrap_err();
        assert_eq!(error("internet:443"), PolicyError::NoPorts);
        assert_eq!(error("nas:0"), PolicyError::Ports);
        assert_eq!(error("nas:9-8"), PolicyError::Ports);
        assert_eq!(error("nas:1-1025"), PolicyError::TooMany);
        assert_eq!(error("0.0.0.0/0"), PolicyError::Everything);
        assert_eq!(error("10.0.0.1/8"), PolicyError::Bits);
        assert_eq!(error("a b"), PolicyError::Where);
        assert_eq!("internet".parse::<Subject>(), Err(PolicyError::FromInternet));
    }
}
