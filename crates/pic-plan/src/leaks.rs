//! Whether whoever is sent by an exit could leave another way: the compiled state walked with their packets, as it is and
//! with parts of it taken away. What the kernel does is asked of the kernel; here is what to ask.

use std::net::IpAddr;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::desired::{Port, Protocol};
use pic_model::exit::WayOut;
use pic_model::name::ExitName;
use pic_model::reach::{Host, Service, Target};
use pic_model::snapshot::dns::DnsSnapshot;

use crate::compile::exit::{choose, of_lan, of_peer};
use crate::compile::is_active;
use crate::facts::Facts;
use crate::marks::FILE_DNS;
use crate::reach::{Ends, Packet, walk};
use crate::target::Targets;
use crate::target::route::RouteKind;

/// What is sent: a web page, a question for a name past the cell, a ping.
const SERVICES: [Service; 3] = [
    Service::Port(Port { protocol: Protocol::Tcp, number: 443 }),
    Service::Port(Port { protocol: Protocol::Udp, number: 53 }),
    Service::Ping,
];

/// A packet of somebody who is sent by the exit, to the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Whose, as `peer phone` or `LAN guests`.
    pub whose: String,
    /// The packet.
    pub packet: Packet,
}

/// Who is sent by the exit at this moment.
pub fn users(desired: &Desired, facts: &Facts, exit: &ExitName) -> Vec<(String, Host)> {
    let is_it = |ways: &[WayOut]| choose(desired, facts, ways) == Some(exit);
    let host = |name: &str| name.parse().ok().map(Host::Named);
    let peers = desired.peers.iter().filter(|(_, peer)| is_active(peer, facts.now));
    let peers = peers.filter(|(_, peer)| is_it(of_peer(desired, peer)));
    let peers = peers.filter_map(|(name, _)| Some((format!("peer {name}"), host(name.as_str())?)));
    let lans = desired.lans.iter().filter(|(_, lan)| !lan.uplink && is_it(of_lan(lan)));
    let lans = lans.filter_map(|(name, lan)| Some((format!("{} {name}", lan.word()), host(name.as_str())?)));
    peers.chain(lans).collect()
}

/// Packets of so many of them, in both families, spread over all.
pub fn probes(
    desired: &Desired,
    facts: &Facts,
    targets: &Targets,
    users: &[(String, Host)],
    most: usize,
) -> Vec<Probe> {
    let ends = Ends::new(desired, facts, targets);
    let step = users.len().div_ceil(most.max(1)).max(1);
    let mut probes = Vec::new();
    for (whose, host) in users.iter().step_by(step) {
        for service in SERVICES {
            let target = Target { host: Host::Internet, service };
            let ways = ends.ways(host, &target).unwrap_or_default();
            probes.extend(ways.into_iter().map(|way| Probe { whose: whose.clone(), packet: way.packet }));
        }
    }
    probes
}

/// What is taken away from the compiled state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Nothing.
    Nothing,
    /// The exit's tunnel, and its routes with it.
    Tunnel,
    /// The firewall, and its marks with it.
    Firewall,
    /// Both.
    Both,
}

impl Without {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Tunnel, Self::Firewall, Self::Both];

    /// In words, behind "leaves".
    pub fn words(self) -> &'static str {
        match self {
            Self::Nothing => "as it is",
            Self::Tunnel => "without the tunnel",
            Self::Firewall => "without the firewall",
            Self::Both => "without the tunnel and the firewall",
        }
    }

    /// The state that is left.
    fn take(self, targets: &Targets, interface: &str) -> Targets {
        let mut left = targets.clone();
        if matches!(self, Self::Firewall | Self::Both) {
            left.nft = None;
        }
        if matches!(self, Self::Tunnel | Self::Both) {
            left.links.remove(interface);
            left.routes.retain(|route| match &route.kind {
                RouteKind::Unreachable => true,
                RouteKind::Device(name) | RouteKind::Gateway { device: name, .. } => name != interface,
            });
        }
        left
    }
}

/// Packets that would leave by another way than the exit's interface, in words. Without its tunnel none may leave at all.
pub fn leaks(
    targets: &Targets,
    facts: &Facts,
    interface: &str,
    probes: &[Probe],
    without: Without,
) -> Vec<String> {
    let left = without.take(targets, interface);
    let allowed = (without == Without::Nothing).then_some(interface);
    let one = |probe: &Probe| {
        let out = walk(&left, facts, &probe.packet).out?;
        let Packet { source, destination, .. } = &probe.packet;
        (Some(out.as_str()) != allowed).then(|| {
            format!("{}: {source} to {destination} leaves by {out} {}", probe.whose, without.words())
        })
    };
    probes.iter().filter_map(one).collect()
}

/// Questions for names that would leave by another way, in words; and whom the exit asks.
pub fn names(targets: &Targets, interface: &str, probes: &[Probe]) -> (Vec<String>, Vec<IpAddr>) {
    let snapshot = targets.files.get(FILE_DNS);
    let snapshot: Option<DnsSnapshot> = snapshot.and_then(|file| serde_json::from_slice(&file.content).ok());
    let Some(snapshot) = snapshot else { return (Vec::new(), Vec::new()) };
    let mut wrong: Vec<String> = Vec::new();
    for probe in probes {
        let source = probe.packet.source;
        let length = |net: &IpNet| net.contains(&source).then(|| net.prefix_len());
        let view = snapshot
            .views
            .iter()
            .filter_map(|view| Some((view.clients.iter().filter_map(length).max()?, view)));
        // One that may not ask for such names at all leaks none.
        let Some((_, view)) = view.max_by_key(|(length, _)| *length).filter(|(_, view)| view.internet) else {
            continue;
        };
        let exit = view.exit.and_then(|place| snapshot.exits.get(usize::from(place)));
        if exit.is_none_or(|exit| exit.interface != interface) {
            let by = exit.map_or("the routes of the host", |exit| exit.interface.as_str());
            let words = format!("{}: questions of {source} leave by {by}", probe.whose);
            if !wrong.contains(&words) {
                wrong.push(words);
            }
        }
    }
    let asked = snapshot.exits.iter().filter(|exit| exit.interface == interface);
    (wrong, asked.flat_map(|exit| &exit.upstreams).map(|upstream| upstream.address().ip()).collect())
}

#[cfg(test)]
mod tests;
