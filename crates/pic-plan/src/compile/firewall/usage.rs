//! Counts what goes to the internet and comes from it, for each device and each LAN: in elements of sets, so that a packet costs
//! the same look-ups however many there are. Those of devices are made at their first packet.
//!
//! Behind the chains that let packets through, so that what they stopped is not counted. What stays in the cell is not, either.
//! What an exit takes in that is a program on this host goes to the internet all the same: it is counted on its way in, and back.

use std::collections::{BTreeMap, BTreeSet};

use pic_model::Desired;
use pic_model::usage::Way;

use super::{FAMILIES, Scope, chain, from_peers, limits, rule, set_of, to_peers};
use crate::compile::{Network, ResolvedLan};
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

/// Whose each counter is: subjects as `peer phone`, `lan home` and `app torrent`.
pub fn subjects(desired: &Desired, facts: &Facts) -> BTreeMap<Counted, String> {
    let network = Network::new(desired, facts);
    let mut all = BTreeMap::new();
    for (name, peer) in desired.peers.iter() {
        all.insert(Counted::Address(peer.address.into()), format!("peer {name}"));
        all.extend(network.peer6(peer).map(|at| (Counted::Address(at.into()), format!("peer {name}"))));
    }
    for lan in ResolvedLan::all(desired, facts).into_iter().filter(|lan| !lan.lan.uplink) {
        all.insert(
            Counted::Link(lan.device.clone()),
            format!("{} {}", lan.lan.word().to_lowercase(), lan.name),
        );
    }
    all
}

pub(super) fn sets(scope: &Scope<'_>) -> Vec<(String, Elements)> {
    let links: BTreeSet<_> = scope.lans.iter().map(|lan| lan.device.clone()).collect();
    let one = |way| {
        let name = set(way);
        [
            (format!("{name}4"), Elements::Tally4),
            (format!("{name}6"), Elements::Tally6),
            (format!("{name}_links"), Elements::TallyLinks(links.clone())),
        ]
    };
    [Way::Sent, Way::Received].into_iter().flat_map(one).collect()
}

pub(super) fn chains(scope: &Scope<'_>) -> Vec<Chain> {
    let outer = scope.uplink().into_iter().chain(scope.exits.interfaces());
    let both = outer.flat_map(|name| {
        let goes_on = |expr, way| rule("counted", [expr, Expr::Goto(format!("count_{}", set(way)))]);
        [
            goes_on(Expr::Oif(Is::In, name.to_owned()), Way::Sent),
            goes_on(Expr::Iif(Is::In, name.to_owned()), Way::Received),
        ]
    });
    let rules = both.collect();
    let count = |way| Chain { name: format!("count_{}", set(way)), base: None, rules: counts(way) };
    let mut chains = vec![
        count(Way::Sent),
        count(Way::Received),
        chain("count", ChainKind::Filter, Hook::Forward, PRIORITY, rules),
    ];
    chains.extend(by_programs(scope));
    chains
}

/// What exits on this host take in and give back; nothing without one.
fn by_programs(scope: &Scope<'_>) -> Vec<Chain> {
    let counted = |led: Vec<Expr>, way| {
        rule("counted", led.into_iter().chain([Expr::Goto(format!("count_{}", set(way)))]))
    };
    let sent: Vec<_> = scope.exits.led().map(|(_, led)| counted(led, Way::Sent)).collect();
    if sent.is_empty() {
        return Vec::new();
    }
    let back = scope.exits.led_back().map(|(_, led)| counted(led, Way::Received));
    let received = limits::output(scope).into_iter().chain(back).collect();
    vec![
        chain("count_in", ChainKind::Filter, Hook::Input, PRIORITY, sent),
        chain("count_out", ChainKind::Filter, Hook::Output, PRIORITY, received),
    ]
}

fn counts(way: Way) -> Vec<Rule> {
    // Only peers, who have no address but their own: a LAN's host could take any and fill the set. What is a peer's is no LAN's.
    let address = |family| {
        let set = set_of(set(way), family);
        let (of_peer, count) = match way {
            Way::Sent => (from_peers(), Expr::CountSource(set)),
            Way::Received => (to_peers(), Expr::CountDestination(set)),
        };
        rule("counted", [Expr::Family(family), of_peer, count, Expr::Return])
    };
    let links = format!("{}_links", set(way));
    let link = match way {
        Way::Sent => Expr::IifIn(links),
        Way::Received => Expr::OifIn(links),
    };
    FAMILIES.into_iter().map(address).chain([rule("counted", [link])]).collect()
}
