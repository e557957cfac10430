//! What the server does with a message. Pure: no socket, clock or disk; `handle` takes a packet and a time and says what
//! is to be done. Rules are those of RFC 2131 section 4.3; which address a client gets is in [`net`].

mod answer;
mod net;

use std::net::Ipv4Addr;

use pic_model::snapshot::dhcp::{DhcpSnapshot, LanSnapshot};

use crate::lease::{Lease, State};
use crate::wire::{Kind, Message, Reply};
pub use net::Net;

/// Seconds an offer is held for its client.
pub const OFFERED: u64 = 120;
/// Seconds an address rests that another host was found to use.
pub const PROBATION: u64 = 3600;

/// What must be on disk before a reply leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The address.
    pub address: u32,
    /// Its lease from now on.
    pub lease: Lease,
    /// The client had this address before: it may keep it even if the disk takes nothing.
    pub is_renewal: bool,
}

/// What is to be done about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Send.
    Send(Reply),
    /// Write, then send (a release has nothing to send).
    Commit(Record, Option<Reply>),
    /// Find out whether another host uses this address, call [`Server::proved`] or [`Server::conflict`], and handle the
    /// packet again.
    Probe(Ipv4Addr),
}

/// All networks and their leases.
#[derive(Debug, Default)]
pub struct Server {
    nets: Vec<Net>,
    /// Leases of networks that are not served at present.
    elsewhere: Vec<(u32, Lease)>,
}

impl Server {
    /// Serves these networks from now on; leases stay with their addresses.
    pub fn configure(&mut self, snapshot: &DhcpSnapshot) {
        let old = std::mem::take(&mut self.nets);
        let leases = old.into_iter().flat_map(|net| net.table.drain().collect::<Vec<_>>());
        let leases: Vec<_> = leases.chain(self.elsewhere.drain(..)).collect();
        self.nets = snapshot.lans.iter().cloned().map(Net::new).collect();
        self.load(leases);
    }

    /// Takes leases over, as from the disk: in the order in which they were made, as a client has only its last one.
    pub fn load(&mut self, leases: impl IntoIterator<Item = (u32, Lease)>) {
        for (address, lease) in leases {
            match self.net_of(Ipv4Addr::from_bits(address)) {
                Some(net) => net.table.put(address, lease),
                None => self.elsewhere.push((address, lease)),
            }
        }
    }

    /// The networks.
    pub fn nets(&self) -> &[Net] {
        &self.nets
    }

    /// Every lease that is to be kept on disk.
    pub fn leases(&self) -> impl Iterator<Item = (u32, &Lease)> {
        let elsewhere = self.elsewhere.iter().map(|(address, lease)| (*address, lease));
        let kept = |lease: &Lease| matches!(lease.state, State::Bound | State::Released | State::Declined);
        self.nets.iter().flat_map(|net| net.table.iter()).chain(elsewhere).filter(move |(_, l)| kept(l))
    }

    /// Number of addresses that are known.
    pub fn len(&self) -> usize {
        self.nets.iter().map(|net| net.table.len()).sum::<usize>() + self.elsewhere.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn net_of(&mut self, address: Ipv4Addr) -> Option<&mut Net> {
        self.nets.iter_mut().find(|net| net.network().contains(&address))
    }

    /// The network a message is about that came in by the interface of `lan`: of that interface or behind it, never
    /// one elsewhere, whatever the message says.
    fn meant(&self, lan: usize, message: &Message<'_>) -> Option<usize> {
        let carrier = self.nets.get(lan)?;
        let link = message.link();
        let place = match link.is_unspecified() {
            false => link,
            // Without a relay one that renews asks from where it is.
            true if carrier.network().contains(&message.ciaddr()) => return Some(lan),
            true => message.ciaddr(),
        };
        let is_it = |net: &Net| net.lan.interface == carrier.lan.interface && net.network().contains(&place);
        let found = self.nets.iter().position(is_it);
        if link.is_unspecified() { found.or(Some(lan)) } else { found }
    }

    /// What is to be done about a packet that came in on the interface of a network.
    pub fn handle(&mut self, lan: usize, message: &Message<'_>, now: u64) -> Action {
        if !message.is_request {
            return Action::None;
        }
        let net = self.meant(lan, message).and_then(|lan| self.nets.get_mut(lan));
        let Some(net) = net.filter(|net| net.lan.dhcp.is_some()) else { return Action::None };
        match message.kind {
            Kind::Discover => net.discover(message, now),
            Kind::Request => net.request(message, now),
            Kind::Release => net.release(message, now),
            Kind::Decline => net.decline(message, now),
            Kind::Inform => net.inform(message),
            Kind::Offer | Kind::Ack | Kind::Nak => Action::None,
        }
    }

    /// Nobody else was found to use an address.
    pub fn proved(&mut self, address: Ipv4Addr) {
        if let Some(net) = self.net_of(address) {
            net.table.change(address.to_bits(), |lease| {
                if lease.state == State::Unproven {
                    lease.state = State::Offered;
                }
            });
        }
    }

    /// Another host uses an address that was about to be offered.
    pub fn conflict(&mut self, address: Ipv4Addr, now: u64) -> Action {
        self.net_of(address).map_or(Action::None, |net| net.put_on_probation(address.to_bits(), now))
    }

    /// A new lease could not be written: its client was not told, and the address is only offered to it again.
    pub fn unwritten(&mut self, address: u32, now: u64) {
        if let Some(net) = self.net_of(Ipv4Addr::from_bits(address)) {
            net.table.change(address, |lease| {
                lease.state = State::Offered;
                lease.expires = now + OFFERED;
            });
        }
    }

    /// Ends a lease on the owner's word.
    pub fn end(&mut self, address: Ipv4Addr, now: u64) -> Option<Record> {
        let net = self.net_of(address)?;
        let bits = address.to_bits();
        net.table.get(bits).filter(|lease| lease.state != State::Released)?;
        net.table.change(bits, |lease| {
            lease.state = State::Released;
            lease.expires = now;
        });
        net.record(bits, false)
    }

    /// Which network an interface carries.
    pub fn lans(&self) -> impl Iterator<Item = &LanSnapshot> {
        self.nets.iter().map(|net| &net.lan)
    }
}
