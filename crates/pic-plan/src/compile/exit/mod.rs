//! Exits: named ways to the internet beside the uplink.
//!
//! Each exit has a mark, a routing table, an interface and rules, all after its number. The firewall turns the mark of
//! whoever was granted the internet into that of the chosen exit ([`firewall`]); a rule sends what is so marked to the
//! exit's table, where an unreachable default stands behind what the tunnel carries. So there are two layers here as
//! well: with the marks gone packets from inside end in the blocked table, with the tunnel gone in the exit's own.

mod choice;
pub(super) mod firewall;
pub(super) mod tor;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::Desired;
use pic_model::desired::EndpointHost;
use pic_model::exit::provider::Provider;
use pic_model::exit::{Exit, Kind as ExitKind};
use pic_model::name::ExitName;
use pic_model::snapshot::dns::{DnsExit, Upstream};
use pic_model::snapshot::tor::names_at;

pub use choice::{choose, is_up, of_lan, of_peer};

use super::ResolvedLan;
use crate::facts::Facts;
use crate::marks::{
    EXIT_INTERFACES, MARK_MASK, MARK_SHIFT, METRIC_LAST, RULE_FIRST, TABLE_BLOCKED, WIREGUARD_INTERFACE,
};
use crate::target::link::{Kind, Link};
use crate::target::route::{Route, RouteKind};
use crate::target::rule::{Family, Owner, Rule};
use crate::target::wireguard::{Device, Peer};
use crate::target::{Targets, sysctl};

/// Preference of the rules of exits: before the one that blocks.
const PREFERENCE: u32 = RULE_FIRST + 5;
/// Metric of what a tunnel carries.
const METRIC: u32 = 77;
const PORT_DNS: u16 = 53;

/// An exit with what the host knows of it.
#[derive(Debug, Clone)]
pub struct Resolved<'d> {
    /// Its name.
    pub name: &'d ExitName,
    /// As written.
    pub exit: &'d Exit,
    /// What its file says, if it can be read.
    pub provider: Option<&'d Provider>,
    /// Where the provider is, if that is known.
    pub endpoint: Option<SocketAddr>,
}

impl<'d> Resolved<'d> {
    /// All exits.
    pub fn all(desired: &'d Desired, facts: &'d Facts) -> Vec<Self> {
        let one = |(name, exit): (&'d ExitName, &'d Exit)| {
            let provider = exit.kind.file().and_then(|file| facts.exits.files.get(file)?.as_ref().ok());
            let endpoint = provider.and_then(|provider| {
                let address = match &provider.endpoint.host {
                    EndpointHost::Address(address) => Some(*address),
                    EndpointHost::Name(name) => facts.exits.endpoints.get(name).copied(),
                };
                Some(SocketAddr::new(address?, provider.port()))
            });
            Self { name, exit, provider, endpoint }
        };
        desired.exits.iter().map(one).collect()
    }

    /// Its interface.
    pub fn interface(&self) -> String {
        format!("pic{}", EXIT_INTERFACES + self.name.number())
    }

    /// Mark of packets that leave by it.
    pub fn mark(&self) -> u32 {
        self.name.number() << MARK_SHIFT
    }

    /// Its routing table.
    pub fn table(&self) -> u32 {
        TABLE_BLOCKED + self.name.number()
    }

    /// What its tunnel is made from: nothing while it is switched off.
    fn tunnel(&self) -> Option<&'d Provider> {
        self.provider.filter(|_| self.exit.enabled)
    }
}

pub(super) fn links(exits: &[Resolved<'_>], facts: &Facts) -> BTreeMap<String, Link> {
    let one = |exit: &Resolved<'_>| {
        let provider = exit.tunnel()?;
        let link = Link {
            kind: if facts.kernel_wireguard { Kind::Wireguard } else { Kind::Tun },
            mtu: u32::from(provider.mtu),
            up: true,
            // Without the provider's network: a route to it in the main table would be a way out for the whole host.
            addresses: provider.addresses.iter().map(|address| IpNet::from(*address)).collect(),
            parent: None,
        };
        Some((exit.interface(), link))
    };
    exits.iter().filter_map(one).collect()
}

pub(super) fn devices(exits: &[Resolved<'_>]) -> BTreeMap<String, Device> {
    let one = |exit: &Resolved<'_>| {
        let provider = exit.tunnel()?;
        let peer = Peer {
            preshared_key: provider.preshared_key.clone(),
            allowed_ips: provider.carried().collect(),
            keepalive: Some(provider.keepalive).filter(|seconds| *seconds > 0),
            endpoint: exit.endpoint,
        };
        let device = Device {
            private_key: Some(provider.private_key.clone()),
            listen_port: 0,
            fwmark: 0,
            peers: BTreeMap::from([(provider.public_key, peer)]),
        };
        Some((exit.interface(), device))
    };
    exits.iter().filter_map(one).collect()
}

/// What is marked for an exit is looked up in its table, and so is what a socket of the cell sends by its interface.
pub(super) fn rules(exits: &[Resolved<'_>], lans: &[ResolvedLan<'_>]) -> BTreeSet<Rule> {
    let mut rules = BTreeSet::new();
    for exit in exits {
        let rule = |family, iif: Option<&str>, oif, fwmark| Rule {
            family,
            preference: PREFERENCE,
            iif: iif.map(str::to_owned),
            from: None,
            oif,
            fwmark,
            table: exit.table(),
            no_default: false,
            owner: Owner::Cell,
        };
        for family in [Family::V4, Family::V6] {
            for iif in std::iter::once(WIREGUARD_INTERFACE).chain(lans.iter().map(|lan| lan.device.as_str()))
            {
                rules.insert(rule(family, Some(iif), None, Some((exit.mark(), MARK_MASK))));
            }
            rules.insert(rule(family, None, Some(exit.interface()), None));
        }
        // What the host itself sends from the exit's address, as an error about a packet that came in there, must not tell
        // that address on the uplink.
        for address in exit.tunnel().into_iter().flat_map(|provider| &provider.addresses) {
            let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
            let from = Some(*address);
            rules.insert(Rule { from, preference: PREFERENCE + 1, ..rule(family, None, None, None) });
        }
    }
    rules
}

/// What a tunnel carries goes into it, all else nowhere: what is left of the internet, and a family without an address.
pub(super) fn routes(exits: &[Resolved<'_>]) -> BTreeSet<Route> {
    let everything = [
        IpNet::from(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpNet::from(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    ];
    let mut routes = BTreeSet::new();
    for exit in exits {
        let route = |destination, metric, kind| Route { table: exit.table(), destination, metric, kind };
        routes.extend(everything.map(|net| route(net, METRIC_LAST, RouteKind::Unreachable)));
        let carried = exit.tunnel().into_iter().flat_map(Provider::carried);
        routes.extend(carried.map(|net| route(net, METRIC, RouteKind::Device(exit.interface()))));
    }
    routes
}

/// The kernel asks of what comes in whether its way back leads there (RFC 3704, `rp_filter`). For an answer to a peer it looks
/// as for a packet of that peer, so with the mark that such a packet has, which [`firewall`] gives the answer: without it the
/// way back would be the table of the blocked. To the host itself answers come from everywhere, and its own way there is the
/// uplink, so that the check must be a loose one.
pub(super) fn sysctls(exits: &[Resolved<'_>], facts: &Facts, targets: &mut Targets) {
    for interface in exits.iter().filter(|exit| exit.tunnel().is_some()).map(Resolved::interface) {
        for (name, value) in [("rp_filter", "2"), ("src_valid_mark", "1")] {
            if facts.interfaces.contains(&interface) {
                let key = sysctl::Key::new(&["net", "ipv4", "conf", &interface, name]);
                targets.sysctls.insert(key, value.to_owned());
            }
        }
    }
}

/// Whether an exit has an interface: Tor has none.
pub fn has_interface(exit: &Resolved<'_>) -> bool {
    matches!(exit.exit.kind, ExitKind::Wireguard { .. })
}

/// Interface that questions for names leave by: to Tor they go on this host.
pub fn names_by(exit: &Resolved<'_>) -> String {
    if has_interface(exit) { exit.interface() } else { "lo".to_owned() }
}

/// How questions of those leave who are sent by an exit.
pub(super) fn names(desired: &Desired, facts: &Facts, exit: &Resolved<'_>) -> DnsExit {
    let name = exit.name.to_string();
    match exit.exit.kind {
        ExitKind::Wireguard { .. } => DnsExit {
            name,
            interface: names_by(exit),
            upstreams: exit.provider.map(|one| upstreams(desired, facts, one)).unwrap_or_default(),
            unsigned: false,
        },
        ExitKind::Tor => DnsExit {
            name,
            interface: names_by(exit),
            upstreams: vec![Upstream::Plain { address: names_at(exit.name.number()) }],
            unsigned: true,
        },
    }
}

/// Whom to ask for names through an exit: the provider's own resolvers, else those of the cell that are on the internet; in
/// both cases as far as the exit carries them.
pub fn upstreams(desired: &Desired, facts: &Facts, provider: &Provider) -> Vec<Upstream> {
    let is_carried = |ip: &IpAddr| provider.carried().any(|net| net.contains(ip));
    let plain = |ip: &IpAddr| Upstream::Plain { address: SocketAddr::new(*ip, PORT_DNS) };
    let own: Vec<_> = provider.dns.iter().filter(|ip| is_carried(ip)).map(plain).collect();
    if !own.is_empty() {
        return own;
    }
    let written = desired.dns.upstreams.clone();
    let all = written.unwrap_or_else(|| facts.resolvers.iter().map(plain).collect());
    let fits = |upstream: &Upstream| {
        let ip = upstream.address().ip();
        is_public(ip) && is_carried(&ip)
    };
    all.into_iter().filter(fits).collect()
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_private() && !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unique_local() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
