//! From names to addresses: who is meant by a subject, and where a target is. A name follows its address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::address;
use pic_model::desired::Peer;
use pic_model::lan::Reservation;
use pic_model::name::LanName;
use pic_model::policy::{Ports, Service, Subject, Target, Where};
use pic_model::reach::Host;

use super::super::{Network, ResolvedLan, is_active};
use super::Hashed;
use crate::facts::Facts;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub enum Named<'d> {
    /// A device.
    Peer(&'d Peer),
    /// Everything in a group; the members are listed apart.
    Group,
    /// A LAN or subnet.
    Lan(&'d LanName),
    /// A device of a LAN with a kept address.
    Kept(&'d Reservation),
    /// A service.
    Service(&'d Service),
}

/// One that is in a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Member<'d> {
    /// With its name.
    Peer(&'d str, &'d Peer),
    Kept(&'d Reservation),
}

impl Member<'_> {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Peer(name, _) => (*name).to_owned(),
            Self::Kept(kept) => {
                kept.name.as_ref().map_or_else(|| kept.address.to_string(), ToString::to_string)
            }
        }
    }
}

/// Where somebody sends from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// All of it.
    pub(super) networks: Vec<IpNet>,
    /// Each host that is known by itself.
    pub(super) hosts: Vec<IpNet>,
    /// Networks told by their interface.
    pub(super) lans: Vec<LanName>,
}

/// Every name with what it stands for.
#[derive(Debug)]
pub struct Directory<'d> {
    desired: &'d Desired,
    network: &'d Network,
    lans: &'d [ResolvedLan<'d>],
    now: i64,
    /// Asked four times for each grant.
    names: Hashed<&'d str, (u32, Named<'d>)>,
    groups: BTreeMap<&'d str, Vec<Member<'d>>>,
}

impl<'d> Directory<'d> {
    /// Of a state.
    pub fn new(
        desired: &'d Desired,
        facts: &Facts,
        network: &'d Network,
        lans: &'d [ResolvedLan<'d>],
    ) -> Self {
        // Later ones take the place of earlier ones: a reservation may be called like its LAN.
        let kept = desired.reservations.iter();
        let kept = kept.filter_map(|kept| Some((kept.name.as_ref()?.as_str(), Named::Kept(kept))));
        let services = desired.services.iter().map(|(name, one)| (name.as_str(), Named::Service(one)));
        let networks = desired.lans.keys().chain(desired.subnets.keys());
        let networks = networks.map(|name| (name.as_str(), Named::Lan(name)));
        let named = desired.groups.iter().map(|name| (name.as_str(), Named::Group));
        let peers = desired.peers.iter().map(|(name, peer)| (name.as_str(), Named::Peer(peer)));
        let mut all: Vec<(&str, Named<'d>)> =
            kept.chain(services).chain(networks).chain(named).chain(peers).collect();
        // Stable, and nearly sorted before.
        all.sort_by_key(|(name, _)| *name);
        let numbered = (0..).zip(all).map(|(number, (name, named))| (name, (number, named)));
        let names = numbered.collect();
        let mut groups: BTreeMap<&str, Vec<Member<'d>>> = BTreeMap::new();
        for (name, peer) in desired.peers.iter() {
            for group in &peer.groups {
                groups.entry(group.as_str()).or_default().push(Member::Peer(name.as_str(), peer));
            }
        }
        for kept in &desired.reservations {
            for group in &kept.groups {
                groups.entry(group.as_str()).or_default().push(Member::Kept(kept));
            }
        }
        Self { desired, network, lans, now: facts.now, names, groups }
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<Named<'d>> {
        self.numbered(name).map(|(_, named)| named)
    }

    /// The same with the number of the name, which it has in every state of the same names. Numbers are in the order of names.
    pub(super) fn numbered(&self, name: &str) -> Option<(u32, Named<'d>)> {
        self.names.get(name).copied()
    }

    /// The number of a name.
    pub(in crate::compile) fn number(&self, name: &str) -> Option<u32> {
        self.numbered(name).map(|(number, _)| number)
    }

    pub(super) fn members(&self, group: &str) -> &[Member<'d>] {
        self.groups.get(group).map_or(&[], Vec::as_slice)
    }

    fn peer(&self, peer: &Peer) -> Vec<IpNet> {
        if !is_active(peer, self.now) {
            return Vec::new();
        }
        let v6 = self.network.peer6(peer).map(|v6| IpNet::from(IpAddr::V6(v6)));
        std::iter::once(IpNet::from(IpAddr::V4(peer.address))).chain(v6).collect()
    }

    fn kept(&self, kept: &Reservation) -> Vec<IpNet> {
        let lan = self.lans.iter().find(|lan| lan.name == kept.lan.as_str());
        let v6 = kept.address6.into_iter().flat_map(|host| {
            let nets = lan.into_iter().flat_map(ResolvedLan::nets6);
            nets.map(move |net| IpAddr::V6(address::join_v6(net, host)))
        });
        std::iter::once(IpAddr::V4(kept.address)).chain(v6).map(IpNet::from).collect()
    }

    fn group(&self, group: &str) -> Vec<IpNet> {
        let one = |member: &Member<'_>| match member {
            Member::Peer(_, peer) => self.peer(peer),
            Member::Kept(kept) => self.kept(kept),
        };
        self.members(group).iter().flat_map(one).collect()
    }

    /// All networks of a LAN, or the one of a subnet.
    fn lan(&self, name: &LanName) -> Vec<IpNet> {
        if let Some(subnet) = self.desired.subnets.get(name) {
            return vec![IpNet::V4(subnet.ipv4)];
        }
        let lan = self.lans.iter().find(|lan| lan.name == name.as_str());
        lan.into_iter().flat_map(ResolvedLan::with_routed).collect()
    }

    /// Addresses of a host.
    pub(super) fn host(&self, host: &Host) -> Vec<IpNet> {
        match host {
            Host::Cell => self.network.cell_addresses().map(|net| IpNet::from(net.addr())).collect(),
            Host::Internet | Host::Outside(_) => Vec::new(),
            Host::Address(address) => vec![IpNet::from(*address)],
            Host::Named(name) => self.named(name.as_str()),
        }
    }

    fn named(&self, name: &str) -> Vec<IpNet> {
        self.addresses(name, self.get(name))
    }

    /// Addresses of a name that was looked up.
    fn addresses(&self, name: &str, found: Option<Named<'d>>) -> Vec<IpNet> {
        match found {
            Some(Named::Peer(peer)) => self.peer(peer),
            Some(Named::Group) => self.group(name),
            Some(Named::Lan(lan)) => self.lan(lan),
            Some(Named::Kept(kept)) => self.kept(kept),
            Some(Named::Service(service)) => self.host(&service.host),
            None => Vec::new(),
        }
    }

    /// Where a subject sends from.
    pub(super) fn sources(&self, subject: &Subject) -> Sources {
        let name = match subject {
            Subject::Peers => {
                let hosts = self.desired.peers.values().flat_map(|peer| self.peer(peer)).collect();
                return Sources { networks: self.network.networks().collect(), hosts, lans: Vec::new() };
            }
            Subject::Named(name) => name.as_str(),
        };
        let found = self.get(name);
        let networks = self.addresses(name, found);
        match found {
            Some(Named::Lan(lan)) => Sources { networks, hosts: Vec::new(), lans: vec![lan.clone()] },
            _ => Sources { hosts: networks.clone(), networks, lans: Vec::new() },
        }
    }

    /// Where a target is, and which ports of it are meant: none are all. The cell itself is elsewhere for each LAN, so
    /// it is asked for apart ([`Self::cell_from`]).
    pub(super) fn destinations<'t>(&'t self, target: &'t Target) -> (Vec<IpNet>, &'t [Ports]) {
        let ports = target.ports.as_slice();
        match &target.to {
            Where::Peers => (self.network.networks().collect(), ports),
            Where::Network(net) => (vec![*net], ports),
            Where::Named(name) => match self.get(name.as_str()) {
                Some(Named::Service(service)) => (self.host(&service.host), &service.ports),
                found => (self.addresses(name.as_str(), found), ports),
            },
            Where::Cell => (self.host(&Host::Cell), ports),
            Where::Internet | Where::Dns | Where::Time | Where::Ssh | Where::Ping => (Vec::new(), ports),
        }
    }

    /// Whether a target is the cell itself.
    pub(super) fn is_cell(&self, target: &Target) -> bool {
        match &target.to {
            Where::Cell => true,
            // Only a service is the cell by another name.
            Where::Named(name) => {
                self.desired.services.get(name).is_some_and(|service| service.host == Host::Cell)
            }
            _ => false,
        }
    }

    /// The cell's own addresses as one in this network asks for them.
    pub(super) fn cell_from(&self, source: IpNet) -> Vec<IpNet> {
        let near = self.lans.iter().filter(|lan| lan.reached().any(|net| net.contains(&source)));
        let near = near.flat_map(|lan| lan.cell_addresses().collect::<Vec<_>>());
        self.network.cell_addresses().chain(near).map(|net| IpNet::from(net.addr())).collect()
    }
}
