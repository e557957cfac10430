//! What a new cell is given: a network that overlaps nothing, a port that is free, a stance toward the outside.
//!
//! Pure: facts and options in, a choice out; the same on every run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use pic_model::desired::{Inbound, Port, Protocol};
use pic_model::name::{CellName, DomainName};
use pic_model::{Desired, address};
use pic_plan::marks::INSIDE;

use crate::facts::{Facts, Listener};
use crate::options::{Options, Stance};

/// Port that WireGuard has everywhere.
const PORT: u16 = 51820;
/// Where clients' UDP sockets get their ports from (net.ipv4.ip_local_port_range): they wait for answers, not for calls.
const PASSING: u16 = 32768;
/// Programs that are WireGuard.
const TUNNELS: [&str; 4] = ["wireguard-go", "boringtun", "boringtun-cli", "gotatun"];

/// What a cell is, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) name: CellName,
    pub(crate) domain: Option<DomainName>,
    /// `None` when everything overlaps.
    pub(crate) network: Option<Ipv4Net>,
    pub(crate) port: u16,
    pub(crate) stance: Stance,
    /// Why this stance.
    pub(crate) because: &'static str,
    /// Ports of the host's sshd.
    pub(crate) ssh: BTreeSet<u16>,
    /// Where the administrator is.
    pub(crate) admin: BTreeSet<IpAddr>,
    pub(crate) open: BTreeSet<Port>,
    pub(crate) endpoint: Option<String>,
    /// Of the host, for schedules; `None` is UTC.
    pub(crate) timezone: Option<String>,
}

/// Chooses for a new cell.
pub(crate) fn choose(facts: &Facts, options: &Options) -> Result<Choice, pic_model::name::NameError> {
    let name = options.name.clone().map_or_else(|| "home".parse(), Ok)?;
    let (stance, because) = match options.inbound {
        Some(stance) => (stance, "as asked for"),
        None if has_public_address(facts) => (Stance::Closed, "this host has a public address"),
        None => (Stance::Open, "this host is behind a router, or has no way out yet"),
    };
    Ok(Choice {
        name,
        domain: options.domain.clone(),
        network: network(&foreign(facts)),
        port: port(&facts.listeners),
        stance,
        because,
        ssh: ssh(facts),
        admin: facts.session.iter().map(|session| session.from).collect(),
        open: match stance {
            Stance::Closed => options.open.iter().copied().chain(tunnels(facts).into_keys()).collect(),
            Stance::Open => options.open.iter().copied().collect(),
        },
        endpoint: options.endpoint.clone(),
        timezone: facts.machine.timezone.clone().filter(|name| name != "UTC"),
    })
}

impl Choice {
    /// A cell that exists has chosen long ago.
    pub(crate) fn of(desired: &Desired) -> Self {
        let firewall = &desired.firewall;
        Self {
            name: desired.cell.name.clone(),
            domain: desired.cell.domain.clone(),
            network: Some(desired.wireguard.ipv4),
            port: desired.wireguard.port,
            stance: match firewall.inbound {
                Inbound::Closed => Stance::Closed,
                Inbound::Open => Stance::Open,
            },
            because: "as cell.toml says",
            ssh: firewall.ssh.clone(),
            admin: firewall.admin.clone(),
            open: firewall.open.clone(),
            endpoint: None,
            timezone: Some(desired.cell.timezone.clone()).filter(|name| name != "UTC"),
        }
    }

    /// Programs that answer from outside now and would not any more, by port.
    pub(crate) fn cut(&self, facts: &Facts) -> BTreeMap<Port, String> {
        if self.stance == Stance::Open {
            return BTreeMap::new();
        }
        let cut = facts.listeners.iter().filter(|listener| self.cuts(facts, listener));
        cut.map(|listener| (listener.port, name_of(listener))).collect()
    }

    fn cuts(&self, facts: &Facts, listener: &Listener) -> bool {
        let Port { protocol, number } = listener.port;
        let name = name_of(listener);
        let kept = match protocol {
            Protocol::Tcp => self.ssh.contains(&number),
            // Answers to the host's own DHCP clients pass; WireGuard is what the cell is for.
            Protocol::Udp => [68, 546, self.port].contains(&number) || number >= PASSING,
        };
        let ours = name.starts_with("pic-");
        // What Docker publishes is forwarded into a container and never reaches the host's own input.
        let forwarded = name == "docker-proxy";
        !(kept || ours || forwarded || self.open.contains(&listener.port))
            && is_outside(facts, listener.address)
    }
}

/// Other WireGuards that are called from outside, by port: the administrator may have come in by one, so they stay open. The
/// kernel's is a socket of nobody, and of such a one only a port that passes for a client's would be overlooked otherwise.
pub(crate) fn tunnels(facts: &Facts) -> BTreeMap<Port, String> {
    let is_tunnel = |listener: &&Listener| {
        let is_wireguard = match &listener.owner {
            Some(owner) => TUNNELS.contains(&owner.name.as_str()),
            None => !facts.wireguard.is_empty() && listener.port.number >= PASSING,
        };
        is_wireguard && listener.port.protocol == Protocol::Udp && is_outside(facts, listener.address)
    };
    let name = |listener: &Listener| {
        listener.owner.as_ref().map_or_else(|| facts.wireguard.join(", "), |owner| owner.name.clone())
    };
    facts.listeners.iter().filter(is_tunnel).map(|listener| (listener.port, name(listener))).collect()
}

/// Who listens, for a person.
pub(crate) fn name_of(listener: &Listener) -> String {
    listener.owner.as_ref().map_or_else(|| "?".to_owned(), |owner| owner.name.clone())
}

fn is_outside(facts: &Facts, address: IpAddr) -> bool {
    let of_inside = |network: &pic_plan::facts::HostNetwork| {
        network.network.contains(&address) && INSIDE.iter().any(|start| network.interface.starts_with(start))
    };
    !address.is_loopback() && !facts.host.host_networks.iter().any(of_inside)
}

/// Whether the internet can call this host by an address of its own.
pub(crate) fn has_public_address(facts: &Facts) -> bool {
    let Some(uplink) = &facts.host.uplink else { return false };
    match (uplink.ipv4, uplink.ipv6) {
        (Some(v4), _) => address::is_public(v4.into()),
        (None, Some(v6)) => address::is_public(v6.into()),
        (None, None) => false,
    }
}

/// The address in what devices are to dial, if only this site knows it: devices elsewhere cannot dial it.
pub(crate) fn private_address(endpoint: &str) -> Option<IpAddr> {
    let bare = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let ip = bare(endpoint).or_else(|| bare(endpoint.rsplit_once(':')?.0))?;
    (!address::is_public(ip)).then_some(ip)
}

/// Everything a network of ours must not cover: what is routed here, and hosts that are reached by the default route.
fn foreign(facts: &Facts) -> Vec<IpNet> {
    let routed = facts.host.host_networks.iter().map(|network| network.network);
    let hosts = facts.host.resolvers.iter().copied().chain(facts.session.iter().map(|session| session.from));
    routed.chain(hosts.map(IpNet::from)).collect()
}

/// The first candidate that overlaps nothing: 10.77.0.0/16, the other /16 of 10.0.0.0/8, /20 of 172.16.0.0/12, /24 of
/// 192.168.0.0/16 from the far end, where home routers are not.
fn network(foreign: &[IpNet]) -> Option<Ipv4Net> {
    let net = |a, b, c, prefix| Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix);
    let ten = (77..=254).chain(1..=76).map(|b| net(10, b, 0, 16));
    let middle = (16..=31).flat_map(|b| (0..16).map(move |c| (b, c * 16))).map(|(b, c)| net(172, b, c, 20));
    let small = (2..=254).rev().map(|c| net(192, 168, c, 24));
    ten.chain(middle).chain(small).find(|candidate| !foreign.iter().any(|other| overlap(*candidate, other)))
}

fn overlap(ours: Ipv4Net, other: &IpNet) -> bool {
    match other {
        // Routes of half the internet, as VPNs set them instead of a default, are no network to keep away from.
        IpNet::V4(other) if other.prefix_len() <= 1 => false,
        IpNet::V4(other) => ours.contains(&other.network()) || other.contains(&ours.network()),
        IpNet::V6(_) => false,
    }
}

/// WireGuard's usual port, or the next one that nobody has.
fn port(listeners: &[Listener]) -> u16 {
    let taken: BTreeSet<u16> =
        listeners.iter().filter(|l| l.port.protocol == Protocol::Udp).map(|l| l.port.number).collect();
    (PORT..=u16::MAX).find(|port| !taken.contains(port)).unwrap_or(PORT)
}

/// Ports where sshd listens. systemd may listen on its behalf; the session at hand knows its own port. Without any of
/// these, the usual port, where nobody listens yet.
fn ssh(facts: &Facts) -> BTreeSet<u16> {
    let is_sshd = |listener: &&Listener| {
        let name = name_of(listener);
        listener.port.protocol == Protocol::Tcp
            && (name == "sshd" || (listener.port.number == 22 && name == "systemd") || name == "dropbear")
            && !listener.address.is_loopback()
    };
    let mut ports: BTreeSet<u16> = facts.listeners.iter().filter(is_sshd).map(|l| l.port.number).collect();
    ports.extend(facts.session.iter().map(|session| session.port));
    if ports.is_empty() { BTreeSet::from([22]) } else { ports }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::checks::tests::{facts, listener, options};

    fn chosen(networks: &[&str]) -> Option<String> {
        network(&networks.iter().map(|net| net.parse().unwrap()).collect::<Vec<_>>())
            .map(|net| net.to_string())
    }

    #[test]
    fn networks_overlap_nothing() {
        assert_eq!(chosen(&[]).as_deref(), Some("10.77.0.0/16"));
        assert_eq!(chosen(&["10.77.3.0/24"]).as_deref(), Some("10.78.0.0/16"));
        assert_eq!(chosen(&["10.77.0.1/32", "10.78.0.0/15"]).as_deref(), Some("10.80.0.0/16"));
        assert_eq!(chosen(&["10.0.0.0/8", "172.16.0.0/16"]).as_deref(), Some("172.17.0.0/20"));
        assert_eq!(chosen(&["10.0.0.0/8", "172.16.0.0/12"]).as_deref(), Some("192.168.254.0/24"));
        assert_eq!(chosen(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]), None);
        assert_eq!(chosen(&["0.0.0.0/1", "128.0.0.0/1", "fd00::/8"]).as_deref(), Some("10.77.0.0/16"));
    }

    #[test]
    fn a_resolver_or_the_administrator_is_not_buried() {
        let mut facts = facts();
        facts.host.resolvers.push("10.77.0.53".parse().unwrap());
        facts.session.as_mut().unwrap().from = "10.78.9.9".parse().unwrap();
        assert_eq!(choose(&facts, &options(&[])).unwrap().network, "10.79.0.0/16".parse().ok());
    }

    #[test]
    fn the_next_port_when_one_is_taken() {
        let mut facts = facts();
        facts.listeners.push(listener("udp/51820", "0.0.0.0", "wg-other"));
        facts.listeners.push(listener("udp/51821", "::", "wg-other"));
        facts.listeners.push(listener("tcp/51822", "::", "web"));
        assert_eq!(choose(&facts, &options(&[])).unwrap().port, 51822);
    }

    #[test]
    fn another_wireguard_stays_open() {
        let mut facts = facts();
        facts.listeners.push(listener("udp/51820", "0.0.0.0", "wireguard-go"));
        facts.listeners.push(listener("udp/41820", "::", "dhcp-helper"));
        let kernel = Listener { owner: None, ..listener("udp/51900", "::", "") };
        facts.listeners.push(kernel);
        let open = |facts: &Facts, line: &[&str]| choose(facts, &options(line)).unwrap().open.len();
        assert_eq!(open(&facts, &[]), 1, "a socket of nobody is no WireGuard where there is none");
        facts.wireguard.push("wg0".into());
        assert_eq!(open(&facts, &[]), 2);
        assert_eq!(open(&facts, &["--inbound=open"]), 0, "nothing is closed");
        assert!(choose(&facts, &options(&[])).unwrap().cut(&facts).is_empty());
    }

    #[test]
    fn the_stance_follows_the_address_unless_said() {
        let mut facts = facts();
        let stance = |facts: &Facts, line: &[&str]| choose(facts, &options(line)).unwrap().stance;
        assert_eq!(stance(&facts, &[]), Stance::Closed);
        assert_eq!(stance(&facts, &["--inbound=open"]), Stance::Open);
        for private in ["192.168.1.5", "10.1.1.1", "172.20.0.1", "100.64.1.1"] {
            facts.host.uplink.as_mut().unwrap().ipv4 = private.parse().ok();
            assert_eq!(stance(&facts, &[]), Stance::Open, "{private}");
        }
        facts.host.uplink.as_mut().unwrap().ipv4 = None;
        assert_eq!(stance(&facts, &[]), Stance::Closed, "a global v6 address alone");
        facts.host.uplink = None;
        assert_eq!(stance(&facts, &[]), Stance::Open);
    }

    #[test]
    fn addresses_that_only_this_site_knows() {
        for endpoint in ["192.168.1.5", "100.64.0.9:1", "fd00::1", "[fd00::1]:51820", "[::ffff:10.0.0.1]:1"] {
            assert!(private_address(endpoint).is_some(), "{endpoint}");
        }
        for endpoint in
            ["203.0.113.10:51820", "[2001:db8::1]:1", "2001:db8::1", "vpn.example.org:1", "fd.example"]
        {
            assert_eq!(private_address(endpoint), None, "{endpoint}");
        }
    }

    #[test]
    fn sshd_where_it_really_listens() {
        let mut facts = facts();
        facts.listeners =
            vec![listener("tcp/2222", "0.0.0.0", "sshd"), listener("tcp/6010", "127.0.0.1", "sshd")];
        facts.session.as_mut().unwrap().port = 443;
        assert_eq!(choose(&facts, &options(&[])).unwrap().ssh, BTreeSet::from([443, 2222]));
        facts.session = None;
        facts.listeners = vec![listener("tcp/22", "::", "systemd")];
        assert_eq!(choose(&facts, &options(&[])).unwrap().ssh, BTreeSet::from([22]));
        facts.listeners.clear();
        let choice = choose(&facts, &options(&[])).unwrap();
        assert_eq!((choice.ssh, choice.admin), (BTreeSet::from([22]), BTreeSet::new()));
    }

    #[test]
    fn what_a_closed_stance_cuts() {
        let mut facts = facts();
        facts.listeners = vec![
            listener("tcp/22", "0.0.0.0", "sshd"),
            listener("tcp/80", "::", "nginx"),
            listener("tcp/443", "203.0.113.10", "nginx"),
            listener("tcp/5432", "127.0.0.1", "postgres"),
            listener("tcp/9000", "172.17.0.1", "inner"),
            listener("tcp/8080", "0.0.0.0", "docker-proxy"),
            listener("udp/68", "0.0.0.0", "dhclient"),
            listener("udp/41234", "0.0.0.0", "chronyd"),
            listener("udp/51820", "0.0.0.0", "x"),
            listener("tcp/53", "0.0.0.0", "pic-dns"),
        ];
        let line = ["--open=tcp/443"];
        let cut = |line: &[&str]| {
            let mut choice = choose(&facts, &options(line)).unwrap();
            choice.port = 51820;
            choice.cut(&facts).into_keys().map(crate::options::port_words).collect::<Vec<_>>()
        };
        assert_eq!(cut(&[]), ["tcp/80", "tcp/443"]);
        assert_eq!(cut(&line), ["tcp/80"]);
        assert!(cut(&["--inbound=open"]).is_empty());
    }
}
