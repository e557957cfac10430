//! Through the host, and the addresses that packets leave by.

use super::forwarded;
use super::input::inside;
use super::limits;
use super::{Scope, chain, from_peers, rule, to_peers};
use crate::compile::lan;
use crate::marks::{MARK_ANSWER, MARK_DIRECT, MARK_INSIDE, WIREGUARD_INTERFACE};
use crate::target::nft::{CT_ESTABLISHED, CT_NEW, CT_RELATED, Chain, ChainKind, Expr, Hook, Is, L4, Rule};
use crate::target::rule::Family;

/// Chains in the order in which they are made.
pub(super) fn chains(scope: &Scope<'_>) -> Vec<Chain> {
    vec![fits(scope), leave_inside(scope), forward(scope), postrouting(scope)]
}

/// What begins a connection of TCP, or answers that, is told which size fits.
fn fits(scope: &Scope<'_>) -> Chain {
    let clamp = |device| rule("packets fit the tunnel", [device, Expr::L4(L4::Tcp), Expr::ClampMss]);
    let mut rules = vec![clamp(from_peers()), clamp(to_peers())];
    rules.extend(scope.exits.fits());
    Chain { name: "fits".to_owned(), base: None, rules }
}

/// What was marked for the cell's own networks goes out there and nowhere else.
fn leave_inside(scope: &Scope<'_>) -> Chain {
    // The uplink's own network, where the cell serves it, is one of them.
    let near = scope.uplink().filter(|_| !scope.outside.is_empty());
    let out = scope.inside_devices().chain(near);
    let accept =
        |name: &str| rule("granted", [Expr::Oif(Is::In, name.to_owned()), Expr::Counter, Expr::Accept]);
    Chain { name: "leave_inside".to_owned(), base: None, rules: out.map(accept).collect() }
}

/// From one of the cell's own networks: only what is marked. The mark is compared first, which costs less than a name.
fn from_inside(scope: &Scope<'_>, device: &str, rest: &'static str) -> Vec<Rule> {
    let from = || Expr::Iif(Is::In, device.to_owned());
    let mut rules = Vec::new();
    if let Some(uplink) = scope.uplink() {
        let out = Expr::Oif(Is::In, uplink.to_owned());
        let exprs = [Expr::Mark(Is::In, MARK_DIRECT), from(), out, Expr::Counter, Expr::Accept];
        rules.push(rule("granted: internet", exprs));
    }
    let inside = [Expr::Mark(Is::In, MARK_INSIDE), from(), Expr::Jump("leave_inside".to_owned())];
    rules.push(rule("granted", inside));
    let state = Expr::CtState(CT_ESTABLISHED | CT_RELATED);
    let answers =
        [Expr::Mark(Is::In, MARK_ANSWER), from(), state, Expr::CtReply, Expr::Counter, Expr::Accept];
    rules.push(rule("answers go back", answers));
    rules.push(rule(rest, [from(), Expr::Counter, Expr::Reject]));
    rules
}

/// Through the host. On a host that was a router before, packets that neither come from nor go to peers are not ours
/// to judge; on another one they are not forwarded because of us.
fn forward(scope: &Scope<'_>) -> Chain {
    let mut rules = vec![rule("packets fit", [Expr::TcpBegins, Expr::Jump("fits".to_owned())])];
    rules.extend(limits::forward(scope));
    rules.extend(scope.exits.forward());
    rules.extend(from_inside(scope, WIREGUARD_INTERFACE, "everything else from peers"));
    for lan in scope.lans {
        rules.extend(from_inside(scope, &lan.device, "everything else from LANs"));
    }
    rules.extend(forwarded::accept(scope));
    let answers = Expr::CtState(CT_ESTABLISHED | CT_RELATED);
    rules.push(rule("answers to peers", [to_peers(), answers, Expr::CtReply, Expr::Counter, Expr::Accept]));
    rules.push(rule("nothing begins toward peers", [to_peers(), Expr::Counter, Expr::Drop]));
    rules.extend(lan::firewall::toward(scope.lans));
    rules.extend(scope.exits.closed());
    if !scope.facts.routed_before {
        rules.extend(inside().map(|iif| rule("inside the host", [iif, Expr::Return])));
        rules.push(rule("forwarded on purpose", [Expr::CtDnat, Expr::Return]));
        let begins = [Expr::CtState(CT_NEW), Expr::Counter, Expr::Drop];
        rules.push(rule("the host was no router before", begins));
    }
    chain("forward", ChainKind::Filter, Hook::Forward, 0, rules)
}

fn postrouting(scope: &Scope<'_>) -> Chain {
    let (network, lans) = (scope.network, scope.lans);
    let mut rules = scope.exits.postrouting();
    rules.extend(forwarded::masquerade(scope));
    if let Some(uplink) = scope.uplink() {
        let out = Expr::Oif(Is::In, uplink.to_owned());
        rules.extend(lan::firewall::postrouting(lans, uplink));
        let exprs =
            [out.clone(), Expr::Family(Family::V4), Expr::Source4(Is::In, network.net4), Expr::Masquerade];
        rules.push(rule("peers leave by the cell's address", exprs));
        if let Some(net6) = network.net6.filter(|_| network.translates6()) {
            let exprs = [out, Expr::Family(Family::V6), Expr::Source6(Is::In, net6), Expr::Masquerade];
            rules.push(rule("peers leave by the cell's address", exprs));
        }
    }
    chain("postrouting", ChainKind::Nat, Hook::Postrouting, 100, rules)
}
