//! The nftables table. What grows stands in sets; the chains are the same for ten peers and for ten thousand.
//!
//! A packet of a peer or of a LAN is looked up by where it comes from and where it goes, and marked if that is granted;
//! only marked ones are forwarded. Only answers ride on connection state, so that a grant taken away ends running flows.

mod back;
mod forward;
mod forwarded;
mod input;
mod limits;
mod prerouting;
mod sets;
mod strangers;
pub mod usage;

use ipnet::IpNet;
use pic_model::Desired;

use super::policy::Policy;
use super::{Network, ResolvedLan, exit, lan, time};
use crate::facts::Facts;
use crate::marks::WIREGUARD_INTERFACE;
use crate::target::nft::{Base, Chain, ChainKind, Expr, Hook, Is, Rule, Shape, Table};
use crate::target::rule::Family;
pub(super) use back::sysctls;
pub(super) use input::{granted, neighbours};
pub use strangers::{TOO_OFTEN, TOO_OFTEN_SSH};

/// What the table is made of.
pub(super) struct Scope<'a> {
    pub(super) desired: &'a Desired,
    pub(super) facts: &'a Facts,
    pub(super) network: &'a Network,
    /// LANs of the cell's own.
    pub(super) lans: &'a [ResolvedLan<'a>],
    /// The uplink's own network, where the cell serves something in it.
    pub(super) outside: &'a [ResolvedLan<'a>],
    pub(super) policy: &'a Policy,
    pub(super) exits: &'a exit::firewall::Exits,
    pub(super) egress: &'a exit::egress::Lines<'a>,
}

impl<'a> Scope<'a> {
    pub(super) fn uplink(&self) -> Option<&'a str> {
        uplink(self.desired, self.facts)
    }

    pub(super) fn with_time(&self) -> bool {
        time::is_served(self.desired, self.facts)
    }

    /// Interfaces of the cell's own networks.
    fn inside_devices(&self) -> impl Iterator<Item = &'a str> {
        std::iter::once(WIREGUARD_INTERFACE).chain(self.lans.iter().map(|lan| lan.device.as_str()))
    }

    /// The cell's own networks, and the uplink's where that is one of its LANs: what is granted there takes no default
    /// route.
    fn inside_networks(&self) -> impl Iterator<Item = IpNet> {
        let lans = self.lans.iter().chain(self.outside);
        self.network.networks().chain(lans.flat_map(|lan| lan.reached().collect::<Vec<_>>()))
    }

    /// The cell's own networks alone.
    fn own_networks(&self) -> impl Iterator<Item = IpNet> {
        let lans = self.lans.iter().flat_map(|lan| lan.reached().collect::<Vec<_>>());
        self.network.networks().chain(lans)
    }

    /// Whether a ban is of an address that can come from inside: of one of the own networks, link-local or unspecified.
    fn bans_inside(&self, family: Family) -> bool {
        let is_it = |net: &IpNet| net.addr().is_ipv4() == (family == Family::V4);
        let beside = ["0.0.0.0/32", "fe80::/10", "::/128"].into_iter().filter_map(|net| net.parse().ok());
        let own: Vec<IpNet> = self.own_networks().chain(beside).filter(is_it).collect();
        let overlap = |ban: &IpNet| own.iter().any(|net| net.contains(ban) || ban.contains(net));
        self.facts.bans.iter().filter(|ban| ban.until > self.facts.now).any(|ban| overlap(&ban.network))
    }

    /// Shapes of one family with their sets: of pairs and of single ports.
    pub(super) fn shapes(&self, family: Family) -> Vec<(Shape, [String; 2])> {
        let (shapes, digit): (Vec<_>, _) = match family {
            Family::V4 => (self.policy.pairs4.keys().copied().collect(), '4'),
            Family::V6 => (self.policy.pairs6.keys().copied().collect(), '6'),
        };
        let sets = |shape| ["pairs", "flows"].map(|kind| sets::flow_set(kind, digit, shape));
        shapes.into_iter().map(|shape| (shape, sets(shape))).collect()
    }
}

/// Interface of the way to the internet, by the owner's word or else as the host has it.
pub(super) fn uplink<'a>(desired: &'a Desired, facts: &'a Facts) -> Option<&'a str> {
    let written = desired.uplink.interface.as_ref();
    let known = facts.uplink.as_ref().map(|uplink| &uplink.interface);
    written.or(known).map(|name| name.as_str())
}

/// The table.
pub(super) fn table(scope: &Scope<'_>) -> Table {
    let mut chains = prerouting::chains(scope);
    chains.extend(forwarded::chains(scope));
    chains.extend(back::back(scope));
    chains.extend([input::peers(scope), input::outside(scope)]);
    if !scope.lans.is_empty() {
        chains.push(lan::firewall::input(scope));
    }
    chains.push(input::input(scope));
    chains.extend(forward::chains(scope));
    chains.extend(usage::chains(scope));
    let mut sets = sets::sets(scope);
    sets.extend(scope.exits.sets());
    sets.extend(scope.egress.sets());
    sets.extend(strangers::sets(scope));
    sets.extend(usage::sets(scope));
    sets.extend(limits::sets(scope));
    Table { sets, chains }
}

pub(super) fn rule(why: &'static str, exprs: impl IntoIterator<Item = Expr>) -> Rule {
    Rule { exprs: exprs.into_iter().collect(), why }
}

pub(super) fn from_peers() -> Expr {
    Expr::Iif(Is::In, WIREGUARD_INTERFACE.to_owned())
}

pub(super) fn to_peers() -> Expr {
    Expr::Oif(Is::In, WIREGUARD_INTERFACE.to_owned())
}

/// Source in the v4 or the v6 set of one name.
pub(super) fn source_in(family: Family, name: &str) -> [Expr; 2] {
    [Expr::Family(family), Expr::SourceIn(Is::In, set_of(name, family))]
}

/// The v4 or the v6 set of one name.
pub(super) fn set_of(name: &str, family: Family) -> String {
    match family {
        Family::V4 => format!("{name}4"),
        Family::V6 => format!("{name}6"),
    }
}

pub(super) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

pub(super) fn chain(name: &str, kind: ChainKind, hook: Hook, priority: i32, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), base: Some(Base { kind, hook, priority, accept: true }), rules }
}
