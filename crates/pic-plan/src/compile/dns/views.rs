//! Who is shown what: clients grouped by equal rights, so that there are few views however many peers there are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::desired::{Allow, Audience, DnsBlocklist, Peer};
use pic_model::exit::WayOut;
use pic_model::lan::Reservation;
use pic_model::name::PeerName;
use pic_model::snapshot::dns::View;

use super::super::policy::{self, Directory, Hashed, Seen, Thing};
use super::super::{Network, ResolvedLan, exit, is_active};
use super::addresses_of;
use crate::facts::Facts;

/// What makes two clients the same to the name server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rights {
    /// LAN that it is on, by name and number; `None`: a peer.
    lan: Option<(String, u32)>,
    cell: bool,
    internet: bool,
    /// Audiences of records that it is in, by their place in [`Views::audiences`].
    named: BTreeSet<usize>,
    /// What it may reach by name.
    things: Vec<Thing>,
    /// Blocklists that count for it.
    blocked: BTreeSet<u16>,
    /// Exit that its questions leave by, by its place among all.
    exit: Option<u16>,
    /// Exits by destination that count for it, by their place among those with names.
    egress: BTreeSet<u16>,
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
            Audience::Outside => false,
            Audience::Named(name) => self.all.contains(name.as_str()),
        })
    }
}

/// The views of a cell.
#[derive(Debug)]
pub(super) struct Views<'d> {
    directory: &'d Directory<'d>,
    /// As they stand in the snapshot.
    pub(super) list: Vec<View>,
    /// The cell's own host, which sees everything.
    pub(super) host: u16,
    /// Everybody on the internet, if they are answered.
    pub(super) outside: Option<u16>,
    audiences: Vec<BTreeSet<Audience>>,
    /// Views behind the host's by what they may reach.
    by_thing: Hashed<Thing, Vec<u16>>,
    /// Rights of the views behind the host's, in their order.
    rights: Vec<Rights>,
}

impl<'d> Views<'d> {
    pub(super) fn new(
        desired: &'d Desired,
        facts: &Facts,
        network: &Network,
        lans: &[ResolvedLan<'_>],
        directory: &'d Directory<'d>,
        seen: &Seen,
    ) -> Self {
        let audiences: BTreeSet<_> = desired.dns.records.iter().filter_map(|r| r.audience.clone()).collect();
        let audiences: Vec<_> = audiences.into_iter().collect();
        let about = About { audiences: &audiences, lists: &desired.dns.blocklists, desired, facts };
        let groups = grouped(&about, network, lans, directory, seen);
        let host = View {
            name: "host".to_owned(),
            clients: network.cell_addresses().map(|net| IpNet::from(net.addr())).collect(),
            cell: true,
            internet: true,
            // It resolved the names of its provider's or company's network before it was a cell.
            private: true,
            // Its own services need names that lists may have: updates, certificates, mail.
            blocklists: Vec::new(),
            exit: None,
            egress: Vec::new(),
        };
        let mut list = vec![host];
        let mut all = Vec::new();
        for (rights, clients) in groups {
            let name = name(&rights, all.len());
            list.push(View {
                name,
                clients,
                cell: rights.cell || !rights.things.is_empty(),
                internet: rights.internet,
                private: false,
                blocklists: rights.blocked.iter().copied().collect(),
                exit: rights.exit,
                egress: rights.egress.iter().copied().collect(),
            });
            all.push(rights);
        }
        let mut by_thing: Hashed<_, Vec<u16>> = Hashed::default();
        for (view, rights) in (1_u16..).zip(&all) {
            for thing in &rights.things {
                by_thing.or_default(*thing).push(view);
            }
        }
        let outside = desired.dns.outside.then(|| {
            let (view, rights) = outside(&audiences);
            list.push(view);
            all.push(rights);
            u16::try_from(list.len() - 1).ok()
        });
        Self { directory, list, host: 0, outside: outside.flatten(), audiences, by_thing, rights: all }
    }

    /// The views that see what is for `audience`; `None`: all that see the cell.
    pub(super) fn of(&self, audience: Option<&BTreeSet<Audience>>) -> Option<Vec<u16>> {
        if audience.is_none() {
            // Who sees some names sees these too, unless he may not reach the cell.
            let all_see = self.rights.iter().all(|rights| rights.cell || rights.things.is_empty());
            return (!all_see).then(|| self.those(|rights| rights.cell));
        }
        let place = self.audiences.iter().position(|known| Some(known) == audience);
        Some(self.those(|rights| place.is_some_and(|place| rights.named.contains(&place))))
    }

    /// The host's view and all others with such rights.
    fn those(&self, sees: impl Fn(&Rights) -> bool) -> Vec<u16> {
        let views = (1_u16..).zip(&self.rights).filter(|(_, rights)| sees(rights)).map(|(view, _)| view);
        std::iter::once(self.host).chain(views).collect()
    }

    /// The views that see the name of a host in this LAN (`None`: of a peer).
    pub(super) fn of_host(&self, name: &str, lan: Option<&str>) -> Vec<u16> {
        let number = |name| self.directory.number(name);
        self.reaching(policy::shows_host(number(name), lan.and_then(number)))
    }

    /// The views that see the name of a service of this host.
    pub(super) fn of_service(&self, service: &str, host: Option<(&str, Option<&str>)>) -> Vec<u16> {
        let number = |name| self.directory.number(name);
        let host = host.and_then(|(name, lan)| Some((number(name)?, lan.and_then(number))));
        self.reaching(policy::shows_service(number(service), host))
    }

    /// The host's view and those that may reach any of these.
    fn reaching(&self, things: impl Iterator<Item = Thing>) -> Vec<u16> {
        let found = things.filter_map(|thing| self.by_thing.get(&thing)).flatten().copied();
        let mut views: Vec<u16> = std::iter::once(self.host).chain(found).collect();
        views.sort_unstable();
        views.dedup();
        views
    }
}

/// Everybody on the internet.
fn outside(audiences: &[BTreeSet<Audience>]) -> (View, Rights) {
    let named = (0..).zip(audiences).filter(|(_, audience)| audience.contains(&Audience::Outside));
    let named = named.map(|(at, _)| at).collect();
    // Among those who see the cell's names it is not: only what names it is shown.
    let rights = Rights {
        lan: None,
        cell: false,
        internet: false,
        named,
        things: Vec::new(),
        blocked: BTreeSet::new(),
        exit: None,
        egress: BTreeSet::new(),
    };
    let view = View {
        name: Audience::Outside.as_str().to_owned(),
        clients: Vec::new(),
        cell: true,
        internet: false,
        private: false,
        blocklists: Vec::new(),
        exit: None,
        egress: Vec::new(),
    };
    (view, rights)
}

/// What in the file is for somebody.
struct About<'d> {
    audiences: &'d [BTreeSet<Audience>],
    lists: &'d [DnsBlocklist],
    desired: &'d Desired,
    facts: &'d Facts,
}

impl About<'_> {
    fn rights(&self, names: &Names<'_>, lan: Option<(&str, u32)>, things: Vec<Thing>) -> Rights {
        let named = self.audiences.iter().enumerate().filter(|(_, audience)| names.are_in(audience));
        let is_for = |list: &DnsBlocklist| {
            list.audience.as_ref().map_or(names.is_peer, |audience| names.are_in(audience))
        };
        let blocked = (0_u16..).zip(self.lists).filter(|(_, list)| is_for(list)).map(|(at, _)| at);
        Rights {
            lan: lan.map(|(name, number)| (name.to_owned(), number)),
            cell: true,
            internet: true,
            named: named.map(|(at, _)| at).collect(),
            things,
            blocked: blocked.collect(),
            exit: None,
            egress: BTreeSet::new(),
        }
    }

    /// The exit that is chosen now, by its place among all.
    fn exit(&self, ways: &[WayOut]) -> Option<u16> {
        let chosen = exit::choose(self.desired, self.facts, ways)?;
        let mut names = (0_u16..).zip(self.desired.exits.keys());
        names.find(|(_, name)| *name == chosen).map(|(at, _)| at)
    }

    fn peer(&self, name: &PeerName, peer: &Peer, things: Vec<Thing>, any: bool) -> Rights {
        let names = &Names::peer(name, peer);
        Rights {
            egress: exit::egress::of_peer(self.desired, name, peer),
            cell: peer.allow.contains(&Allow::Cell) || things.binary_search(&Thing::Cell).is_ok(),
            // Names come with any grant: a split tunnel leaves the internet to the device, and asks the cell for its
            // names.
            internet: !peer.allow.is_empty() || any,
            exit: self.exit(exit::of_peer(self.desired, peer)),
            ..self.rights(names, None, things)
        }
    }
}

/// Clients by what they are shown. The usual peers and the usual hosts of a LAN are told by their network; only those that
/// differ are listed one by one.
fn grouped(
    about: &About<'_>,
    network: &Network,
    lans: &[ResolvedLan<'_>],
    directory: &Directory<'_>,
    seen: &Seen,
) -> BTreeMap<Rights, Vec<IpNet>> {
    let About { desired, facts, .. } = about;
    let nobody = Names { is_peer: true, all: BTreeSet::new() };
    let egress = exit::egress::of_all_peers(desired);
    let usual = Rights { egress, ..about.rights(&nobody, None, seen.by_peers()) };
    let mut groups = BTreeMap::from([(usual.clone(), network.networks().collect::<Vec<_>>())]);
    for (name, peer) in desired.peers.iter().filter(|(_, peer)| is_active(peer, facts.now)) {
        // Every name has a number.
        let Some(number) = directory.number(name.as_str()) else { continue };
        let rights = about.peer(name, peer, seen.by_peer(number), seen.is_granted(number));
        if rights != usual {
            let addresses = [Some(IpAddr::V4(peer.address)), network.peer6(peer).map(IpAddr::V6)];
            groups.entry(rights).or_default().extend(addresses.into_iter().flatten().map(IpNet::from));
        }
    }
    for (lan, network, nets) in
        lans.iter().flat_map(|lan| networks(lan).into_iter().map(move |(name, nets)| (lan, name, nets)))
    {
        let Some(number) = directory.number(network) else { continue };
        let own = Some((network, number));
        let exit = about.exit(exit::of_lan(lan.lan));
        let egress = exit::egress::of_lan(desired, lan.name);
        let usual = Rights {
            exit,
            egress: egress.clone(),
            ..about.rights(&Names::lan(network), own, seen.by_lan(number))
        };
        for kept in desired.reservations.iter().filter(|kept| kept.lan.as_str() == network) {
            let rights = Rights {
                exit,
                egress: egress.clone(),
                ..about.rights(&Names::device(kept), own, seen.by_kept(number, kept))
            };
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
pub(super) fn networks<'d>(lan: &'d ResolvedLan<'d>) -> Vec<(&'d str, Vec<IpNet>)> {
    let behind = lan.subnets.iter().map(|(name, subnet)| (*name, vec![IpNet::V4(subnet.ipv4)]));
    std::iter::once((lan.name, lan.with_routed().collect())).chain(behind).collect()
}

fn name(rights: &Rights, number: usize) -> String {
    let base = match (&rights.lan, rights.cell, rights.internet) {
        (Some((lan, _)), ..) => lan.clone(),
        (None, true, true) => "peers".to_owned(),
        (None, true, false) => "peers-cell-only".to_owned(),
        (None, false, true) => "peers-internet-only".to_owned(),
        (None, false, false) => "peers-nothing".to_owned(),
    };
    // Told apart by their number where words do not.
    let own = |thing: &Thing| matches!((thing, &rights.lan), (Thing::Lan(one), Some((_, lan))) if one == lan);
    let is_plain = rights.named.is_empty()
        && rights.blocked.is_empty()
        && rights.things.iter().all(own)
        && rights.exit.is_none()
        && rights.egress.is_empty();
    if is_plain { base } else { format!("{base}-{number}") }
}
