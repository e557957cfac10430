//! Whose names a client is shown: those of what it may reach.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use pic_model::Desired;
use pic_model::lan::Reservation;
use pic_model::policy::{Grant, Subject, Target, Where};
use pic_model::reach::Host;

use super::directory::{Member, Named};
use super::{Directory, Hashed, Terms};

/// Something with a name that somebody may reach. Names stand as their numbers in the [`Directory`]: there are a hundred
/// thousand of these, to be sorted and compared, and they outlive the state that they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::compile) enum Thing {
    /// Some port of a peer or of a reservation.
    Host(u32),
    /// All of one.
    Whole(u32),
    /// A service.
    Service(u32),
    /// Every host of a LAN or subnet.
    Lan(u32),
    /// Every peer.
    Peers,
    /// What the cell serves.
    Cell,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    Peers,
    Peer(u32),
    Lan(u32),
    Kept(Ipv4Addr),
}

/// What each client may reach, by name.
#[derive(Debug, Clone, Default)]
pub(in crate::compile) struct Seen {
    /// Those with any grant at all, also of what has no name. Things may stand there twice.
    by_client: Hashed<Client, Vec<Thing>>,
}

impl Seen {
    /// At the moment `now`, Unix seconds.
    pub(in crate::compile) fn new(desired: &Desired, directory: &Directory<'_>, now: i64) -> Self {
        let mut seen = Self::default();
        seen.add(desired, directory, &desired.grants, now);
        seen
    }

    /// The same with grants beyond those of before, where nothing else has changed.
    pub(in crate::compile) fn more(
        &self,
        desired: &Desired,
        added: &[Arc<Grant>],
        now: i64,
        directory: &Directory<'_>,
    ) -> Self {
        let mut seen = self.clone();
        seen.add(desired, directory, added, now);
        seen
    }

    fn add(&mut self, desired: &Desired, directory: &Directory<'_>, grants: &[Arc<Grant>], now: i64) {
        let hosts = Hosts { desired, directory, by_address: OnceCell::new() };
        for said in Terms::of(grants, desired, now).holding(grants) {
            let things: Vec<Thing> = said.to.iter().flat_map(|target| hosts.things(target)).collect();
            for client in said.from.iter().flat_map(|subject| clients(directory, subject)) {
                self.by_client.or_default(client).extend(&things);
            }
        }
    }

    /// Each once, in order.
    fn of(&self, clients: &[Client], more: Option<Thing>) -> Vec<Thing> {
        let found = clients.iter().filter_map(|client| self.by_client.get(client)).flatten().copied();
        let mut things: Vec<Thing> = found.chain(more).collect();
        things.sort_unstable();
        things.dedup();
        things
    }

    /// Whether a peer has any `[[grant]]`.
    pub(in crate::compile) fn is_granted(&self, peer: u32) -> bool {
        [Client::Peers, Client::Peer(peer)].iter().any(|client| self.by_client.get(client).is_some())
    }

    /// What every peer may reach.
    pub(in crate::compile) fn by_peers(&self) -> Vec<Thing> {
        self.of(&[Client::Peers], None)
    }

    /// What one may reach.
    pub(in crate::compile) fn by_peer(&self, peer: u32) -> Vec<Thing> {
        self.of(&[Client::Peers, Client::Peer(peer)], None)
    }

    /// What the hosts of a LAN may reach, each other first of all.
    pub(in crate::compile) fn by_lan(&self, lan: u32) -> Vec<Thing> {
        self.of(&[Client::Lan(lan)], Some(Thing::Lan(lan)))
    }

    /// What one of them may reach.
    pub(in crate::compile) fn by_kept(&self, lan: u32, kept: &Reservation) -> Vec<Thing> {
        self.of(&[Client::Lan(lan), Client::Kept(kept.address)], Some(Thing::Lan(lan)))
    }
}

fn clients(directory: &Directory<'_>, subject: &Subject) -> Vec<Client> {
    let Subject::Named(name) = subject else { return vec![Client::Peers] };
    let Some((number, named)) = directory.numbered(name.as_str()) else { return Vec::new() };
    match named {
        Named::Peer(_) => vec![Client::Peer(number)],
        Named::Lan(_) => vec![Client::Lan(number)],
        Named::Kept(kept) => vec![Client::Kept(kept.address)],
        Named::Group => {
            let one = |member: &Member<'_>| match member {
                Member::Peer(name, _) => directory.number(name).map(Client::Peer),
                Member::Kept(kept) => Some(Client::Kept(kept.address)),
            };
            directory.members(name.as_str()).iter().filter_map(one).collect()
        }
        Named::Service(_) => Vec::new(),
    }
}

/// Whoever may reach any of these is shown the name of a host in this LAN (`None`: of a peer).
pub(in crate::compile) fn shows_host(name: Option<u32>, lan: Option<u32>) -> impl Iterator<Item = Thing> {
    let own = name.into_iter().flat_map(|name| [Thing::Host(name), Thing::Whole(name)]);
    own.chain([lan.map_or(Thing::Peers, Thing::Lan)])
}

/// The same of a service: itself, or all of the host that offers it.
pub(in crate::compile) fn shows_service(
    service: Option<u32>,
    host: Option<(u32, Option<u32>)>,
) -> impl Iterator<Item = Thing> {
    let by_host = host.map(|(name, lan)| [Thing::Whole(name), lan.map_or(Thing::Peers, Thing::Lan)]);
    by_host.into_iter().flatten().chain(service.map(Thing::Service))
}

/// Where targets lead, by name.
struct Hosts<'d> {
    desired: &'d Desired,
    directory: &'d Directory<'d>,
    /// Numbers of names by address: few grants are of networks.
    by_address: OnceCell<BTreeMap<Ipv4Addr, u32>>,
}

impl Hosts<'_> {
    fn by_address(&self) -> &BTreeMap<Ipv4Addr, u32> {
        let number = |name: &str| self.directory.number(name);
        let peers = self.desired.peers.iter();
        let peers = peers.filter_map(|(name, peer)| Some((peer.address, number(name.as_str())?)));
        let kept = self.desired.reservations.iter();
        let kept = kept.filter_map(|kept| Some((kept.address, number(kept.name.as_ref()?.as_str())?)));
        self.by_address.get_or_init(|| peers.chain(kept).collect())
    }

    fn things(&self, target: &Target) -> Vec<Thing> {
        let host = |number| if target.ports.is_none() { Thing::Whole(number) } else { Thing::Host(number) };
        match &target.to {
            Where::Peers => vec![Thing::Peers],
            Where::Cell => vec![Thing::Cell],
            Where::Network(IpNet::V4(net)) => self.within(*net, host),
            Where::Named(name) => self.named(name.as_str(), host),
            Where::Network(IpNet::V6(_))
            | Where::Internet
            | Where::Dns
            | Where::Time
            | Where::Ssh
            | Where::Ping => Vec::new(),
        }
    }

    fn named(&self, name: &str, host: impl Fn(u32) -> Thing) -> Vec<Thing> {
        let number = |name: &str| self.directory.number(name);
        let Some((own, named)) = self.directory.numbered(name) else { return Vec::new() };
        match named {
            Named::Peer(_) | Named::Kept(_) => vec![host(own)],
            Named::Lan(_) => vec![Thing::Lan(own)],
            Named::Group => {
                let of_member = |member: &Member<'_>| match member {
                    Member::Peer(name, _) => number(name),
                    Member::Kept(kept) => number(kept.name.as_ref()?.as_str()),
                };
                self.directory.members(name).iter().filter_map(of_member).map(host).collect()
            }
            Named::Service(service) => {
                let offered = match &service.host {
                    Host::Named(host) => number(host.as_str()).map(Thing::Host),
                    Host::Cell | Host::Internet | Host::Address(_) | Host::Outside(_) => None,
                };
                offered.into_iter().chain([Thing::Service(own)]).collect()
            }
        }
    }

    fn within(&self, net: Ipv4Net, host: impl Fn(u32) -> Thing) -> Vec<Thing> {
        let hosts = self.by_address().range(net.network()..=net.broadcast()).map(|(_, number)| host(*number));
        let lans = self.desired.lans.iter().map(|(name, lan)| (name, lan.ipv4.trunc()));
        let subnets = self.desired.subnets.iter().map(|(name, subnet)| (name, subnet.ipv4));
        let whole = lans.chain(subnets).filter(|(_, own)| net.contains(own));
        let whole = whole.filter_map(|(name, _)| self.directory.number(name.as_str()));
        hosts.chain(whole.map(Thing::Lan)).collect()
    }
}
