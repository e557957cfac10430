//! Devices that have used up their quota, and those that may be only so fast, on their way to the internet and back.
//!
//! Both are elements of sets: a packet costs one look-up each, however many there are. A rate is kept by the kernel at the element
//! itself, for each way and each IP family; what comes faster is dropped (policing).

use std::collections::{BTreeMap, BTreeSet};

use pic_model::Desired;
use pic_model::desired::Peer;

use super::{FAMILIES, Scope, from_peers, rule, set_of, to_peers};
use crate::compile::is_active;
use crate::target::nft::{Elements, Expr, Is, Rule};

const SPENT: &str = "spent";
const RATE_SENT: &str = "rate_sent";
const RATE_RECEIVED: &str = "rate_received";

fn has_quotas(desired: &Desired) -> bool {
    desired.peers.values().any(|peer| desired.quota_of(peer).is_some())
}

fn has_rates(desired: &Desired) -> bool {
    desired.peers.values().any(|peer| desired.rate_of(peer).is_some())
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
        let v4: BTreeMap<_, _> = limited().map(|(peer, rate)| (peer.address, rate)).collect();
        let v6: BTreeMap<_, _> =
            limited().filter_map(|(peer, rate)| Some((scope.network.peer6(peer)?, rate))).collect();
        for set in [RATE_SENT, RATE_RECEIVED] {
            sets.push((format!("{set}4"), Elements::Rates4(v4.clone())));
            sets.push((format!("{set}6"), Elements::Rates6(v6.clone())));
        }
    }
    sets
}

/// Before anything of devices is let through.
pub(super) fn forward(scope: &Scope<'_>) -> Vec<Rule> {
    let outer: Vec<&str> = scope.uplink().into_iter().chain(scope.exits.interfaces()).collect();
    let mut rules = Vec::new();
    let mut both = |why: &'static str, sets: [&str; 2], refuse: Expr| {
        for (name, family) in outer.iter().flat_map(|name| FAMILIES.map(|family| (*name, family))) {
            let source = Expr::SourceIn(Is::In, set_of(sets[0], family));
            let destination = Expr::DestinationIn(Is::In, set_of(sets[1], family));
            let (out, back) = (Expr::Oif(Is::In, name.to_owned()), Expr::Iif(Is::In, name.to_owned()));
            let family = || Expr::Family(family);
            rules.push(rule(why, [from_peers(), out, family(), source, Expr::Counter, refuse.clone()]));
            rules.push(rule(why, [to_peers(), back, family(), destination, Expr::Counter, Expr::Drop]));
        }
    };
    if has_quotas(scope.desired) {
        both("its quota is used up", [SPENT, SPENT], Expr::Reject);
    }
    if has_rates(scope.desired) {
        both("faster than its rate", [RATE_SENT, RATE_RECEIVED], Expr::Drop);
    }
    rules
}

/// The same of what an exit on this host takes in.
pub(super) fn input(scope: &Scope<'_>) -> Vec<Rule> {
    if !has_quotas(scope.desired) || !scope.exits.takes_in() {
        return Vec::new();
    }
    let one = |family| {
        let source = Expr::SourceIn(Is::In, set_of(SPENT, family));
        let led = [Expr::Family(family), source, Expr::CtDnat, Expr::Counter, Expr::Reject];
        rule("its quota is used up", std::iter::once(from_peers()).chain(led))
    };
    FAMILIES.into_iter().map(one).collect()
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
        assert_eq!(after.sets["rate_sent4"], rates);
        assert_eq!(after.sets["rate_received4"], rates);
        // Nobody pays for what nobody uses.
        let plain = table(&CELL.replace("quota = \"1GB/day\"\n", "").replace("rate = ", "# "), &["tablet"]);
        assert!(!plain.sets.keys().any(|set| set.starts_with("spent") || set.starts_with("rate")));
    }

    #[test]
    fn tests_are_about_what_is_granted() {
        let desired = pic_model::config::parse(CELL).unwrap();
        let refused = refuse_failing(&desired, &facts(&["tablet"])).err();
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
