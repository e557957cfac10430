//! What comes in by the uplink on its way to the cell's own networks, told from what is blocked.
//!
//! Where the kernel checks the way back of each packet (RFC 3704; `rp_filter`, which many hosts have on), it looks it up as if
//! the receiver had sent it: in by its network, where what has no mark of ours ends in the table of the blocked. So
//! `src_valid_mark` makes the check look at the mark, which what comes from the cell's own networks has if it was granted, and
//! answers and what a forward leads on get the mark of an answer here. The kernel checks IPv4 alone.

use pic_model::Desired;

use super::{Scope, chain, rule};
use crate::compile::ResolvedLan;
use crate::facts::Facts;
use crate::marks::{MARK_ANSWER, WIREGUARD_INTERFACE};
use crate::target::Targets;
use crate::target::nft::{CT_ESTABLISHED, CT_RELATED, Chain, ChainKind, Expr, Hook, Is};
use crate::target::rule::Family;
use crate::target::sysctl;

/// Behind all translation of destinations, so that the receiver is known.
pub(super) fn back(scope: &Scope<'_>) -> Option<Chain> {
    let uplink = scope.uplink()?;
    let to_inside = || {
        let inside = Expr::DestinationIn(Is::In, "inside4".to_owned());
        [Expr::Iif(Is::In, uplink.to_owned()), Expr::Family(Family::V4), inside]
    };
    // In front of all else, as they cost least and most packets end there.
    let answers = [Expr::CtReply, Expr::CtState(CT_ESTABLISHED | CT_RELATED)];
    let forwarded = [Expr::CtDnat, Expr::CtOriginal];
    let marked = |exprs: [Expr; 2]| exprs.into_iter().chain(to_inside()).chain([Expr::SetMark(MARK_ANSWER)]);
    let rules = [answers, forwarded].map(|exprs| rule("its way back is the uplink", marked(exprs)));
    Some(chain("back", ChainKind::Filter, Hook::Prerouting, -90, rules.into()))
}

/// Lets the check see the mark, on each interface between which packets are marked.
pub(in crate::compile) fn sysctls(
    desired: &Desired,
    facts: &Facts,
    lans: &[ResolvedLan<'_>],
    targets: &mut Targets,
) {
    let inside = std::iter::once(WIREGUARD_INTERFACE).chain(lans.iter().map(|lan| lan.device.as_str()));
    let ways = inside.chain(super::uplink(desired, facts));
    for interface in ways.filter(|name| facts.interfaces.contains(*name)) {
        let key = sysctl::Key::new(&["net", "ipv4", "conf", interface, "src_valid_mark"]);
        targets.sysctls.insert(key, "1".to_owned());
    }
}
