//! By which exit somebody goes out at this moment.

use pic_model::Desired;
use pic_model::desired::Peer;
use pic_model::exit::WayOut;
use pic_model::lan::Lan;
use pic_model::name::ExitName;

use crate::facts::Facts;

/// Whether an exit is switched on and not known to be dead.
pub fn is_up(desired: &Desired, facts: &Facts, name: &ExitName) -> bool {
    desired.exits.get(name).is_some_and(|exit| exit.enabled) && !facts.exits.down.contains(name)
}

/// The first way that works; `None` is the uplink. Where none does, it is the first exit, which then stops everything,
/// unless the last of them was said to fail open.
pub fn choose<'d>(desired: &'d Desired, facts: &Facts, ways: &'d [WayOut]) -> Option<&'d ExitName> {
    for way in ways {
        match way {
            WayOut::Direct => return None,
            WayOut::Exit(name) if is_up(desired, facts, name) => return Some(name),
            WayOut::Exit(_) => {}
        }
    }
    let fails_open = |name| desired.exits.get(name).is_some_and(|exit| exit.fails_open);
    match (ways.first(), ways.last()) {
        (_, Some(WayOut::Exit(last))) if fails_open(last) => None,
        (Some(WayOut::Exit(first)), _) => Some(first),
        _ => None,
    }
}

/// The ways out of a peer: its own, else those of a group that it is in.
pub fn of_peer<'d>(desired: &'d Desired, peer: &'d Peer) -> &'d [WayOut] {
    let group = || peer.groups.iter().find_map(|group| desired.group_exits.get(group));
    peer.exit.as_ref().or_else(group).map_or(&[], Vec::as_slice)
}

/// The ways out of a LAN.
pub fn of_lan(lan: &Lan) -> &[WayOut] {
    &lan.exit
}
