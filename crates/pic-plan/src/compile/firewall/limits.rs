//! Devices that have used up their quota, and those that may be only so fast, on their way to the internet and back.
//!
//! Both are elements of sets: a packet costs one look-up each, however many there are, and one more in IPv6, as a device has one rate
//! for both families: its element is found by its v4 address, which a map has for the other. A rate is kept by the kernel at the
//! element itself, for each way; what comes faster is dropped (policing).

use std::collections::{BTreeMap, BTreeSet};

use pic_model::Desired;
use pic_model::desired::Peer;
use pic_model::usage::Way;

use super::{FAMILIES, Scope, from_peers, rule, set_of, to_peers};
use crate::compile::is_active;
use crate::target::nft::{Elements, Expr, Is, Rule};
use crate::target::rule::Family;

const SPENT: &str = "spent";
const SPENT_WHY: &str = "its quota is used up";
const TWINS: &str = "rate_twins";
const RATE_WHY: &str = "faster than its rate";

fn has_quotas(desired: &Desired) -> bool {
    desired.peers.values().any(|peer| desired.quota_of(peer).is_some())
}

fn has_rates(desired: &Desired) -> bool {
    desired.peers.values().any(|peer| desired.rate_of(peer).is_some())
}

fn rates(way: Way) -> &'static str {
    match way {
        Way::Sent => "rate_sent",
        Way::Received => "rate_received",
    }
}

pub(super) fn sets(scope: &Scope<'_>) -> Vec<(String, Elements)> {
    let (desired, facts) = (scope.desired, scope.facts);
    let mut sets = Vec::new();
    if has_quotas(desired) {
        let is_spent = |(name, peer): &(_, &Peer)| {
            is_active(peer, facts.now) && facts.spent.contains(*name) && desired.quota_of(peer).is_some()
        };
        let spent = || desired.peers.iter().filter(is_spent).map(|(_, peer)| peer);
        let v4: BTreeSet<_> = spent().map(|peer| peer.address).collect();
        let v6: BTreeSet<_> = spent().filter_map(|peer| scope.network.peer6(peer)).collect();
        sets.extend([(format!("{SPENT}4"), Elements::V4(v4)), (format!("{SPENT}6"), Elements::V6(v6))]);
    }
    if has_rates(desired) {
        let active = || desired.peers.values().filter(|peer| is_active(peer, facts.now));
        let limited = || active().filter_map(|peer| Some((peer, desired.rate_of(peer)?.bytes())));
        let bytes: BTreeMap<_, _> = limited().map(|(peer, rate)| (peer.address, rate)).collect();
        let twins = limited().filter_map(|(peer, _)| Some((scope.network.peer6(peer)?, peer.address)));
        sets.push((TWINS.to_owned(), Elements::Twins6(twins.collect())));
        for way in [Way::Sent, Way::Received] {
            sets.push((rates(way).to_owned(), Elements::Rates4(bytes.clone())));
        }
    }
    sets
}

/// Whose quota is used up, of this way and family.
fn is_spent(way: Way, family: Family) -> Expr {
    match way {
        Way::Sent => Expr::SourceIn(Is::In, set_of(SPENT, family)),
        Way::Received => Expr::DestinationIn(Is::In, set_of(SPENT, family)),
    }
}

/// Who is faster than allowed, of this way and family.
fn is_fast(way: Way, family: Family) -> Expr {
    let set = rates(way).to_owned();
    match (way, family) {
        (Way::Sent, Family::V4) => Expr::SourceIn(Is::In, set),
        (Way::Received, Family::V4) => Expr::DestinationIn(Is::In, set),
        (Way::Sent, Family::V6) => Expr::SourceTwinIn(TWINS.to_owned(), set),
        (Way::Received, Family::V6) => Expr::DestinationTwinIn(TWINS.to_owned(), set),
    }
}

/// Before anything of devices is let through.
pub(super) fn forward(scope: &Scope<'_>) -> Vec<Rule> {
    let outer: Vec<&str> = scope.uplink().into_iter().chain(scope.exits.interfaces()).collect();
    let mut rules = Vec::new();
    let mut both = |why: &'static str, whose: fn(Way, Family) -> Expr, refuse: Expr| {
        for (name, family) in outer.iter().flat_map(|name| FAMILIES.map(|family| (*name, family))) {
            let (out, back) = (Expr::Oif(Is::In, name.to_owned()), Expr::Iif(Is::In, name.to_owned()));
            let (sent, received) = (whose(Way::Sent, family), whose(Way::Received, family));
            let family = || Expr::Family(family);
            rules.push(rule(why, [family(), from_peers(), out, sent, Expr::Counter, refuse.clone()]));
            rules.push(rule(why, [family(), to_peers(), back, received, Expr::Counter, Expr::Drop]));
        }
    };
    if has_quotas(scope.desired) {
        both(SPENT_WHY, is_spent, Expr::Reject);
    }
    if has_rates(scope.desired) {
        both(RATE_WHY, is_fast, Expr::Drop);
    }
    rules
}

/// The same of what an exit on this host takes in.
pub(super) fn input(scope: &Scope<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut each = |why: &'static str, whose: fn(Way, Family) -> Expr, refuse: Expr| {
        for (family, led) in scope.exits.led() {
            let end = [whose(Way::Sent, family), Expr::Counter, refuse.clone()];
            rules.push(rule(why, [from_peers()].into_iter().chain(led).chain(end)));
        }
    };
    if has_quotas(scope.desired) {
        each(SPENT_WHY, is_spent, Expr::Reject);
    }
    if has_rates(scope.desired) {
        each(RATE_WHY, is_fast, Expr::Drop);
    }
    rules
}

/// And of what such an exit gives back. What is dropped here the host's own TCP sends again when there is room.
pub(super) fn output(scope: &Scope<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut each = |why: &'static str, whose: fn(Way, Family) -> Expr| {
        for (family, led) in scope.exits.led_back() {
            let end = [whose(Way::Received, family), Expr::Counter, Expr::Drop];
            rules.push(rule(why, [to_peers()].into_iter().chain(led).chain(end)));
        }
    };
    if has_quotas(scope.desired) {
        each(SPENT_WHY, is_spent);
    }
    if has_rates(scope.desired) {
        each(RATE_WHY, is_fast);
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;
    use crate::facts::{Facts, UplinkFacts};
    use crate::reach::refuse_failing;
    use crate::target::nft::Table;

    const CELL: &str = "[cell]\nname = \"home\"\n[[group]]\nname = \"kids\"\nquota = \"1GB/day\"\nrate = \"8mbit\"\n\
        [[peer]]\nname = \"tablet\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\"\ngroups = [\"kids\"]\n\
        [[peer]]\nname = \"tv\"\npublic_key = \"YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=\"\naddress = \"10.77.0.3\"\nrate = \"16mbit\"\n\
        [[test]]\nfrom = \"tablet\"\nto = \"198.51.100.1:443\"\nexpect = \"allowed\"\n";

    fn facts(spent: &[&str]) -> Facts {
        let uplink = UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 7].into()),
            ipv6: None,
            routes6: true,
        };
        let spent = spent.iter().map(|name| name.parse().unwrap()).collect();
        Facts { uplink: Some(uplink), spent, ..crate::memory::facts() }
    }

    fn table(text: &str, spent: &[&str]) -> Table {
        let desired = pic_model::config::parse(text).unwrap();
        compile(Some(&desired), &facts(spent)).nft.unwrap()
    }

    #[test]
    fn limits_are_elements_and_only_those_with_a_quota_are_ever_spent() {
        let (before, after) = (table(CELL, &[]), table(CELL, &["tablet", "tv", "gone"]));
        assert_eq!(before.chains, after.chains);
        assert!(before.sets["spent4"].is_empty());
        let (tablet, tv) = ([10, 77, 0, 2].into(), [10, 77, 0, 3].into());
        assert_eq!(after.sets["spent4"], Elements::V4([tablet].into()));
        assert_eq!(after.sets["spent6"].len(), 1);
        let rates = Elements::Rates4([(tablet, 1_000_000), (tv, 2_000_000)].into());
        assert_eq!(after.sets["rate_sent"], rates);
        assert_eq!(after.sets["rate_received"], rates);
        let Elements::Twins6(twins) = &after.sets["rate_twins"] else { panic!("of another kind") };
        assert_eq!(
            twins.values().copied().collect::<Vec<_>>(),
            [tablet, tv],
            "one element for both families"
        );
        // Nobody pays for what nobody uses.
        let plain = table(&CELL.replace("quota = \"1GB/day\"\n", "").replace("rate = ", "# "), &["tablet"]);
        assert!(!plain.sets.keys().any(|set| set.starts_with("spent") || set.starts_with("rate")));
    }

    #[test]
    fn tests_are_about_what_is_granted() {
        let desired = pic_model::config::parse(CELL).unwrap();
        let facts = facts(&["tablet"]);
        let refused = refuse_failing(&desired, &facts, &compile(Some(&desired), &facts)).err();
        assert!(refused.is_none(), "{}", refused.unwrap());
    }

    #[test]
    fn groups_that_disagree_are_refused() {
        let two = CELL
            .replace("[[group]]\n", "[[group]]\nname = \"small\"\nquota = \"2GB/day\"\n[[group]]\n")
            .replace("groups = [\"kids\"]", "groups = [\"kids\", \"small\"]");
        let refused = pic_model::config::parse(&two).unwrap_err().to_string();
        assert!(refused.contains("another quota each"), "{refused}");
        let own = two
            .replace("groups = [\"kids\", \"small\"]", "groups = [\"kids\", \"small\"]\nquota = \"3GB/day\"");
        assert!(pic_model::config::parse(&own).is_ok());
    }
}
