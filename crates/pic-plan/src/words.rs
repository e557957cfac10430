//! What a step does, in words without secrets.

use crate::plan::Action;
use crate::target::route::{Route, RouteKind};
use crate::target::rule::{Family, Rule};
use crate::target::wireguard::Delta;

/// One line for a person.
pub fn of(action: &Action) -> String {
    match action {
        Action::LinkCreate { name, kind: crate::target::link::Kind::Vlan(id), parent, .. } => {
            format!("create interface {name}, VLAN {id} on {}", parent.as_deref().unwrap_or_default())
        }
        Action::LinkUp { name } => format!("bring interface {name} up"),
        Action::LinkCreate { name, mtu, .. } => {
            format!("create WireGuard interface {name}, {mtu} bytes per packet")
        }
        Action::LinkDelete { name } => format!("delete interface {name}"),
        Action::LinkSet { name, mtu, up } => {
            format!("bring interface {name} {}, {mtu} bytes per packet", if *up { "up" } else { "down" })
        }
        Action::AddressAdd { link, address } => format!("add address {address} to {link}"),
        Action::AddressRemove { link, address } => format!("remove address {address} from {link}"),
        Action::WireguardSet { name, delta } => wireguard(name, delta),
        Action::RouteAdd(r) => format!("add {}", route(r)),
        Action::RouteRemove(r) => format!("remove {}", route(r)),
        Action::RuleAdd(r) => format!("add {}", rule(r)),
        Action::RuleRemove(r) => format!("remove {}", rule(r)),
        Action::NftReplace(table) => format!(
            "load firewall table inet pic: {} chains, {} rules, {} set elements",
            table.chains.len(),
            table.chains.iter().map(|chain| chain.rules.len()).sum::<usize>(),
            table.sets.values().map(crate::target::nft::Elements::len).sum::<usize>(),
        ),
        Action::NftElements(deltas) => {
            let part =
                |d: &crate::target::nft::SetDelta| format!("{} +{} -{}", d.set, d.add.len(), d.remove.len());
            format!("change firewall sets: {}", deltas.iter().map(part).collect::<Vec<_>>().join(", "))
        }
        Action::NftDelete => "remove firewall table inet pic".to_owned(),
        Action::QueueSet { interface, queue } => {
            format!("hold what {interface} sends to {}, shared fairly", queue.rate)
        }
        Action::QueueRemove { interface } => format!("remove the queue of {interface}"),
        Action::SysctlSet { key, value } => format!("set {key} = {value}"),
        Action::SysctlRestore { key, value } => format!("put {key} back to {value}"),
        Action::FileWrite { path, file } => format!("write {path}, {} bytes", file.content.len()),
        Action::FileRemove { path } => format!("remove {path}"),
        Action::UnitStart { name } => format!("start {name}"),
        Action::UnitStop { name } => format!("stop {name}"),
        Action::ResolverTake { server } => {
            format!("have this host ask {server} for names, its own resolvers second")
        }
        Action::ResolverRelease => "have this host ask its own resolvers for names".to_owned(),
    }
}

fn wireguard(name: &str, delta: &Delta) -> String {
    let mut parts = Vec::new();
    if delta.private_key.is_some() {
        parts.push("set its key".to_owned());
    }
    if let Some(port) = delta.listen_port {
        parts.push(format!("listen on udp/{port}"));
    }
    if let Some(mark) = delta.fwmark {
        parts.push(format!("mark its packets {mark:#x}"));
    }
    for (count, verb) in [(delta.set.len(), "set"), (delta.remove.len(), "remove")] {
        match count {
            0 => {}
            1 => parts.push(format!("{verb} 1 peer")),
            _ => parts.push(format!("{verb} {count} peers")),
        }
    }
    format!("on {name}: {}", parts.join(", "))
}

fn route(route: &Route) -> String {
    match &route.kind {
        RouteKind::Unreachable => format!("unreachable route {} in table {}", route.destination, route.table),
        RouteKind::Device(name) => format!("route {} by {name} in table {}", route.destination, route.table),
        RouteKind::Gateway { device, via } => {
            format!("route {} via {via} on {device} in table {}", route.destination, route.table)
        }
    }
}

fn rule(rule: &Rule) -> String {
    let family = match rule.family {
        Family::V4 => "v4",
        Family::V6 => "v6",
    };
    let iif = rule.iif.as_ref().map(|name| format!(" from {name}")).unwrap_or_default();
    let source = rule.from.map(|address| format!(" of {address}")).unwrap_or_default();
    let oif = rule.oif.as_ref().map(|name| format!(" bound to {name}")).unwrap_or_default();
    let mark =
        rule.fwmark.map(|(value, mask)| format!(" with mark {value:#x}/{mask:#x}")).unwrap_or_default();
    let but = if rule.no_default { ", but for its default route" } else { "" };
    format!("{family} rule {}:{iif}{source}{oif}{mark} to table {}{but}", rule.preference, rule.table)
}
