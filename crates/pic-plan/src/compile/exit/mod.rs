//! Exits: named ways to the internet beside the uplink.
//!
//! Each exit has a mark, a routing table, an interface and rules, all after its number. The firewall turns the mark of
//! whoever was granted the internet into that of the chosen exit ([`firewall`]); a rule sends what is so marked to the
//! exit's table, where an unreachable default stands behind what the tunnel carries. So there are two layers here as
//! well: with the marks gone packets from inside end in the blocked table, with the tunnel gone in the exit's own.

mod choice;
pub mod egress;
pub(super) mod firewall;
pub(super) mod openvpn;
pub mod proxy;
pub(super) mod tor;
mod tunnel;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::Desired;
use pic_model::desired::{Endpoint, EndpointHost};
use pic_model::exit::openvpn::Profile;
use pic_model::exit::provider::Provider;
use pic_model::exit::{Exit, Kind as ExitKind};
use pic_model::name::ExitName;
use pic_model::snapshot::dns::{DnsExit, Upstream};
use pic_model::snapshot::exit::{names_at, transparent_port};

pub use choice::{choose, is_up, of_lan, of_peer};
pub use openvpn::clash;
pub use tunnel::{Tunnel, upstreams};

use super::{Network, ResolvedLan};
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

/// Port of WireGuard where none is said.
const PORT: u16 = 51820;

/// Where somebody is dialled, if that is known.
pub(super) fn dialled(endpoint: &Endpoint, facts: &Facts) -> Option<SocketAddr> {
    let address = match &endpoint.host {
        EndpointHost::Address(address) => Some(*address),
        EndpointHost::Name(name) => facts.exits.endpoints.get(name).copied(),
    };
    Some(SocketAddr::new(address?, endpoint.port.unwrap_or(PORT)))
}

/// An exit with what the host knows of it.
#[derive(Debug, Clone)]
pub struct Resolved<'d> {
    /// Its name.
    pub name: &'d ExitName,
    /// As written.
    pub exit: &'d Exit,
    /// What its file says, if it can be read.
    pub provider: Option<&'d Provider>,
    /// Where the provider or proxy is, if that is known.
    pub endpoint: Option<SocketAddr>,
    /// What its OpenVPN file says, if it is of that kind and can be read.
    pub profile: Option<&'d Profile>,
    /// What leads through it, where it has an interface: also while it is switched off.
    pub end: Option<Tunnel>,
}

impl<'d> Resolved<'d> {
    /// All exits.
    pub fn all(desired: &'d Desired, facts: &'d Facts) -> Vec<Self> {
        let one = |(name, exit): (&'d ExitName, &'d Exit)| {
            let provider = exit.kind.file().and_then(|file| facts.exits.files.get(file)?.as_ref().ok());
            let profile = openvpn::profile(exit, facts);
            let end = provider.map(Tunnel::from);
            let mut one = Self { name, exit, provider, endpoint: None, profile, end };
            one.endpoint = one.dialled().and_then(|at| dialled(&at, facts));
            if profile.is_some() {
                one.end = openvpn::tunnel(desired, facts, &one);
            }
            one
        };
        desired.exits.iter().map(one).collect()
    }

    /// What is dialled, as it is written; nothing for Tor, for OpenVPN, which may have several places, and where the other side
    /// dials.
    pub fn dialled(&self) -> Option<Endpoint> {
        let proxy = self.exit.kind.proxy();
        let proxy = proxy.map(|proxy| Endpoint { host: proxy.host.clone(), port: Some(proxy.port) });
        self.provider.and_then(|provider| provider.endpoint.clone()).or(proxy)
    }

    /// Hosts that must be resolved to dial.
    pub fn hosts(&self) -> impl Iterator<Item = &'d EndpointHost> {
        let provider = self.provider.and_then(|provider| Some(&provider.endpoint.as_ref()?.host));
        let proxy = self.exit.kind.proxy().map(|proxy| &proxy.host);
        let remotes = self.profile.into_iter().flat_map(|profile| &profile.remotes);
        provider.into_iter().chain(proxy).chain(remotes.map(|remote| &remote.host))
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
    fn tunnel(&self) -> Option<&Tunnel> {
        self.end.as_ref().filter(|_| self.exit.enabled)
    }
}

pub(super) fn links(exits: &[Resolved<'_>], facts: &Facts) -> BTreeMap<String, Link> {
    let one = |exit: &Resolved<'_>| {
        let tunnel = exit.tunnel()?;
        let is_kernels = facts.kernel_wireguard && exit.provider.is_some();
        let link = Link {
            kind: if is_kernels { Kind::Wireguard } else { Kind::Tun },
            mtu: u32::from(tunnel.mtu),
            up: true,
            // Without the provider's network: a route to it in the main table would be a way out for the whole host.
            addresses: tunnel.addresses.iter().map(|address| IpNet::from(*address)).collect(),
            parent: None,
        };
        Some((exit.interface(), link))
    };
    exits.iter().filter_map(one).collect()
}

pub(super) fn devices(exits: &[Resolved<'_>]) -> BTreeMap<String, Device> {
    let one = |exit: &Resolved<'_>| {
        let provider = exit.provider.filter(|_| exit.exit.enabled)?;
        let peer = Peer {
            preshared_key: provider.preshared_key.clone(),
            allowed_ips: provider.carried().collect(),
            keepalive: Some(provider.keepalive).filter(|seconds| *seconds > 0),
            endpoint: exit.endpoint,
        };
        let device = Device {
            private_key: Some(provider.private_key.clone()),
            listen_port: exit.exit.kind.listen().unwrap_or_default(),
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
        for address in exit.tunnel().into_iter().flat_map(|tunnel| &tunnel.addresses) {
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
        let carried = exit.tunnel().into_iter().flat_map(|tunnel| &tunnel.carried);
        routes.extend(carried.map(|net| route(*net, METRIC, RouteKind::Device(exit.interface()))));
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

/// Where an exit that is a program on this host takes in what was sent elsewhere, in each family of the cell; none for other
/// exits, for one that is off, and without the program or what it needs: what else listens there is nobody's way out.
fn taken_in(exit: &Resolved<'_>, desired: &Desired, facts: &Facts, network: &Network) -> Vec<SocketAddr> {
    let can_run = match &exit.exit.kind {
        ExitKind::Wireguard { .. } | ExitKind::Openvpn { .. } | ExitKind::Cell { .. } => false,
        ExitKind::Tor => facts.exits.tor,
        ExitKind::Proxy(proxy) => proxy::ready(exit, proxy, desired, facts).is_ok(),
    };
    if !exit.exit.enabled || !can_run {
        return Vec::new();
    }
    let port = transparent_port(exit.name.number());
    let addresses = network.cell_addresses().map(|net| net.addr());
    addresses.map(|address| SocketAddr::new(address, port)).collect()
}

/// Whether an exit has an interface: Tor and proxies have none.
pub fn has_interface(exit: &Resolved<'_>) -> bool {
    matches!(exit.exit.kind, ExitKind::Wireguard { .. } | ExitKind::Openvpn { .. } | ExitKind::Cell { .. })
}

/// Interface that questions for names leave by: to Tor and relays they go on this host.
pub fn names_by(exit: &Resolved<'_>) -> String {
    if has_interface(exit) { exit.interface() } else { "lo".to_owned() }
}

/// How questions of those leave who are sent by an exit.
pub(super) fn names(desired: &Desired, facts: &Facts, exit: &Resolved<'_>) -> DnsExit {
    let name = exit.name.to_string();
    match &exit.exit.kind {
        ExitKind::Wireguard { .. } | ExitKind::Openvpn { .. } | ExitKind::Cell { .. } => DnsExit {
            name,
            interface: names_by(exit),
            upstreams: exit.end.as_ref().map(|end| upstreams(desired, facts, end)).unwrap_or_default(),
            unsigned: false,
        },
        ExitKind::Tor => DnsExit {
            name,
            interface: names_by(exit),
            upstreams: vec![Upstream::Plain { address: names_at(exit.name.number()) }],
            unsigned: true,
        },
        ExitKind::Proxy(proxy) => DnsExit {
            name,
            interface: names_by(exit),
            upstreams: proxy::names(exit, proxy, desired, facts),
            unsigned: false,
        },
    }
}

#[cfg(test)]
mod proxy_tests;
#[cfg(test)]
mod tests;
