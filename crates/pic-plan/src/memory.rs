//! A host in memory: does to plain data what the drivers do to the kernel. For tests of plans and of the engine.
//!
//! It is as strict as the kernel where the kernel is strict, so that a plan which would fail there fails here.

use std::collections::BTreeMap;
use std::sync::Arc;

use pic_model::key::{PresharedSeed, PrivateKey};
use pic_model::snapshot::app::AppSnapshot;

use crate::facts::Facts;
use crate::marks::{UNIT_DNS, app_file, app_of_unit, interface_of_openvpn, interface_of_unit};
use crate::plan::Action;
use crate::target::Observed;
use crate::target::link::{Kind, Link};
use crate::target::queue::{self, ObservedQueue};
use crate::target::resolver::{Hold, ResolverState, Way};
use crate::target::route::{Route, RouteKind};
use crate::target::rule::{Family, Owner, Rule};
use crate::target::unit::UnitState;
use crate::target::wireguard::Device;

/// What is known of such a host: two interfaces and no way to the internet. Tests say what else they need.
pub fn facts() -> Facts {
    let (key, seed) = (PrivateKey::from_random([7; 32]), PresharedSeed::from_random([8; 32]));
    Facts {
        generation: 1,
        interfaces: ["eth0", "eth1"].map(str::to_owned).into(),
        ..Facts::unread(key, seed)
    }
}

/// A host that has nothing of ours: only the kernel's own rules.
pub fn fresh() -> Observed {
    let rule = |family, preference, table| Rule {
        family,
        preference,
        iif: None,
        from: None,
        oif: None,
        fwmark: None,
        no_default: false,
        table,
        owner: Owner::Kernel,
    };
    let rules = [rule(Family::V4, 32766, 254), rule(Family::V4, 32767, 253), rule(Family::V6, 32766, 254)];
    let resolver =
        ResolverState { way: Way::File, hold: Hold::None, recorded: false, guarded: false, answers: false };
    Observed { rules: rules.into(), resolver: Some(resolver), ..Observed::default() }
}

/// Does one action, or says why the kernel would refuse it.
pub fn act(host: &mut Observed, action: &Action) -> Result<(), String> {
    match action {
        Action::LinkCreate { .. }
        | Action::LinkDelete { .. }
        | Action::LinkUp { .. }
        | Action::LinkSet { .. }
        | Action::AddressAdd { .. }
        | Action::AddressRemove { .. } => link(host, action),
        Action::WireguardSet { name, delta } => {
            let device = host.wireguard.get_mut(name).ok_or_else(|| format!("no device {name}"))?;
            device.change(delta);
            Ok(())
        }
        Action::RouteAdd(Route { kind: RouteKind::Device(name), .. })
            if !host.links.get(name).is_some_and(|link| link.up) =>
        {
            Err(format!("{name}: Network is down"))
        }
        Action::RouteAdd(route) => unique(host.routes.insert(route.clone()), "route"),
        // With its interface a route goes by itself.
        Action::RouteRemove(route) if matches!(&route.kind, RouteKind::Device(name) if !host.links.contains_key(name)) => {
            Ok(())
        }
        Action::RouteRemove(route) => present(host.routes.remove(route), "route"),
        Action::RuleAdd(rule) => unique(host.rules.insert(rule.clone()), "rule"),
        Action::RuleRemove(rule) => present(host.rules.remove(rule), "rule"),
        Action::NftReplace(table) => {
            host.nft = Some(Arc::new(table.expected()));
            Ok(())
        }
        Action::NftElements(deltas) => {
            let table = Arc::make_mut(host.nft.as_mut().ok_or("no table")?);
            table.change(deltas).then_some(()).ok_or_else(|| "no such set, or one of another type".to_owned())
        }
        Action::NftDelete => {
            host.nft = None;
            Ok(())
        }
        Action::QueueSet { interface, queue } => {
            if !host.links.contains_key(interface) && !host.host_links.contains_key(interface) {
                return Err(format!("{interface}: No such device"));
            }
            let made = ObservedQueue::Ours { kind: queue::Kind::Htb, rate: Some(queue.rate), fair: None };
            host.queues.insert(interface.clone(), made);
            Ok(())
        }
        Action::QueueRemove { interface } => present(host.queues.remove(interface).is_some(), "queue"),
        Action::SysctlSet { key, value } => {
            let old = host.sysctls.insert(key.clone(), value.clone()).unwrap_or_else(|| "0".into());
            host.sysctl_originals.entry(key.clone()).or_insert(old);
            Ok(())
        }
        Action::SysctlRestore { key, value } => {
            host.sysctls.insert(key.clone(), value.clone());
            present(host.sysctl_originals.remove(key).is_some(), "original")
        }
        Action::FileWrite { path, file } => {
            host.files.insert(path.clone(), file.clone());
            Ok(())
        }
        Action::FileRemove { path } => present(host.files.remove(path).is_some(), "file"),
        Action::UnitStart { name } => unit(host, name, true),
        Action::UnitStop { name } => unit(host, name, false),
        Action::ResolverTake { server } => {
            let state = host.resolver.as_mut().filter(|state| state.answers).ok_or("the cell is silent")?;
            (state.hold, state.recorded, state.guarded) = (Hold::Ours(*server), true, true);
            Ok(())
        }
        Action::ResolverRelease => {
            let state = host.resolver.as_mut().ok_or("no resolver")?;
            (state.hold, state.recorded, state.guarded) = (Hold::None, false, false);
            Ok(())
        }
    }
}

fn unique(is_new: bool, what: &str) -> Result<(), String> {
    if is_new { Ok(()) } else { Err(format!("{what}: File exists")) }
}

fn present(was_there: bool, what: &str) -> Result<(), String> {
    if was_there { Ok(()) } else { Err(format!("{what}: No such thing")) }
}

fn link(host: &mut Observed, action: &Action) -> Result<(), String> {
    let missing = |name: &str| format!("{name}: No such device");
    match action {
        Action::LinkCreate { name, kind, mtu, parent } => {
            unique(!host.links.contains_key(name), name)?;
            if let Some(parent) = parent {
                host.host_links.get(parent).filter(|parent| parent.up).ok_or_else(|| missing(parent))?;
            }
            make_device(host, name, *kind, *mtu, parent.clone());
        }
        Action::LinkUp { name } => {
            host.host_links.get_mut(name).ok_or_else(|| missing(name))?.up = true;
        }
        Action::LinkDelete { name } => {
            host.links.remove(name).ok_or_else(|| missing(name))?;
            host.wireguard.remove(name);
            host.queues.remove(name);
            host.routes.retain(|route| !matches!(&route.kind, RouteKind::Device(device) if device == name));
        }
        Action::LinkSet { name, mtu, up } => {
            let link = host.links.get_mut(name).ok_or_else(|| missing(name))?;
            (link.mtu, link.up) = (*mtu, *up);
        }
        Action::AddressAdd { link, address } if !host.links.contains_key(link) => {
            let found = host.host_links.get_mut(link).ok_or_else(|| missing(link))?;
            unique(!found.others.contains(address) && found.ours.insert(*address), link)?;
        }
        Action::AddressRemove { link, address } if !host.links.contains_key(link) => {
            let found = host.host_links.get_mut(link).ok_or_else(|| missing(link))?;
            present(found.ours.remove(address), link)?;
        }
        Action::AddressAdd { link, address } => {
            let found = host.links.get_mut(link).ok_or_else(|| missing(link))?;
            unique(found.addresses.insert(*address), link)?;
        }
        Action::AddressRemove { link, address } => {
            let found = host.links.get_mut(link).ok_or_else(|| missing(link))?;
            present(found.addresses.remove(address), link)?;
        }
        _ => return Err("not about links".to_owned()),
    }
    Ok(())
}

fn make_device(host: &mut Observed, name: &str, kind: Kind, mtu: u32, parent: Option<String>) {
    let is_vlan = parent.is_some();
    let link = Link { kind, mtu, up: false, addresses: Default::default(), parent };
    host.links.insert(name.to_owned(), link);
    if is_vlan {
        return;
    }
    let device = Device { private_key: None, listen_port: 0, fwmark: 0, peers: BTreeMap::new() };
    host.wireguard.insert(name.to_owned(), device);
}

/// The interface that the unit of an app makes, as its file says.
fn outer(host: &Observed, unit: &str) -> Option<String> {
    let file = host.files.get(&app_file(app_of_unit(unit)?))?;
    let snapshot: AppSnapshot = serde_json::from_slice(&file.content).ok()?;
    Some(snapshot.outer)
}

/// The unit of userspace WireGuard makes and takes its interface.
fn unit(host: &mut Observed, name: &str, active: bool) -> Result<(), String> {
    let words = if active { "active" } else { "inactive" };
    host.units.insert(name.to_owned(), UnitState { active, words: words.to_owned() });
    if let Some(state) = host.resolver.as_mut().filter(|_| name == UNIT_DNS) {
        state.answers = active;
    }
    // Its own is there from its first start on, and stays.
    if let Some(interface) =
        interface_of_openvpn(name).filter(|name| active && !host.links.contains_key(*name))
    {
        let link =
            Link { kind: Kind::Tun, mtu: 1500, up: false, addresses: Default::default(), parent: None };
        host.links.insert(interface.to_owned(), link);
    }
    // The kernel frees a namespace, and what is in it, some time after its last program has ended.
    if let Some(interface) = outer(host, name).filter(|name| active && !host.links.contains_key(name)) {
        let link =
            Link { kind: Kind::Veth, mtu: 1500, up: false, addresses: Default::default(), parent: None };
        host.links.insert(interface, link);
    }
    if let Some(interface) = interface_of_unit(name) {
        host.links.remove(interface);
        host.wireguard.remove(interface);
        host.queues.remove(interface);
        host.routes.retain(|route| !matches!(&route.kind, RouteKind::Device(name) if name == interface));
        if active {
            make_device(host, interface, Kind::Tun, 1500, None);
        }
    }
    Ok(())
}
