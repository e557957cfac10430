//! What must hold between tables.

use std::collections::BTreeMap;

use super::dns;
use super::exit;
use super::group;
use super::place::Places;
use super::sections::Marks;
use crate::address;
use crate::desired::{Desired, Ipv6Choice};
use crate::problem::{Problem, ProblemCode};

/// Checks across tables; only called on files whose single values are right.
pub(super) fn across(desired: &Desired, marks: &Marks, place: &Places<'_>, problems: &mut Vec<Problem>) {
    exit::check(&marks.exits, &marks.groups, desired, place, problems);
    group::check(&marks.groups, desired, place, problems);
    dns::check(desired, &marks.dns, place, problems);
    let mut twins = BTreeMap::new();
    for (name, path, span) in &marks.peers {
        let Some(peer) = desired.peers.get(name) else { continue };
        exit::peer(name, path, span, desired, place, problems);
        group::peer(name, path, span, desired, place, problems);
        let mut refuse = |code, message: String, hint: &str| {
            problems.push(place.problem(span, format!("{path}.address6"), code, message, hint));
        };
        match (peer.address6, desired.wireguard.ipv6) {
            (Some(_), Ipv6Choice::Off) => {
                let message = format!("peer {name} has a v6 address but wireguard.ipv6 is \"off\"");
                refuse(ProblemCode::OutsideNetwork, message, "remove one of the two");
            }
            (Some(_), Ipv6Choice::Auto) => {
                let message = format!("peer {name} has a v6 address but wireguard.ipv6 is \"auto\"");
                refuse(
                    ProblemCode::OutsideNetwork,
                    message,
                    "write the /64 into wireguard.ipv6, or leave address6 out",
                );
            }
            (address6, Ipv6Choice::Net(net)) => {
                let address6 =
                    address6.unwrap_or_else(|| address::twin_v6(desired.wireguard.ipv4, peer.address, net));
                if !net.contains(&address6) || address6 == address::cell_v6(net) || address6 == net.network()
                {
                    let message = format!("{address6} cannot be given to a peer of {net}");
                    refuse(
                        ProblemCode::OutsideNetwork,
                        message,
                        "choose a host of wireguard.ipv6 other than ::1",
                    );
                }
                if let Some(other) = twins.insert(address6, name) {
                    let message = format!("peers {name} and {other} have the same v6 address {address6}");
                    refuse(ProblemCode::Duplicate, message, "give one of them another address6");
                }
            }
            (None, _) => {}
        }
    }
}
