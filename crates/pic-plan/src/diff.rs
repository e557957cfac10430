//! From targets and what is to the steps between them, in the order that opens nothing on the way.

use std::collections::{BTreeMap, BTreeSet};

use pic_model::key::PublicKey;

use crate::marks::{
    FILE_DHCP, FILE_RESOLVER, FILE_TIME, OPENVPN, UNIT_DNS, app_of_unit, interface_of_openvpn,
    interface_of_unit, is_app, is_app_file, is_exit, unit_of_file, wireguard_unit,
};
use crate::plan::{Action, Step, Wave};
use crate::queue;
use crate::resolver::step;
use crate::target::file::File;
use crate::target::link::{Kind, Link};
use crate::target::route::{Route, RouteKind};
use crate::target::rule::Owner;
use crate::target::sysctl::Key;
use crate::target::wireguard::{Delta, Device, Peer};
use crate::target::{Observed, Targets, nft};

/// Steps that bring `observed` to `targets`. Empty when nothing differs. Order: by wave, then as listed here.
pub fn diff(targets: &Targets, observed: &Observed) -> Vec<Step> {
    let mut steps = Steps::default();
    sysctls(targets, observed, &mut steps);
    rules(targets, observed, &mut steps);
    routes(targets, observed, &mut steps);
    firewall(targets, observed, &mut steps);
    steps.0.extend(queue::steps(targets, observed));
    files(targets, observed, &mut steps);
    resolver(targets, observed, &mut steps);
    units(targets, observed, &mut steps);
    host_links(targets, observed, &mut steps);
    links(targets, observed, &mut steps);
    devices(targets, observed, &mut steps);
    // Stable: within a wave the order above stays.
    steps.0.sort_by_key(|step| step.wave);
    steps.0
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn add(&mut self, wave: Wave, action: Action, why: impl Into<String>) {
        self.0.push(Step { wave, action, why: why.into() });
    }
}

fn sysctls(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    for (key, value) in &targets.sysctls {
        if observed.sysctls.get(key) != Some(value) {
            let wave = if comes_first(key) { Wave::Guard } else { Wave::Open };
            steps.add(wave, Action::SysctlSet { key: key.clone(), value: value.clone() }, "the cell routes");
        }
    }
    for (key, original) in
        observed.sysctl_originals.iter().filter(|(key, _)| !targets.sysctls.contains_key(key))
    {
        let wave = if comes_first(key) { Wave::Unguard } else { Wave::Close };
        let action = Action::SysctlRestore { key: key.clone(), value: original.clone() };
        steps.add(wave, action, "no longer needed");
    }
}

/// The host's own default route must survive forwarding, so its setting comes long before; and what the tunnel's
/// interface changes by itself is kept before there is one.
fn comes_first(key: &Key) -> bool {
    key.0.last().is_some_and(|part| part == "accept_ra" || part == "send_redirects")
}

fn rules(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    for rule in targets.rules.difference(&observed.rules) {
        let why = match rule.owner {
            Owner::Cell => "peers go nowhere unmarked",
            Owner::Kernel => "without it the host routes nothing",
        };
        steps.add(Wave::Guard, Action::RuleAdd(rule.clone()), why);
    }
    let stale = observed.rules.difference(&targets.rules).filter(|rule| rule.owner == Owner::Cell);
    for rule in stale {
        steps.add(Wave::Unguard, Action::RuleRemove(rule.clone()), "no longer wanted");
    }
}

fn routes(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    let blocks = |route: &Route| route.kind == RouteKind::Unreachable;
    // With an interface that is made anew its routes go.
    let is_remade = |route: &Route| match &route.kind {
        RouteKind::Device(name) => is_remade(name, targets, observed),
        RouteKind::Unreachable | RouteKind::Gateway { .. } => false,
    };
    let is_missing = |route: &&Route| !observed.routes.contains(*route) || is_remade(route);
    for route in targets.routes.iter().filter(is_missing) {
        let is_exits = matches!(&route.kind, RouteKind::Device(name) if is_exit(name));
        let (wave, why) = if blocks(route) {
            (Wave::Guard, "nothing leaves in clear while the tunnel is away")
        } else if is_exits {
            (Wave::Exits, "exit")
        } else {
            (Wave::Routes, "routed network")
        };
        steps.add(wave, Action::RouteAdd(route.clone()), why);
    }
    for route in observed.routes.difference(&targets.routes) {
        let wave = if blocks(route) { Wave::Unguard } else { Wave::Remove };
        steps.add(wave, Action::RouteRemove(route.clone()), "no longer wanted");
    }
}

fn firewall(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    match (&targets.nft, &observed.nft) {
        (None, None) => {}
        (None, Some(_)) => steps.add(Wave::Unfirewall, Action::NftDelete, "no cell"),
        (Some(table), observed) => {
            let change = observed.as_ref().and_then(|present| element_deltas(table, present));
            match change {
                Some(deltas) if deltas.is_empty() => {}
                Some(deltas) => {
                    steps.add(Wave::Firewall, Action::NftElements(deltas), "peers and their grants")
                }
                None => steps.add(Wave::Firewall, Action::NftReplace(table.clone()), "firewall"),
            }
        }
    }
}

/// The element changes that are enough, or `None` when chains or sets differ, or a set has become too small, and the
/// table must be replaced.
fn element_deltas(table: &nft::Table, present: &nft::ObservedTable) -> Option<Vec<nft::SetDelta>> {
    if !table.same_chains(present) || !table.sets.keys().eq(present.sets.keys()) {
        return None;
    }
    let mut deltas = Vec::new();
    for (name, wanted) in &table.sets {
        let room = present.rooms.get(name).and_then(|room| usize::try_from(*room).ok());
        if room.is_some_and(|room| room < wanted.len()) {
            return None;
        }
        let present = present.sets.get(name)?.as_ref()?;
        // Most sets have not changed, and whether they are equal is told faster than what they differ in.
        if wanted == present {
            continue;
        }
        let (add, remove) = wanted.delta(present)?;
        if !add.is_empty() || !remove.is_empty() {
            deltas.push(nft::SetDelta { set: name.clone(), add, remove });
        }
    }
    Some(deltas)
}

/// Before units: who asks the cell is sent back before the cell goes. Behind files: without its file it is for good.
fn resolver(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    let Some(state) = &observed.resolver else { return };
    let runs = observed.units.get(UNIT_DNS).is_some_and(|unit| unit.active);
    let starting = targets.units.contains_key(UNIT_DNS) && !runs;
    if let Some((action, why)) = step(targets.resolver.as_ref(), state, starting) {
        let wave = if action == Action::ResolverRelease { Wave::Remove } else { Wave::Names };
        steps.add(wave, action, why);
    }
}

fn files(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    for (path, file) in &targets.files {
        if observed.files.get(path) != Some(file) {
            let action = Action::FileWrite { path: path.clone(), file: file.clone() };
            let why = match path.as_str() {
                FILE_DHCP => "lan",
                FILE_TIME => "time",
                path if is_app_file(path) => "app",
                path if unit_of_file(path).is_some() => "exit",
                FILE_RESOLVER => "dns.host",
                _ => "names of the cell and its peers",
            };
            steps.add(Wave::Files, action, why);
        }
    }
    for path in observed.files.keys().filter(|path| !targets.files.contains_key(*path)) {
        steps.add(Wave::Remove, Action::FileRemove { path: path.clone() }, "no longer wanted");
    }
}

fn units(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    let is_active = |name: &str| observed.units.get(name).is_some_and(|unit| unit.active);
    // Where that of an app cannot start, everything else has.
    let (apps, others): (Vec<_>, Vec<_>) = targets.units.keys().partition(|name| app_of_unit(name).is_some());
    for name in others.into_iter().chain(apps).filter(|name| !is_active(name)) {
        // The unit that makes the tunnel's interface comes before whatever is done to that interface.
        let makes_one = interface_of_unit(name).or_else(|| interface_of_openvpn(name)).is_some();
        let wave = if makes_one { Wave::Links } else { Wave::Services };
        steps.add(wave, Action::UnitStart { name: name.clone() }, "the cell needs it");
    }
    for name in observed.units.iter().filter(|(_, unit)| unit.active).map(|(name, _)| name) {
        if !targets.units.contains_key(name) {
            steps.add(Wave::Remove, Action::UnitStop { name: name.clone() }, "no longer wanted");
        }
    }
}

fn links(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    for (name, wanted) in &targets.links {
        let present = observed.links.get(name);
        let stays = |present: &&Link| stays(name, present, wanted, targets, observed);
        if let Some(present) = present.filter(|present| !stays(present)) {
            delete_link(name, present, observed, steps);
        }
        let present = present.filter(stays);
        // The unit of an app is started behind all others, and lays a cable anew by itself; with it comes word.
        if present.is_none() && wanted.kind == Kind::Veth {
            continue;
        }
        let unit = Some(OPENVPN.unit(name)).filter(|unit| targets.units.contains_key(unit));
        let unit = unit.unwrap_or_else(|| wireguard_unit(name));
        remake(wanted, present, unit, observed, steps);
        link(name, wanted, present, steps);
    }
    // The unit of an app that moves would lay the old cable again until it knows: what it works from goes first.
    let moves = |(path, file): (&String, &File)| is_app_file(path) && observed.files.get(path) != Some(file);
    let any_moves = targets.files.iter().any(moves);
    let stays = |link: &Link| link.kind == Kind::Veth && any_moves;
    let unwanted = observed.links.iter().filter(|(name, _)| !targets.links.contains_key(*name));
    for (name, present) in unwanted.filter(|(_, link)| !stays(link)) {
        delete_link(name, present, observed, steps);
    }
}

/// Whether an interface is there, and is deleted and made anew on the way to the targets.
pub(crate) fn is_remade(name: &str, targets: &Targets, observed: &Observed) -> bool {
    let both = targets.links.get(name).zip(observed.links.get(name));
    both.is_some_and(|(wanted, present)| !stays(name, present, wanted, targets, observed))
}

/// Whether an interface is what it should be, and made by whom it should be.
fn stays(name: &str, present: &Link, wanted: &Link, targets: &Targets, observed: &Observed) -> bool {
    let is_active = |unit: &String| observed.units.get(unit).is_some_and(|unit| unit.active);
    let is_anothers = [wireguard_unit(name), OPENVPN.unit(name)]
        .iter()
        .any(|unit| is_active(unit) && !targets.units.contains_key(unit));
    let is_same = present.kind == wanted.kind && present.parent == wanted.parent;
    is_same && (present.kind != Kind::Tun || !is_anothers)
}

/// Our addresses on the host's own interfaces. What others put there stays, also when it is what we want.
fn host_links(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    let none = BTreeSet::new();
    for (name, wanted) in &targets.host_links {
        let present = observed.host_links.get(name).cloned().unwrap_or_default();
        if !present.up {
            steps.add(Wave::Links, Action::LinkUp { name: name.clone() }, "lan.interface");
        }
        for address in wanted.iter().filter(|a| !present.ours.contains(a) && !present.others.contains(a)) {
            let action = Action::AddressAdd { link: name.clone(), address: *address };
            steps.add(Wave::Links, action, "lan.ipv4, lan.ipv6");
        }
    }
    for (name, present) in &observed.host_links {
        for address in present.ours.difference(targets.host_links.get(name).unwrap_or(&none)) {
            let action = Action::AddressRemove { link: name.clone(), address: *address };
            steps.add(Wave::Remove, action, "no longer wanted");
        }
    }
}

/// A userspace WireGuard device goes with its unit; deleting it here would only race with that. That of an exit by OpenVPN
/// outlives every program beneath it, so that nothing of it is open meanwhile: its unit is stopped by now.
fn delete_link(name: &str, present: &Link, observed: &Observed, steps: &mut Steps) {
    let goes_by_itself = observed.units.get(&wireguard_unit(name)).is_some_and(|unit| unit.active);
    if present.kind != Kind::Tun || !goes_by_itself {
        steps.add(Wave::Remove, Action::LinkDelete { name: name.to_owned() }, "no longer wanted");
    }
}

/// The interface of a userspace device is gone while its process still runs: only a new process makes a new one.
fn remake(wanted: &Link, present: Option<&Link>, unit: String, observed: &Observed, steps: &mut Steps) {
    let unit_runs = observed.units.get(&unit).is_some_and(|unit| unit.active);
    if present.is_none() && wanted.kind == Kind::Tun && unit_runs {
        steps.add(Wave::Remove, Action::UnitStop { name: unit.clone() }, "its interface is gone");
        steps.add(Wave::Links, Action::UnitStart { name: unit }, "its interface is gone");
    }
}

fn link(name: &str, wanted: &Link, present: Option<&Link>, steps: &mut Steps) {
    let none = BTreeSet::new();
    if present.is_none() && matches!(wanted.kind, Kind::Wireguard | Kind::Vlan(_)) {
        let (name, parent) = (name.to_owned(), wanted.parent.clone());
        let action = Action::LinkCreate { name, kind: wanted.kind, mtu: wanted.mtu, parent };
        steps.add(Wave::Links, action, if wanted.parent.is_some() { "lan.vlan" } else { "wireguard" });
    }
    let is_lan = wanted.parent.is_some();
    let addresses_why = match () {
        () if is_lan => "lan.ipv4, lan.ipv6",
        () if is_app(name) => "app",
        () if is_exit(name) => "exit",
        () => "wireguard.ipv4, wireguard.ipv6",
    };
    let addresses = present.map_or(&none, |link| &link.addresses);
    for address in addresses.difference(&wanted.addresses) {
        let action = Action::AddressRemove { link: name.to_owned(), address: *address };
        steps.add(Wave::Remove, action, addresses_why);
    }
    for address in wanted.addresses.difference(addresses) {
        let action = Action::AddressAdd { link: name.to_owned(), address: *address };
        steps.add(Wave::Links, action, addresses_why);
    }
    if present.is_none_or(|link| link.mtu != wanted.mtu || link.up != wanted.up) {
        let action = Action::LinkSet { name: name.to_owned(), mtu: wanted.mtu, up: wanted.up };
        // Up only when peers and key are in: nothing half-made carries a packet.
        let why = match () {
            () if is_lan => "lan.vlan",
            () if is_app(name) => "app",
            () if is_exit(name) => "exit",
            () => "wireguard.mtu",
        };
        steps.add(Wave::Routes, action, why);
    }
}

fn devices(targets: &Targets, observed: &Observed, steps: &mut Steps) {
    for (name, wanted) in &targets.wireguard {
        // A device that is deleted or made anew begins empty.
        let kept = observed.links.get(name).map(|l| l.kind) == targets.links.get(name).map(|l| l.kind);
        let delta = device_delta(wanted, observed.wireguard.get(name).filter(|_| kept));
        if !delta.is_empty() {
            let why = format!("{} peers set, {} removed", delta.set.len(), delta.remove.len());
            steps.add(Wave::Tunnels, Action::WireguardSet { name: name.clone(), delta }, why);
        }
    }
}

fn device_delta(wanted: &Device, present: Option<&Device>) -> Delta {
    let empty = BTreeMap::new();
    let peers = present.map_or(&empty, |device| &device.peers);
    let (set, remove) = peers_delta(&wanted.peers, peers);
    Delta {
        private_key: wanted
            .private_key
            .clone()
            .filter(|key| present.and_then(|p| p.private_key.as_ref()) != Some(key)),
        listen_port: Some(wanted.listen_port)
            .filter(|port| *port > 0 && present.map(|p| p.listen_port) != Some(*port)),
        fwmark: Some(wanted.fwmark).filter(|mark| present.map_or(0, |p| p.fwmark) != *mark),
        set,
        remove,
    }
}

/// Peers to set and peers to remove. Both sides are walked side by side, which for ten thousand is a fraction of looking each up.
fn peers_delta(
    wanted: &BTreeMap<PublicKey, Peer>,
    present: &BTreeMap<PublicKey, Peer>,
) -> (BTreeMap<PublicKey, Peer>, BTreeSet<PublicKey>) {
    let (mut set, mut remove) = (BTreeMap::new(), BTreeSet::new());
    let mut present = present.iter().peekable();
    for (key, peer) in wanted {
        while let Some((gone, _)) = present.next_if(|(other, _)| *other < key) {
            remove.insert(*gone);
        }
        let same = present.next_if(|(other, _)| *other == key);
        if same.is_none_or(|(_, present)| !peer.is_met_by(present)) {
            set.insert(*key, peer.clone());
        }
    }
    remove.extend(present.map(|(gone, _)| *gone));
    (set, remove)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_is_too_small_is_made_anew() {
        let peers = |last| nft::Elements::V4((0..=last).map(std::net::Ipv4Addr::from_bits).collect());
        let table =
            |last| nft::Table { sets: [("peers".to_owned(), peers(last))].into(), chains: Vec::new() };
        let mut present = table(9).expected();
        assert_eq!(element_deltas(&table(10), &present).map(|deltas| deltas.len()), Some(1));
        present.rooms.insert("peers".to_owned(), 10);
        assert_eq!(element_deltas(&table(9), &present), Some(Vec::new()));
        assert_eq!(element_deltas(&table(10), &present), None);
        assert!(table(20_000).expected().rooms["peers"] > 20_000);
    }
}
