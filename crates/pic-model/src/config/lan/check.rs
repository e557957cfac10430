//! What must hold between LANs, reservations, peers and the tunnel's network.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Placed;
use crate::address;
use crate::config::place::Places;
use crate::desired::{Desired, Ipv6Choice};
use crate::dhcp_option as option;
use crate::lan::{Dhcp, Lan, Reservation, Subnet};
use crate::name::LanName;
use crate::problem::{Problem, ProblemCode};

/// Where things stand.
pub(in crate::config) struct Seen<'s, 't> {
    pub(in crate::config) place: &'s Places<'t>,
    pub(in crate::config) problems: &'s mut Vec<Problem>,
}

impl Seen<'_, '_> {
    fn refuse<T>(&mut self, at: &Placed<T>, field: &str, code: ProblemCode, message: String, hint: &str) {
        let path = format!("{}.{field}", at.path);
        self.problems.push(self.place.problem(&at.span, path, code, message, hint));
    }
}

const OTHER_APP: &str = "write an address for it, as \"10.79.0.6\", or another network into apps.ipv4";

/// Refuses LANs that meet each other, the tunnel or the way out.
pub(in crate::config) fn lans(lans: &[Placed<(LanName, Lan)>], desired: &Desired, seen: &mut Seen<'_, '_>) {
    let mut names = BTreeMap::new();
    let mut devices = BTreeMap::new();
    let mut subnets = BTreeMap::new();
    let mut networks: Vec<(IpNet, String)> = tunnel(desired);
    for at in lans {
        let (name, lan) = &at.value;
        if names.insert(name, ()).is_some() || desired.peers.keys().any(|peer| peer.as_str() == name.as_str())
        {
            let message = format!("\"{name}\" is the name of another LAN or app, or of a peer");
            seen.refuse(at, "name", ProblemCode::Duplicate, message, "give it another name");
        }
        // Two apps that meet have the same network, too.
        if let Some(other) = devices.insert(lan.device(), name).filter(|_| lan.app.is_none()) {
            let message = format!("LAN {name} is on the same interface as LAN {other}: {}", lan.device());
            let hint = "give each LAN an interface or a VLAN's number of its own";
            seen.refuse(at, "interface", ProblemCode::Duplicate, message, hint);
        }
        if lan.uplink {
            router_is_said(at, lan.dhcp.as_ref(), seen);
        } else if lan.vlan.is_none() && desired.uplink.interface.as_ref() == Some(&lan.interface) {
            let message = format!("{} is the way to the internet (uplink.interface)", lan.interface);
            let hint = "write the interface of the LAN; to hand out addresses on this one, uplink = true";
            seen.refuse(at, "interface", ProblemCode::Overlap, message, hint);
        }
        for net in lan.written_networks() {
            let field = if matches!(net, IpNet::V4(_)) { "ipv4" } else { "ipv6" };
            if let Some((other, whose)) = networks.iter().find(|(other, _)| address::overlap(&net, other)) {
                let message = format!("{net} overlaps {other} of {whose}");
                let (field, hint) = match lan.app {
                    Some(_) if field == "ipv4" => ("address", OTHER_APP),
                    _ => (field, "choose another network"),
                };
                seen.refuse(at, field, ProblemCode::Overlap, message, hint);
            }
            networks.push((net, format!("{} {name}", lan.word())));
        }
        if lan.ipv6 == Ipv6Choice::Auto
            && let Some(other) = subnets.insert(address::subnet_id(name.as_str()), name)
        {
            let message = format!("LANs {name} and {other} would get the same v6 network");
            let hint = "write a /64 into the ipv6 of one of them";
            seen.refuse(at, "ipv6", ProblemCode::Duplicate, message, hint);
        }
    }
}

/// Where the cell is not the router, only the owner knows which address is.
fn router_is_said<T>(at: &Placed<T>, dhcp: Option<&Dhcp>, seen: &mut Seen<'_, '_>) {
    if dhcp.is_some_and(|dhcp| !dhcp.options.contains_key(&option::ROUTER)) {
        let message = "this is missing: the cell is not the router there".to_owned();
        let hint = "write the router's address in that network";
        seen.refuse(at, "dhcp.options.router", ProblemCode::Missing, message, hint);
    }
}

/// Refuses subnets that meet each other or a LAN, or whose router is not where it is said to be.
pub(in crate::config) fn subnets(
    subnets: &[Placed<(LanName, Subnet)>],
    desired: &Desired,
    seen: &mut Seen<'_, '_>,
) {
    let mut names = BTreeMap::new();
    let lans = desired.lans.iter().flat_map(|(name, lan)| lan.written_networks().map(move |net| (net, name)));
    let mut networks: Vec<_> = lans.map(|(net, name)| (net, format!("LAN {name}"))).collect();
    networks.extend(tunnel(desired));
    for at in subnets {
        let (name, subnet) = &at.value;
        let is_peer = desired.peers.keys().any(|peer| peer.as_str() == name.as_str());
        if names.insert(name, ()).is_some() || is_peer || desired.lans.contains_key(name) {
            let message = format!("\"{name}\" is the name of another subnet, a LAN or a peer");
            seen.refuse(at, "name", ProblemCode::Duplicate, message, "give it another name");
        }
        match desired.lans.get(&subnet.lan) {
            None => {
                let message = format!("there is no LAN named \"{}\"", subnet.lan);
                seen.refuse(at, "lan", ProblemCode::BadValue, message, "write the name of a [[lan]]");
            }
            Some(lan) if lan.uplink || lan.app.is_some() || !lan.is_host(subnet.via) => {
                let message = format!("{} is no router in LAN {}", subnet.via, subnet.lan);
                let hint = "write the router's address in a LAN of the cell's own";
                seen.refuse(at, "via", ProblemCode::OutsideNetwork, message, hint);
            }
            Some(_) => {}
        }
        let net = IpNet::V4(subnet.ipv4);
        if let Some((other, whose)) = networks.iter().find(|(other, _)| address::overlap(&net, other)) {
            let message = format!("{net} overlaps {other} of {whose}");
            seen.refuse(at, "ipv4", ProblemCode::Overlap, message, "choose another network");
        }
        networks.push((net, format!("subnet {name}")));
        router_is_said(at, subnet.dhcp.as_ref(), seen);
    }
}

fn tunnel(desired: &Desired) -> Vec<(IpNet, String)> {
    let v6 = match desired.wireguard.ipv6 {
        Ipv6Choice::Net(net) => Some(IpNet::V6(net)),
        Ipv6Choice::Auto | Ipv6Choice::Off => None,
    };
    let nets = std::iter::once(IpNet::V4(desired.wireguard.ipv4)).chain(v6);
    nets.map(|net| (net, "wireguard".to_owned())).collect()
}

/// Refuses reservations that cannot be kept.
pub(in crate::config) fn reservations(
    reservations: &[Placed<Reservation>],
    desired: &Desired,
    seen: &mut Seen<'_, '_>,
) {
    let (mut macs, mut ids, mut addresses, mut names) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut duids, mut hosts) = (BTreeMap::new(), BTreeMap::new());
    for at in reservations {
        let one = &at.value;
        let whose = || one.name.as_ref().map_or_else(|| one.address.to_string(), ToString::to_string);
        let lan = desired.lans.get(&one.lan).map(|lan| lan.is_host(one.address));
        let is_host = lan.or_else(|| Some(desired.subnets.get(&one.lan)?.is_host(one.address)));
        match is_host.zip(desired.network4(&one.lan)) {
            None => {
                let message = format!("there is no LAN and no subnet named \"{}\"", one.lan);
                let hint = "write the name of a [[lan]] or [[subnet]]";
                seen.refuse(at, "lan", ProblemCode::BadValue, message, hint);
            }
            Some((false, net)) => {
                let message = format!("{} cannot be given to a host of {net}", one.address);
                let hint = "choose an address of the LAN other than the cell's own";
                seen.refuse(at, "address", ProblemCode::OutsideNetwork, message, hint);
            }
            Some((true, _)) => {}
        }
        let mut clash = |field: &str, taken: bool| {
            if taken {
                let message = format!("the reservation of {} has the same {field} as another", whose());
                let hint = "give it another one, or remove one of the two";
                seen.refuse(at, field, ProblemCode::Duplicate, message, hint);
            }
        };
        if let Some(mac) = one.mac {
            clash("mac", macs.insert((&one.lan, mac), ()).is_some());
        }
        if let Some(id) = &one.client_id {
            clash("client_id", ids.insert((&one.lan, id), ()).is_some());
        }
        if let Some(duid) = &one.duid {
            clash("duid", duids.insert((&one.lan, duid), ()).is_some());
        }
        if let Some(address6) = one.address6 {
            clash("address6", hosts.insert((&one.lan, address6), ()).is_some());
        }
        clash("address", addresses.insert(one.address, ()).is_some());
        if let Some(name) = &one.name {
            let is_peer = desired.peers.keys().any(|peer| peer.as_str() == name.as_str());
            clash("name", names.insert(name, ()).is_some() || is_peer);
        }
    }
}
