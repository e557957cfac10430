//! Before routing: forged sources, and the marks that open ways.

use super::{FAMILIES, Scope, chain, rule, set_of as set, source_in};
use crate::compile::lan;
use crate::marks::{MARK_ANSWER, MARK_DIRECT, MARK_INSIDE, WIREGUARD_INTERFACE};
use crate::target::nft::{CT_ESTABLISHED, CT_RELATED, Chain, ChainKind, Expr, Hook, Is, Rule};
use crate::target::rule::Family;

/// Chains in the order in which they are made.
pub(super) fn chains(scope: &Scope<'_>) -> Vec<Chain> {
    vec![grants_inside(scope), grants(scope), prerouting(scope)]
}

/// To hosts of the cell's own networks.
fn grants_inside(scope: &Scope<'_>) -> Chain {
    let rules = FAMILIES.into_iter().flat_map(|family| granted(scope, family, MARK_INSIDE));
    Chain { name: "grants_inside".to_owned(), base: None, rules: rules.collect() }
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

/// Whatever comes from the cell's own networks.
fn grants(scope: &Scope<'_>) -> Chain {
    let answer =
        [Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::CtReply, Expr::SetMark(MARK_ANSWER), Expr::Return];
    let mut rules = vec![rule("answers go back", answer)];
    for family in FAMILIES {
        let inside = || Expr::DestinationIn(Is::In, set("inside", family));
        let jump = [Expr::Family(family), inside(), Expr::Jump("grants_inside".to_owned())];
        rules.push(rule("to the cell's own networks", jump));
        rules.push(rule("to the cell's own networks", [Expr::Family(family), inside(), Expr::Return]));
        for sources in ["internet", "internet_nets"] {
            let mut exprs = Vec::from(source_in(family, sources));
            exprs.push(Expr::DestinationIn(Is::NotIn, set("private", family)));
            exprs.extend([Expr::SetMark(MARK_DIRECT), Expr::Return]);
            rules.push(rule("granted: internet", exprs));
        }
        rules.extend(granted(scope, family, MARK_DIRECT));
    }
    Chain { name: "grants".to_owned(), base: None, rules }
}

/// Anti-spoofing, and the mark that opens the way out.
fn prerouting(scope: &Scope<'_>) -> Chain {
    let (network, lans) = (scope.network, scope.lans);
    // LANs have a stricter rule of their own, and may ask the cell by any of its addresses.
    let inside = [WIREGUARD_INTERFACE, "lo"].into_iter().chain(lans.iter().map(|lan| lan.device.as_str()));
    let not_inside: Vec<_> = inside.map(|name| Expr::Iif(Is::NotIn, name.to_owned())).collect();
    // Before anything else is looked at, but never an admin.
    let mut rules: Vec<_> = FAMILIES
        .into_iter()
        .map(|family| {
            let admin = Expr::SourceIn(Is::NotIn, set("admin", family));
            let banned = Expr::SourceIn(Is::In, set("banned", family));
            rule("banned", [Expr::Family(family), banned, admin, Expr::Counter, Expr::Drop])
        })
        .collect();
    let mut guard = |why, family, last: &[Expr]| {
        let matches = not_inside.iter().cloned().chain([Expr::Family(family)]).chain(last.iter().cloned());
        rules.push(rule(why, matches.chain([Expr::Counter, Expr::Drop])));
    };
    let spoofed = "a peer's address from outside";
    let hidden = "tunnel addresses are not reachable from outside";
    guard(spoofed, Family::V4, &[Expr::Source4(Is::In, network.net4)]);
    guard(hidden, Family::V4, &[Expr::Destination4(Is::In, network.net4)]);
    if let Some(net6) = network.net6 {
        guard(spoofed, Family::V6, &[Expr::Source6(Is::In, net6)]);
        // Peers with global addresses get their answers under them; only the cell's own stay hidden then.
        let own = (!network.translates6()).then_some(Expr::DestinationLocal(Is::In));
        let last: Vec<_> = [Expr::Destination6(Is::In, net6)].into_iter().chain(own).collect();
        guard(hidden, Family::V6, &last);
    }
    rules.extend(lan::firewall::foreign(lans));
    // Nobody else's mark of ours is believed.
    for device in scope.inside_devices() {
        let from = || Expr::Iif(Is::In, device.to_owned());
        rules.push(rule("our mark is set by us alone", [from(), Expr::SetMark(0)]));
        rules.push(rule("what is granted", [from(), Expr::Jump("grants".to_owned())]));
    }
    // Last: whoever was granted the internet leaves by the way that is chosen.
    rules.extend(scope.exits.prerouting());
    chain("prerouting", ChainKind::Filter, Hook::Prerouting, -150, rules)
}
