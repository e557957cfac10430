//! Whose names a client is shown: those of what it may reach.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use pic_model::Desired;
use pic_model::lan::Reservation;
use pic_model::policy::{Subject, Target, Where};
use pic_model::reach::Host;

use super::directory::{Member, Named};
use super::{Directory, Hashed, Terms};

/// Something with a name that somebody may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::compile) enum Thing<'d> {
    /// Some port of a peer or of a reservation.
    Host(&'d str),
    /// All of one.
    Whole(&'d str),
    /// A service.
    Service(&'d str),
    /// Every host of a LAN or subnet.
    Lan(&'d str),
    /// Every peer.
    Peers,
    /// What the cell serves.
    Cell,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client<'d> {
    Peers,
    Peer(&'d str),
    Lan(&'d str),
    Kept(Ipv4Addr),
}

/// What each client may reach, by name.
#[derive(Debug)]
pub(in crate::compile) struct Seen<'d> {
    /// Those with any grant at all, also of what has no name. Things may stand there twice.
    by_client: Hashed<Client<'d>, Vec<Thing<'d>>>,
}

impl<'d> Seen<'d> {
    /// At the moment `now`, Unix seconds.
    pub(in crate::compile) fn new(desired: &'d Desired, directory: &Directory<'d>, now: i64) -> Self {
        let mut seen = Self { by_client: Hashed::default() };
        let hosts = Hosts::new(desired);
        let terms = Terms::new(desired, now);
        for (_, grant) in desired.grants.iter().enumerate().filter(|(at, _)| terms.holds(*at)) {
            let things: Vec<Thing<'d>> =
                grant.to.iter().flat_map(|target| hosts.things(desired, directory, target)).collect();
            for client in grant.from.iter().flat_map(|subject| clients(directory, subject)) {
                seen.by_client.or_default(client).extend(&things);
            }
        }
        seen
    }

    fn of(&self, clients: &[Client<'d>]) -> BTreeSet<Thing<'d>> {
        clients.iter().filter_map(|client| self.by_client.get(client)).flatten().copied().collect()
    }

    /// Whether a peer has any `[[grant]]`.
    pub(in crate::compile) fn is_granted(&self, name: &'d str) -> bool {
        [Client::Peers, Client::Peer(name)].iter().any(|client| self.by_client.get(client).is_some())
    }

    /// What every peer may reach.
    pub(in crate::compile) fn by_peers(&self) -> BTreeSet<Thing<'d>> {
        self.of(&[Client::Peers])
    }

    /// What one may reach.
    pub(in crate::compile) fn by_peer(&self, name: &'d str) -> BTreeSet<Thing<'d>> {
        self.of(&[Client::Peers, Client::Peer(name)])
    }

    /// What the hosts of a LAN may reach, each other first of all.
    pub(in crate::compile) fn by_lan(&self, name: &'d str) -> BTreeSet<Thing<'d>> {
        let mut things = self.of(&[Client::Lan(name)]);
        things.insert(Thing::Lan(name));
        things
    }

    /// What one of them may reach.
    pub(in crate::compile) fn by_kept(&self, kept: &'d Reservation) -> BTreeSet<Thing<'d>> {
        let mut things = self.by_lan(kept.lan.as_str());
        things.extend(self.of(&[Client::Kept(kept.address)]));
        things
    }
}

fn clients<'d>(directory: &Directory<'d>, subject: &'d Subject) -> Vec<Client<'d>> {
    let Subject::Named(name) = subject else { return vec![Client::Peers] };
    match directory.get(name.as_str()) {
        Some(Named::Peer(_)) => vec![Client::Peer(name.as_str())],
        Some(Named::Lan(lan)) => vec![Client::Lan(lan.as_str())],
        Some(Named::Kept(kept)) => vec![Client::Kept(kept.address)],
        Some(Named::Group) => {
            let one = |member: &Member<'d>| match member {
                Member::Peer(name, _) => Client::Peer(name),
                Member::Kept(kept) => Client::Kept(kept.address),
            };
            directory.members(name.as_str()).iter().map(one).collect()
        }
        Some(Named::Service(_)) | None => Vec::new(),
    }
}

/// Whoever may reach any of these is shown the name of a host in this LAN (`None`: of a peer).
pub(in crate::compile) fn shows_host<'n>(name: &'n str, lan: Option<&'n str>) -> Vec<Thing<'n>> {
    vec![Thing::Host(name), Thing::Whole(name), lan.map_or(Thing::Peers, Thing::Lan)]
}

/// The same of a service: itself, or all of the host that offers it.
pub(in crate::compile) fn shows_service<'n>(
    service: &'n str,
    host: Option<(&'n str, Option<&'n str>)>,
) -> Vec<Thing<'n>> {
    let by_host = host.map(|(name, lan)| [Thing::Whole(name), lan.map_or(Thing::Peers, Thing::Lan)]);
    by_host.into_iter().flatten().chain([Thing::Service(service)]).collect()
}

/// Names of hosts by their address.
struct Hosts<'d>(BTreeMap<Ipv4Addr, &'d str>);

impl<'d> Hosts<'d> {
    fn new(desired: &'d Desired) -> Self {
        let peers = desired.peers.iter().map(|(name, peer)| (peer.address, name.as_str()));
        let kept = desired.reservations.iter();
        let kept = kept.filter_map(|kept| Some((kept.address, kept.name.as_ref()?.as_str())));
        Self(peers.chain(kept).collect())
    }

    fn things(&self, desired: &'d Desired, directory: &Directory<'d>, target: &'d Target) -> Vec<Thing<'d>> {
        let host = |name| if target.ports.is_none() { Thing::Whole(name) } else { Thing::Host(name) };
        match &target.to {
            Where::Peers => vec![Thing::Peers],
            Where::Cell => vec![Thing::Cell],
            Where::Network(IpNet::V4(net)) => self.within(desired, *net, host),
            Where::Named(name) => match directory.get(name.as_str()) {
                Some(Named::Peer(_) | Named::Kept(_)) => vec![host(name.as_str())],
                Some(Named::Lan(lan)) => vec![Thing::Lan(lan.as_str())],
                Some(Named::Group) => {
                    let named = directory.members(name.as_str()).iter().filter_map(|member| match member {
                        Member::Peer(name, _) => Some(*name),
                        Member::Kept(kept) => Some(kept.name.as_ref()?.as_str()),
                    });
                    named.map(host).collect()
                }
                Some(Named::Service(service)) => {
                    let offered = match &service.host {
                        Host::Named(host) => Some(Thing::Host(host.as_str())),
                        Host::Cell | Host::Internet | Host::Address(_) | Host::Outside(_) => None,
                    };
                    offered.into_iter().chain([Thing::Service(name.as_str())]).collect()
                }
                None => Vec::new(),
            },
            Where::Network(IpNet::V6(_))
            | Where::Internet
            | Where::Dns
            | Where::Time
            | Where::Ssh
            | Where::Ping => Vec::new(),
        }
    }

    fn within(
        &self,
        desired: &'d Desired,
        net: Ipv4Net,
        host: impl Fn(&'d str) -> Thing<'d>,
    ) -> Vec<Thing<'d>> {
        let hosts = self.0.range(net.network()..=net.broadcast()).map(|(_, name)| host(name));
        let lans = desired.lans.iter().map(|(name, lan)| (name, lan.ipv4.trunc()));
        let subnets = desired.subnets.iter().map(|(name, subnet)| (name, subnet.ipv4));
        let whole = lans.chain(subnets).filter(|(_, own)| net.contains(own));
        hosts.chain(whole.map(|(name, _)| Thing::Lan(name.as_str()))).collect()
    }
}
