//! Queues where the line is the bottleneck, and in the firewall's table the share that a packet has of it.
//!
//! Where the kernel has no CAKE, a class is chosen by a hash of the address that the line is shared by: before translation, thus in
//! the hooks of forwarding, and behind everything that refuses. The host's own packets are shared by where they go: those of
//! tunnels by their devices.

use std::collections::BTreeMap;

use pic_model::Desired;

use super::ResolvedLan;
use super::firewall::{FAMILIES, chain, rule, uplink};
use crate::facts::Facts;
use crate::marks::WIREGUARD_INTERFACE;
use crate::target::nft::{Chain, ChainKind, Expr, Hook, Is, Rule};
use crate::target::queue::{Fair, Queue};
use crate::target::rule::Family;

/// Behind what counts.
const PRIORITY: i32 = 20;
const WHY: &str = "a fair share";

pub(super) fn queues(desired: &Desired, facts: &Facts, lans: &[ResolvedLan<'_>]) -> BTreeMap<String, Queue> {
    let devices = std::iter::once(WIREGUARD_INTERFACE).chain(lans.iter().map(|lan| lan.device.as_str()));
    let down = desired.uplink.download.map(|rate| Queue { rate, fair: Fair::Receivers });
    let down = down.into_iter().flat_map(|queue| devices.clone().map(move |name| (name, queue)));
    let up = desired.uplink.upload.map(|rate| Queue { rate, fair: Fair::Senders });
    down.chain(uplink(desired, facts).zip(up)).map(|(name, queue)| (name.to_owned(), queue)).collect()
}

pub(super) fn chains(queues: &BTreeMap<String, Queue>) -> Vec<Chain> {
    if queues.is_empty() {
        return Vec::new();
    }
    let led = |by: fn(&Queue) -> Fair| -> Vec<Rule> {
        let to = |fair| Expr::Goto(shares(fair).to_owned());
        let one = |(name, queue): (&String, &Queue)| [Expr::Oif(Is::In, name.clone()), to(by(queue))];
        queues.iter().map(|queue| rule(WHY, one(queue))).collect()
    };
    let share = |fair, by: fn(Family) -> Expr| {
        let rules = FAMILIES.map(|family| rule(WHY, [Expr::Family(family), by(family)]));
        Chain { name: shares(fair).to_owned(), base: None, rules: rules.into() }
    };
    vec![
        share(Fair::Senders, Expr::ShareOfSource),
        share(Fair::Receivers, Expr::ShareOfDestination),
        chain("share", ChainKind::Filter, Hook::Forward, PRIORITY, led(|queue| queue.fair)),
        chain("share_own", ChainKind::Filter, Hook::Output, PRIORITY, led(|_| Fair::Receivers)),
    ]
}

fn shares(fair: Fair) -> &'static str {
    match fair {
        Fair::Senders => "share_of_senders",
        Fair::Receivers => "share_of_receivers",
    }
}
