//! Who is shown what: clients grouped by equal rights, so that there are few views however many peers there are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::desired::{Allow, Audience, DnsBlocklist, Peer};
use pic_model::lan::Reservation;
use pic_model::name::PeerName;
use pic_model::snapshot::dns::View;

use super::super::{Network, ResolvedLan, is_active};
use super::addresses_of;
use crate::facts::Facts;

/// What makes two clients the same to the name server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rights {
    /// LAN that it is on; `None`: a peer.
    lan: Option<String>,
    cell: bool,
    internet: bool,
    /// Audiences of records that it is in, by their place in [`Views::audiences`].
    named: BTreeSet<usize>,
    /// Blocklists that count for it.
    blocked: BTreeSet<u16>,
}

/// Names that stand for one client: its own, and those of what it is in.
#[derive(Debug)]
struct Names<'d> {
    is_peer: bool,
    all: BTreeSet<&'d str>,
}

impl<'d> Names<'d> {
    fn peer(name: &'d PeerName, peer: &'d Peer) -> Self {
        let groups = peer.groups.iter().map(|group| group.as_str());
        Self { is_peer: true, all: groups.chain([name.as_str()]).collect() }
    }

    fn lan(name: &'d str) -> Self {
        Self { is_peer: false, all: BTreeSet::from([name]) }
    }

    fn device(kept: &'d Reservation) -> Self {
        let groups = kept.groups.iter().map(|group| group.as_str());
        Self { is_peer: false, all: groups.chain([kept.lan.as_str()]).collect() }
    }

    fn are_in(&self, audience: &BTreeSet<Audience>) -> bool {
        audience.iter().any(|one| match one {
            Audience::Peers => self.is_peer,
            Audience::Named(name) => self.all.contains(name.as_str()),
        })
    }
}

/// The views of a cell.
#[derive(Debug)]
pub(super) struct Views {
    /// As they stand in the snapshot.
    pub(super) list: Vec<View>,
    /// The cell's own host, which sees everything.
    pub(super) host: u16,
    audiences: Vec<BTreeSet<Audience>>,
    /// Rights of the views behind the host's, in their order.
    rights: Vec<Rights>,
}

impl Views {
    pub(super) fn new(desired: &Desired, facts: &Facts, network: &Network, lans: &[ResolvedLan<'_>]) -> Self {
        let audiences: BTreeSet<_> = desired.dns.records.iter().filter_map(|r| r.audience.clone()).collect();
        let audiences: Vec<_> = audiences.into_iter().collect();
        let about = About { audiences: &audiences, lists: &desired.dns.blocklists };
        let groups = grouped(desired, facts, network, lans, &about);
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
        let place = self.audiences.iter().position(|known| Some(known) == audience);
        audience?;
        let sees = |rights: &Rights| place.is_some_and(|place| rights.named.contains(&place));
        let views = (1_u16..).zip(&self.rights).filter(|(_, rights)| sees(rights)).map(|(view, _)| view);
        Some(std::iter::once(self.host).chain(views).collect())
    }
}

/// What in the file is for somebody.
struct About<'d> {
    audiences: &'d [BTreeSet<Audience>],
    lists: &'d [DnsBlocklist],
}

impl About<'_> {
    fn rights(&self, names: &Names<'_>, lan: Option<&str>) -> Rights {
        let named = self.audiences.iter().enumerate().filter(|(_, audience)| names.are_in(audience));
        let is_for = |list: &DnsBlocklist| {
            list.audience.as_ref().map_or(names.is_peer, |audience| names.are_in(audience))
        };
        let blocked = (0_u16..).zip(self.lists).filter(|(_, list)| is_for(list)).map(|(at, _)| at);
        Rights {
            lan: lan.map(str::to_owned),
            cell: true,
            internet: true,
            named: named.map(|(at, _)| at).collect(),
            blocked: blocked.collect(),
        }
    }

    fn peer(&self, names: &Names<'_>, peer: &Peer) -> Rights {
        Rights {
            cell: peer.allow.contains(&Allow::Cell),
            // Names come with any grant: a split tunnel leaves the internet to the device, and asks the cell for its
            // names.
            internet: !peer.allow.is_empty(),
            ..self.rights(names, None)
        }
    }
}

/// Clients by what they are shown. The usual peers and the usual hosts of a LAN are told by their network; only those that
/// differ are listed one by one.
fn grouped(
    desired: &Desired,
    facts: &Facts,
    network: &Network,
    lans: &[ResolvedLan<'_>],
    about: &About<'_>,
) -> BTreeMap<Rights, Vec<IpNet>> {
    let usual = about.rights(&Names { is_peer: true, all: BTreeSet::new() }, None);
    let mut groups = BTreeMap::from([(usual.clone(), network.networks().collect::<Vec<_>>())]);
    for (name, peer) in desired.peers.iter().filter(|(_, peer)| is_active(peer, facts.now)) {
        let rights = about.peer(&Names::peer(name, peer), peer);
        if rights != usual {
            let addresses = [Some(IpAddr::V4(peer.address)), network.peer6(peer).map(IpAddr::V6)];
            groups.entry(rights).or_default().extend(addresses.into_iter().flatten().map(IpNet::from));
        }
    }
    for (network, nets) in lans.iter().flat_map(networks) {
        let usual = about.rights(&Names::lan(network), Some(network));
        let devices = desired.reservations.iter().filter(|kept| kept.lan.as_str() == network);
        for kept in devices.filter(|kept| !kept.groups.is_empty()) {
            let rights = about.rights(&Names::device(kept), Some(network));
            if rights != usual {
                let addresses = addresses_of(kept, lans).into_iter().map(IpNet::from);
                groups.entry(rights).or_default().extend(addresses);
            }
        }
        groups.entry(usual).or_default().extend(nets);
    }
    groups
}

/// A LAN and the subnets behind it, each by its name.
fn networks<'l>(lan: &'l ResolvedLan<'_>) -> Vec<(&'l str, Vec<IpNet>)> {
    let behind = lan.subnets.iter().map(|(name, subnet)| (*name, vec![IpNet::V4(subnet.ipv4)]));
    std::iter::once((lan.name, lan.networks().collect())).chain(behind).collect()
}

fn name(rights: &Rights, number: usize) -> String {
    let base = match (&rights.lan, rights.cell, rights.internet) {
        (Some(lan), ..) => lan.clone(),
        (None, true, true) => "peers".to_owned(),
        (None, true, false) => "peers-cell-only".to_owned(),
        (None, false, true) => "peers-internet-only".to_owned(),
        (None, false, false) => "peers-nothing".to_owned(),
    };
    // Told apart by their number where words do not.
    if rights.named.is_empty() && rights.blocked.is_empty() { base } else { format!("{base}-{number}") }
}
