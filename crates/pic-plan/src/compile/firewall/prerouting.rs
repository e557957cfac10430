//! Before routing: forged sources, and the marks that open ways.

use ipnet::IpNet;

use super::{FAMILIES, Scope, chain, rule, set_of as set, source_in};
use crate::compile::lan;
use crate::marks::{MARK_ANSWER, MARK_DIRECT, MARK_INSIDE, WIREGUARD_INTERFACE};
use crate::target::nft::{CT_ESTABLISHED, CT_NEW, CT_RELATED, Chain, ChainKind, Expr, Hook, Is, L4, Rule};
use crate::target::rule::Family;

/// Chains in the order in which they are made.
pub(super) fn chains(scope: &Scope<'_>) -> Vec<Chain> {
    let first = [grants_inside(scope), grants(scope)].into_iter();
    first.chain(scope.egress.chain()).chain([from_inside(scope), prerouting(scope)]).collect()
}

/// To hosts of the cell's own networks.
fn grants_inside(scope: &Scope<'_>) -> Chain {
    let rules = FAMILIES.into_iter().flat_map(|family| granted(scope, family, MARK_INSIDE));
    let rules = rules.chain(errors(MARK_INSIDE)).chain([ended()]).collect();
    Chain { name: "grants_inside".to_owned(), base: None, rules }
}

/// Marks what is in the sets of any shape.
fn granted(scope: &Scope<'_>, family: Family, mark: u32) -> Vec<Rule> {
    let shapes = scope.shapes(family).into_iter();
    let sets = shapes.flat_map(|(shape, sets)| sets.into_iter().map(move |set| (shape, set)));
    let one = |(shape, set)| {
        rule("granted", [Expr::Family(family), Expr::FlowIn(shape, set), Expr::SetMark(mark), Expr::Return])
    };
    sets.map(one).collect()
}

/// What somebody has to say of a connection that he began: that an answer was too large for his way, or comes to nobody.
/// It has no port, and so is in no set of them. The kernel relates it to its connection.
pub(super) fn errors(mark: u32) -> [Rule; 2] {
    [L4::Icmp, L4::Icmp6].map(|l4| {
        rule(
            "errors of what is granted",
            [Expr::L4(l4), Expr::CtState(CT_RELATED), Expr::SetMark(mark), Expr::Return],
        )
    })
}

/// In the middle of a connection that is granted no more, or whose answers nobody waits for: both ends are told, rather
/// than left hanging.
fn ended() -> Rule {
    let is_late = [Expr::L4(L4::Tcp), Expr::TcpRunning, Expr::CtState(CT_NEW)];
    let refused = [Expr::DestinationLocal(Is::NotIn), Expr::Counter, Expr::Reset];
    rule("no connection any more", is_late.into_iter().chain(refused))
}

/// Whatever comes from the cell's own networks.
fn grants(scope: &Scope<'_>) -> Chain {
    // The direction first: it is told at once of what begins here, which is most.
    let answer =
        [Expr::CtReply, Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::SetMark(MARK_ANSWER), Expr::Return];
    let mut rules = vec![rule("answers go back", answer)];
    for family in FAMILIES {
        rules.extend(inside(scope, family).into_iter().map(|inside| {
            let goes = [Expr::Family(family), inside, Expr::Goto("grants_inside".to_owned())];
            rule("to the cell's own networks", goes)
        }));
        for sources in ["internet", "internet_nets"] {
            let mut exprs = Vec::from(source_in(family, sources));
            exprs.push(Expr::DestinationIn(Is::NotIn, set("private", family)));
            exprs.extend([Expr::SetMark(MARK_DIRECT), Expr::Return]);
            rules.push(rule("granted: internet", exprs));
        }
        rules.extend(granted(scope, family, MARK_DIRECT));
    }
    rules.extend(errors(MARK_DIRECT));
    rules.push(ended());
    Chain { name: "grants".to_owned(), base: None, rules }
}

/// So many networks are compared one after another, which costs less than to look one up in a set of intervals.
const COMPARED: usize = 6;

/// Destinations in the cell's own networks.
fn inside(scope: &Scope<'_>, family: Family) -> Vec<Expr> {
    let nets = IpNet::aggregate(&scope.inside_networks().map(|net| net.trunc()).collect());
    let nets = nets.into_iter().filter_map(|net| match (net, family) {
        (IpNet::V4(net), Family::V4) => Some(Expr::Destination4(Is::In, net)),
        (IpNet::V6(net), Family::V6) => Some(Expr::Destination6(Is::In, net)),
        _ => None,
    });
    let nets: Vec<_> = nets.collect();
    if nets.len() > COMPARED { vec![Expr::DestinationIn(Is::In, set("inside", family))] } else { nets }
}

/// Whom nothing answers, but never an admin.
fn banned(family: Family) -> Rule {
    let admin = Expr::SourceIn(Is::NotIn, set("admin", family));
    let banned = Expr::SourceIn(Is::In, set("banned", family));
    rule("banned", [Expr::Family(family), banned, admin, Expr::Counter, Expr::Drop])
}

/// What an interface of the cell's own networks brings: its source is known to be one of theirs. So bans are looked up only
/// where there is one of such an address.
fn from_inside(scope: &Scope<'_>) -> Chain {
    let mut rules: Vec<_> =
        FAMILIES.into_iter().filter(|family| scope.bans_inside(*family)).map(banned).collect();
    // Nobody else's mark of ours is believed.
    rules.push(rule("our mark is set by us alone", [Expr::SetMark(0)]));
    rules.push(rule("what is granted", [Expr::Jump("grants".to_owned())]));
    // What leads to a destination with a way of its own takes that.
    rules.extend(scope.egress.prerouting());
    // Last: whoever was granted the internet leaves by the way that is chosen.
    rules.extend(scope.exits.leaves());
    Chain { name: FROM_INSIDE.to_owned(), base: None, rules }
}

const FROM_INSIDE: &str = "from_inside";

/// Anti-spoofing, and the mark that opens the way out. Few rules are in the way of what comes from inside: each that compares
/// the name of an interface costs a packet as much as three other comparisons.
fn prerouting(scope: &Scope<'_>) -> Chain {
    let (network, lans) = (scope.network, scope.lans);
    let goes_on = |device: &str| {
        let from = Expr::Iif(Is::In, device.to_owned());
        rule("from the cell's own networks", [from, Expr::Goto(FROM_INSIDE.to_owned())])
    };
    // WireGuard lets nobody send under the address of another one.
    let mut rules = vec![goes_on(WIREGUARD_INTERFACE)];
    // LANs have a stricter rule of their own, and may ask the cell by any of its addresses.
    rules.extend(lan::firewall::foreign(lans));
    rules.extend(lans.iter().map(|lan| goes_on(&lan.device)));
    // From elsewhere, before anything else is looked at.
    rules.extend(FAMILIES.map(banned));
    let mut guard = |why, family, matches: &[Expr]| {
        let matches = std::iter::once(Expr::Family(family)).chain(matches.iter().cloned());
        let outside = Expr::Iif(Is::NotIn, "lo".to_owned());
        rules.push(rule(why, matches.chain([outside, Expr::Counter, Expr::Drop])));
    };
    let spoofed = "a peer's address from outside";
    let hidden = "tunnel addresses are not reachable from outside";
    guard(spoofed, Family::V4, &[Expr::Source4(Is::In, network.net4)]);
    guard(hidden, Family::V4, &[Expr::Destination4(Is::In, network.net4)]);
    if let Some(net6) = network.net6 {
        guard(spoofed, Family::V6, &[Expr::Source6(Is::In, net6)]);
        // Peers with global addresses get their answers under them; only the cell's own stay hidden then.
        let own = (!network.translates6()).then_some(Expr::DestinationLocal(Is::In));
        let matches: Vec<_> = [Expr::Destination6(Is::In, net6)].into_iter().chain(own).collect();
        guard(hidden, Family::V6, &matches);
    }
    rules.extend(scope.exits.came_in());
    chain("prerouting", ChainKind::Filter, Hook::Prerouting, -150, rules)
}

#[cfg(test)]
mod tests {
    use pic_model::ban::Ban;
    use pic_model::reach::Target;

    use crate::compile::compile;
    use crate::facts::{Facts, UplinkFacts};
    use crate::reach::{Verdict, walk, ways};
    use crate::target::nft::Table;

    const CELL: &str = "[cell]\nname = \"home\"\n[firewall]\nopen = [\"tcp/80\"]\n\
        [[peer]]\nname = \"phone\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\"\n";

    fn facts(banned: &str) -> Facts {
        let uplink = UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 7].into()),
            ipv6: None,
            routes6: false,
        };
        let mut facts = Facts { uplink: Some(uplink), ..crate::memory::facts() };
        let ends = facts.now + 60;
        let ban = |network: &str| Ban {
            network: network.parse().unwrap(),
            since: 0,
            until: ends,
            reason: String::new(),
        };
        facts.bans = banned.split_whitespace().map(ban).collect();
        facts
    }

    fn verdict(banned: &str, from: &str, to: &str) -> Verdict {
        let (desired, facts) = (pic_model::config::parse(CELL).unwrap(), facts(banned));
        let targets = compile(Some(&desired), &facts);
        let to: Target = to.parse().unwrap();
        let ways = ways(&desired, &facts, &targets, &from.parse().unwrap(), &to).unwrap();
        walk(&targets, &facts, &ways[0].packet).verdict
    }

    fn table(banned: &str, more: &str) -> Table {
        let desired = pic_model::config::parse(&format!("{CELL}{more}")).unwrap();
        compile(Some(&desired), &facts(banned)).nft.unwrap()
    }

    fn rules(table: &Table, name: &str) -> String {
        format!("{:?}", table.chains.iter().find(|chain| chain.name == name).unwrap().rules)
    }

    #[test]
    fn whoever_is_banned_is_stopped_wherever_he_is() {
        let (phone, stranger) = ("198.51.100.9:443", "cell:80");
        assert_eq!(verdict("", "phone", phone), Verdict::Allowed);
        assert_eq!(verdict("", "198.51.100.9", stranger), Verdict::Allowed);
        for banned in ["10.77.0.2", "10.77.0.0/24", "10.0.0.0/8", "0.0.0.0/0"] {
            let banned = if banned.contains('/') { banned.to_owned() } else { format!("{banned}/32") };
            assert_eq!(verdict(&banned, "phone", phone), Verdict::Dropped, "{banned}");
        }
        assert_eq!(verdict("198.51.100.0/24", "198.51.100.9", stranger), Verdict::Dropped);
        assert_eq!(verdict("198.51.100.0/24", "phone", phone), Verdict::Allowed, "banned is who sends");
    }

    #[test]
    fn bans_of_strangers_are_no_look_up_for_what_comes_from_inside() {
        let (none, stranger, inside) =
            (table("", ""), table("198.51.100.9/32", ""), table("10.77.0.9/32", ""));
        assert_eq!(none.chains, stranger.chains);
        assert!(!rules(&none, "from_inside").contains("banned4"));
        let inside = rules(&inside, "from_inside");
        assert!(inside.contains("banned4") && !inside.contains("banned6"));
    }

    #[test]
    fn many_networks_are_looked_up_and_few_compared() {
        let lan = |number: u8| {
            format!(
                "[[lan]]\nname = \"l{number}\"\ninterface = \"eth1\"\nvlan = {number}\nipv4 = \"192.168.{}.1/24\"\n",
                number * 2
            )
        };
        let with = |count| rules(&table("", &(1..=count).map(lan).collect::<String>()), "grants");
        assert!(with(5).contains("192.168.10.0/24") && !with(5).contains("inside4"));
        assert!(with(6).contains("inside4") && !with(6).contains("192.168.10.0/24"));
    }
}
