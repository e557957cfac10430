//! Who is shown what: clients grouped by equal rights, so that there are few views however many peers there are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::desired::{Allow, Audience, DnsBlocklist, Peer};
use pic_model::name::PeerName;
use pic_model::snapshot::dns::View;

use super::super::{Network, is_active};
use crate::facts::Facts;

/// What makes two peers the same to the name server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rights {
    cell: bool,
    internet: bool,
    /// Audiences of records that name the peer, by their place in [`Views::audiences`].
    named: BTreeSet<usize>,
    /// Blocklists that count for it.
    blocked: BTreeSet<u16>,
}

/// The views of a cell.
#[derive(Debug)]
pub(super) struct Views {
    /// As they stand in the snapshot.
    pub(super) list: Vec<View>,
    /// The cell's own host, which sees everything.
    pub(super) host: u16,
    audiences: Vec<BTreeSet<Audience>>,
    /// Rights of the peers in the views behind the host's, in their order.
    rights: Vec<Rights>,
}

impl Views {
    pub(super) fn new(desired: &Desired, facts: &Facts, network: &Network) -> Self {
        let audiences: BTreeSet<_> = desired.dns.records.iter().filter_map(|r| r.audience.clone()).collect();
        let audiences: Vec<_> = audiences.into_iter().collect();
        let lists = &desired.dns.blocklists;
        let usual =
            Rights { cell: true, internet: true, named: BTreeSet::new(), blocked: blocked(lists, None) };
        // The usual peers are told by their network; only those that differ are listed one by one.
        let mut groups = BTreeMap::from([(usual.clone(), network.networks().collect::<Vec<_>>())]);
        for (name, peer) in desired.peers.iter().filter(|(_, peer)| is_active(peer, facts.now)) {
            let rights = Rights { blocked: blocked(lists, Some(name)), ..rights(name, peer, &audiences) };
            if rights != usual {
                let addresses = [Some(IpAddr::V4(peer.address)), network.peer6(peer).map(IpAddr::V6)];
                groups.entry(rights).or_default().extend(addresses.into_iter().flatten().map(IpNet::from));
            }
        }
        let host = View {
            name: "host".to_owned(),
            clients: network.cell_addresses().map(|net| IpNet::from(net.addr())).collect(),
            cell: true,
            internet: true,
            // It resolved the names of its provider's or company's network before it was a cell.
            private: true,
            // Its own services need names that lists may have: updates, certificates, mail.
            blocklists: Vec::new(),
        };
        let mut list = vec![host];
        let mut all = Vec::new();
        for (rights, clients) in groups {
            let name = name(&rights, all.len());
            list.push(View {
                name,
                clients,
                cell: rights.cell,
                internet: rights.internet,
                private: false,
                blocklists: rights.blocked.iter().copied().collect(),
            });
            all.push(rights);
        }
        Self { list, host: 0, audiences, rights: all }
    }

    /// The views that see what is for `audience`; `None`: all that see the cell.
    pub(super) fn of(&self, audience: Option<&BTreeSet<Audience>>) -> Option<Vec<u16>> {
        let audience = audience?;
        let place = self.audiences.iter().position(|known| known == audience);
        let sees = |rights: &Rights| {
            audience.contains(&Audience::Peers) || place.is_some_and(|place| rights.named.contains(&place))
        };
        let peers = (1_u16..).zip(&self.rights).filter(|(_, rights)| sees(rights)).map(|(view, _)| view);
        Some(std::iter::once(self.host).chain(peers).collect())
    }
}

fn rights(name: &PeerName, peer: &Peer, audiences: &[BTreeSet<Audience>]) -> Rights {
    let is_named = |audience: &BTreeSet<Audience>| audience.contains(&Audience::Peer(name.clone()));
    let named = audiences.iter().enumerate().filter(|(_, audience)| is_named(audience)).map(|(at, _)| at);
    Rights {
        cell: peer.allow.contains(&Allow::Cell),
        // Names come with any grant: a split tunnel leaves the internet to the device, and asks the cell for its names.
        internet: !peer.allow.is_empty(),
        named: named.collect(),
        blocked: BTreeSet::new(),
    }
}

/// Lists for all peers, and those for this one.
fn blocked(lists: &[DnsBlocklist], name: Option<&PeerName>) -> BTreeSet<u16> {
    let is_for = |list: &DnsBlocklist| {
        let named =
            |all: &BTreeSet<Audience>| name.is_some_and(|name| all.contains(&Audience::Peer(name.clone())));
        list.audience.as_ref().is_none_or(|all| all.contains(&Audience::Peers) || named(all))
    };
    (0_u16..).zip(lists).filter(|(_, list)| is_for(list)).map(|(at, _)| at).collect()
}

fn name(rights: &Rights, number: usize) -> String {
    let base = match (rights.cell, rights.internet) {
        (true, true) => "peers",
        (true, false) => "peers-cell-only",
        (false, true) => "peers-internet-only",
        (false, false) => "peers-nothing",
    };
    // Told apart by their number where words do not.
    if rights.named.is_empty() && rights.blocked.is_empty() {
        base.to_owned()
    } else {
        format!("{base}-{number}")
    }
}
