//! Ports that lead to hosts behind the cell, also from there (hairpin).
//!
//! The destination is translated for the first packet of a connection only; whether a packet may go on is looked up for
//! each, so that a forward taken away ends what runs through it.

use super::prerouting::errors;
use super::strangers::{self, Knock};
use super::{FAMILIES, Scope, chain, rule, sets};
use crate::marks::{MARK_INSIDE, WIREGUARD_INTERFACE};
use crate::target::nft::{CT_RELATED, Chain, ChainKind, Expr, Hook, Is, L4, Rule};
use crate::target::rule::Family;

fn digit(family: Family) -> char {
    match family {
        Family::V4 => '4',
        Family::V6 => '6',
    }
}

/// Chains in the order in which they are made.
pub(super) fn chains(scope: &Scope<'_>) -> Vec<Chain> {
    vec![allowed(scope), translate(scope), anew(scope), hairpin(scope)]
}

/// Returns, marked, for packets that a forward lets go on.
fn allowed(scope: &Scope<'_>) -> Chain {
    let rules = FAMILIES.into_iter().flat_map(|family| {
        flows(scope, family).into_iter().map(move |flow| {
            rule("forwarded", [Expr::Family(family), flow, Expr::SetMark(MARK_INSIDE), Expr::Return])
        })
    });
    let rules = rules.chain(errors(MARK_INSIDE));
    Chain { name: "forwarded".to_owned(), base: None, rules: rules.collect() }
}

/// Look-ups of what may go on.
fn flows(scope: &Scope<'_>, family: Family) -> Vec<Expr> {
    let shapes: Vec<_> = match family {
        Family::V4 => scope.policy.forwarded4.keys().copied().collect(),
        Family::V6 => scope.policy.forwarded6.keys().copied().collect(),
    };
    let one = |shape| Expr::FlowIn(shape, sets::flow_set("forwarded", digit(family), shape));
    shapes.into_iter().map(one).collect()
}

/// By any address of the cell but those that its own networks know it by.
fn translate(scope: &Scope<'_>) -> Chain {
    let one = |family| {
        let digit = digit(family);
        let elsewhere = Expr::DestinationIn(Is::NotIn, format!("behind{digit}"));
        let to = Expr::ForwardBy(format!("forwards{digit}"));
        rule("forwarded", [Expr::Family(family), Expr::DestinationLocal(Is::In), elsewhere, to])
    };
    let rules = FAMILIES.into_iter().map(one).chain(scope.exits.translate());
    chain("translate", ChainKind::Nat, Hook::Prerouting, -100, rules.collect())
}

/// From the cell's own networks: what was translated is marked anew by where it leads now.
fn anew(scope: &Scope<'_>) -> Chain {
    let rules = scope.inside_devices().flat_map(|device| {
        let from = || Expr::Iif(Is::In, device.to_owned());
        [
            rule("our mark is set by us alone", [from(), Expr::SetMark(0)]),
            rule("forwarded", [from(), Expr::Jump("forwarded".to_owned())]),
        ]
    });
    Chain { name: "anew".to_owned(), base: None, rules: rules.collect() }
}

/// Of most packets no more is asked here than whether their connection was translated.
fn hairpin(scope: &Scope<'_>) -> Chain {
    let anew = rule("translated", [Expr::CtDnat, Expr::CtOriginal, Expr::Jump("anew".to_owned())]);
    let rules = scope.exits.keeps_mark().into_iter().chain([anew]);
    chain("hairpin", ChainKind::Filter, Hook::Prerouting, -90, rules.collect())
}

/// From elsewhere: straight on to the host.
pub(super) fn accept(scope: &Scope<'_>) -> Vec<Rule> {
    let one = |(family, flow)| {
        let exprs = [Expr::Family(family), Expr::CtDnat, Expr::CtOriginal, flow, Expr::Counter, Expr::Accept];
        rule("forwarded", exprs)
    };
    let all = FAMILIES.into_iter();
    let all = all.flat_map(|family| flows(scope, family).into_iter().map(move |flow| (family, flow)));
    // Nothing from the cell's own networks gets here, which is marked or refused, and nothing that others translated.
    let limited = |(family, flow): (Family, Expr)| {
        let drop =
            strangers::drops_of(scope, Knock::Other, family, &[Expr::CtDnat, Expr::CtOriginal, flow.clone()]);
        drop.into_iter().chain([one((family, flow))])
    };
    all.flat_map(limited).chain(errors_accept()).collect()
}

/// That an answer was too large for the way of whoever began a connection, or comes to nobody.
fn errors_accept() -> [Rule; 2] {
    [L4::Icmp, L4::Icmp6].map(|l4| {
        let about = [Expr::L4(l4), Expr::CtState(CT_RELATED), Expr::CtDnat, Expr::CtOriginal];
        rule("errors of what is forwarded", about.into_iter().chain([Expr::Counter, Expr::Accept]))
    })
}

/// Where the host would answer another way than by the cell, the connection comes from the cell's address: on its own
/// LAN, from a peer whose tunnel has not everything, in the network of the uplink.
pub(super) fn masquerade(scope: &Scope<'_>) -> Vec<Rule> {
    let by_cell = |exprs: Vec<Expr>| {
        rule("forwarded by the cell's address", exprs.into_iter().chain([Expr::CtDnat, Expr::Masquerade]))
    };
    let mut rules = vec![by_cell(vec![Expr::Oif(Is::In, WIREGUARD_INTERFACE.to_owned())])];
    for lan in scope.lans {
        let out = || Expr::Oif(Is::In, lan.device.clone());
        let v4 = Expr::Source4(Is::In, lan.net4());
        rules.push(by_cell(vec![out(), Expr::Family(Family::V4), v4]));
        for net in lan.nets6() {
            rules.push(by_cell(vec![out(), Expr::Family(Family::V6), Expr::Source6(Is::In, net)]));
        }
    }
    for lan in scope.outside {
        let out = || Expr::Oif(Is::In, lan.device.clone());
        let v4 = Expr::Destination4(Is::In, lan.net4());
        rules.push(by_cell(vec![out(), Expr::Family(Family::V4), v4]));
    }
    rules
}
