//! Counts what goes to the internet and comes from it, for each device and each LAN: in elements of sets, so that a packet costs
//! the same look-ups however many there are.
//!
//! Behind the chain that lets packets through, so that what it stopped is not counted. What stays in the cell is not, either.

use std::collections::{BTreeMap, BTreeSet};

use pic_model::Desired;
use pic_model::usage::Way;

use super::{FAMILIES, Scope, chain, rule, set_of};
use crate::compile::{Network, ResolvedLan, is_active};
use crate::facts::Facts;
use crate::target::nft::{Chain, ChainKind, Counted, Elements, Expr, Hook, Is, Rule};

/// Behind the cell's own decision, and behind those that most others take.
const PRIORITY: i32 = 10;

/// Name of the sets of a way; `4`, `6` or `_links` follows.
fn set(way: Way) -> &'static str {
    match way {
        Way::Sent => "sent",
        Way::Received => "received",
    }
}

/// The way that a set counts.
pub fn way_of(name: &str) -> Option<Way> {
    [Way::Sent, Way::Received].into_iter().find(|way| {
        let kind = name.strip_prefix(set(*way));
        kind.is_some_and(|kind| ["4", "6", "_links"].contains(&kind))
    })
}

/// Whose each counter is: subjects as `peer phone` and `lan home`.
pub fn subjects(desired: &Desired, facts: &Facts) -> BTreeMap<Counted, String> {
    let network = Network::new(desired, facts);
    let mut all = BTreeMap::new();
    for (name, peer) in &desired.peers {
        all.insert(Counted::Address(peer.address.into()), format!("peer {name}"));
        all.extend(network.peer6(peer).map(|at| (Counted::Address(at.into()), format!("peer {name}"))));
    }
    for lan in ResolvedLan::all(desired, facts).into_iter().filter(|lan| !lan.lan.uplink) {
        all.insert(Counted::Link(lan.device.clone()), format!("lan {}", lan.name));
    }
    all
}

pub(super) fn sets(scope: &Scope<'_>) -> Vec<(String, Elements)> {
    let peers = scope.desired.peers.values().filter(|peer| is_active(peer, scope.facts.now));
    let v4: BTreeSet<_> = peers.clone().map(|peer| peer.address).collect();
    let v6: BTreeSet<_> = peers.filter_map(|peer| scope.network.peer6(peer)).collect();
    let links: BTreeSet<_> = scope.lans.iter().map(|lan| lan.device.clone()).collect();
    let one = |way| {
        let name = set(way);
        [
            (format!("{name}4"), Elements::Tally4(v4.clone())),
            (format!("{name}6"), Elements::Tally6(v6.clone())),
            (format!("{name}_links"), Elements::TallyLinks(links.clone())),
        ]
    };
    [Way::Sent, Way::Received].into_iter().flat_map(one).collect()
}

pub(super) fn chains(scope: &Scope<'_>) -> Vec<Chain> {
    let outer = scope.uplink().into_iter().chain(scope.exits.interfaces());
    let both = outer.flat_map(|name| {
        let jump = |expr, way| rule("counted", [expr, Expr::Jump(format!("count_{}", set(way)))]);
        [
            jump(Expr::Oif(Is::In, name.to_owned()), Way::Sent),
            jump(Expr::Iif(Is::In, name.to_owned()), Way::Received),
        ]
    });
    let rules = both.collect();
    let count = |way| Chain { name: format!("count_{}", set(way)), base: None, rules: counts(way) };
    vec![
        count(Way::Sent),
        count(Way::Received),
        chain("count", ChainKind::Filter, Hook::Forward, PRIORITY, rules),
    ]
}

fn counts(way: Way) -> Vec<Rule> {
    let address = |family| {
        let set = set_of(set(way), family);
        let found = match way {
            Way::Sent => Expr::SourceIn(Is::In, set),
            Way::Received => Expr::DestinationIn(Is::In, set),
        };
        rule("counted", [Expr::Family(family), found])
    };
    let links = format!("{}_links", set(way));
    let link = match way {
        Way::Sent => Expr::IifIn(links),
        Way::Received => Expr::OifIn(links),
    };
    FAMILIES.into_iter().map(address).chain([rule("counted", [link])]).collect()
}
