//! What the server does with a DHCPv6 message. Pure: no socket, clock or disk; [`Server6::handle`] takes a packet and a
//! time and says what is to be done. Rules are those of RFC 8415 section 18.3.
//!
//! A client has one number per identity association: what follows the 64 bits of a prefix. Its addresses are that number
//! in each prefix of its network, so that a prefix that changes moves nobody. On disk it is the address in the network's
//! own prefix. Offers are not remembered: the number is found anew from the client's identity, so that a flood of
//! solicitations takes nothing from anybody.

mod answer;
mod net;
mod routers;

use std::net::Ipv6Addr;

use pic_model::snapshot::dhcp::DhcpSnapshot;

use crate::delegation::Book;
use crate::lease::{Lease, State};
use crate::v6::{duid, kind, read, relay};
pub use answer::duid_of;
pub use net::{Net6, join};
pub use routers::router_of;

/// What must be on disk before a reply leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record6 {
    /// The address in the network's own prefix.
    pub address: Ipv6Addr,
    /// Its lease from now on.
    pub lease: Lease,
    /// The client had it before: it may keep it even if the disk takes nothing.
    pub is_renewal: bool,
}

/// What is to be done about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action6 {
    /// Nothing.
    None,
    /// Send.
    Send(Reply6),
    /// Write all of these, then send.
    Commit(Vec<Record6>, Reply6),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply6 {
    /// The whole payload, with relays' envelopes.
    pub bytes: Vec<u8>,
    /// Port that it goes to; `None` is the one that the relay sent from.
    pub port: Option<u16>,
}

/// Where a packet has come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From6 {
    /// Number of the network whose interface it came in by.
    pub lan: usize,
    /// Source address.
    pub source: Ipv6Addr,
    /// Hardware address of the sender, where it is known.
    pub mac: Option<[u8; 6]>,
}

/// All networks and their leases.
#[derive(Debug, Default)]
pub struct Server6 {
    /// By the number of the network; those without v6 have none.
    nets: Vec<Option<Net6>>,
    duid: Vec<u8>,
    /// Leases of networks that are not served at present.
    elsewhere: Vec<(Ipv6Addr, Lease)>,
}

impl Server6 {
    /// Serves these networks from now on; leases stay with their addresses.
    pub fn configure(&mut self, snapshot: &DhcpSnapshot) {
        let old = std::mem::take(&mut self.nets);
        let leases = old.into_iter().flatten().flat_map(|net| net.drain().collect::<Vec<_>>());
        let leases: Vec<_> = leases.chain(self.elsewhere.drain(..)).collect();
        self.nets = snapshot.lans.iter().map(Net6::new).collect();
        self.duid = snapshot.duid.as_ref().map(|duid| duid.0.clone()).unwrap_or_default();
        self.load(leases);
    }

    /// Takes leases over, as from the disk: in the order in which they were made.
    pub fn load(&mut self, leases: impl IntoIterator<Item = (Ipv6Addr, Lease)>) {
        for (address, lease) in leases {
            match self.net_of(address) {
                Some(net) => net.table.put(net::number(address), lease),
                None => self.elsewhere.push((address, lease)),
            }
        }
    }

    /// The networks, by their number.
    pub fn nets(&self) -> impl Iterator<Item = (usize, &Net6)> {
        self.nets.iter().enumerate().filter_map(|(at, net)| Some((at, net.as_ref()?)))
    }

    /// Every lease that is to be kept on disk.
    pub fn leases(&self) -> impl Iterator<Item = (Ipv6Addr, &Lease)> {
        let kept = |lease: &Lease| matches!(lease.state, State::Bound | State::Released | State::Declined);
        let elsewhere = self.elsewhere.iter().map(|(address, lease)| (*address, lease));
        let here = self.nets.iter().flatten().flat_map(|net| {
            net.table.iter().map(|(number, lease)| (net::join(net.lan.prefix, number), lease))
        });
        here.chain(elsewhere).filter(move |(_, lease)| kept(lease))
    }

    /// Number of addresses that are known.
    pub fn len(&self) -> usize {
        self.nets.iter().flatten().map(|net| net.table.len()).sum::<usize>() + self.elsewhere.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn net_of(&mut self, address: Ipv6Addr) -> Option<&mut Net6> {
        self.nets.iter_mut().flatten().find(|net| net.lan.prefix.contains(&address))
    }

    /// What is to be done about a packet.
    pub fn handle(&mut self, from: From6, packet: &[u8], book: &Book, now: u64) -> Action6 {
        let Some(opened) = relay::open(packet) else { return Action6::None };
        let Some(message) = read(opened.inner) else { return Action6::None };
        let is_near = from.source.is_unicast_link_local();
        if (opened.hops.is_empty() && !is_near) || message.server.is_some_and(|server| server != self.duid) {
            return Action6::None;
        }
        let net = match opened.link() {
            Some(link) => self.nets.iter_mut().flatten().find(|net| net.has(link)),
            None => self.nets.get_mut(from.lan).and_then(Option::as_mut),
        };
        let Some(net) = net else { return Action6::None };
        let source = opened.hops.last().map_or(from.source, relay::Hop::peer);
        let near = from.mac.filter(|_| opened.hops.is_empty()).or_else(|| opened.mac());
        // A DUID has the address of some interface of the device, which need not be this one.
        let near = near.or_else(|| duid::mac_of_link_local(source));
        let mac = near.or_else(|| message.client.and_then(duid::mac));
        let via = Some(from.source).filter(|_| opened.hops.is_empty());
        let client = net::Client { mac, prefixes: crate::prefixes::of(&net.lan, book, now), via, now };
        let done = net.answer(&message, &client, &self.duid, book);
        let Some((records, out)) = done else { return Action6::None };
        let port = match opened.hops.first() {
            None => Some(crate::v6::CLIENT_PORT),
            Some(hop) => (!hop.own_port).then_some(crate::v6::SERVER_PORT),
        };
        let reply = Reply6 { bytes: opened.close(out), port };
        if records.is_empty() { Action6::Send(reply) } else { Action6::Commit(records, reply) }
    }

    /// A new lease could not be written: its client was not told.
    pub fn unwritten(&mut self, address: Ipv6Addr, now: u64) {
        if let Some(net) = self.net_of(address) {
            net.table.change(net::number(address), |lease| {
                lease.state = State::Offered;
                lease.expires = now;
            });
        }
    }

    /// Ends a lease on the owner's word; any of its addresses tells which, and of a router's, that of any of its prefixes.
    pub fn end(&mut self, address: Ipv6Addr, book: &Book, now: u64) -> Option<Record6> {
        let one = |net: &Net6| {
            let host = || net.has(address).then(|| net::number(address));
            net.router_with(address, book, now).or_else(host)
        };
        let (net, number) =
            self.nets.iter_mut().flatten().find_map(|net| one(net).map(|number| (net, number)))?;
        net.table.get(number).filter(|lease| lease.state != State::Released)?;
        net.release(number, now)
    }
}

/// Whether a message is one that a server answers.
pub(crate) fn is_question(message: u8) -> bool {
    matches!(
        message,
        kind::SOLICIT
            | kind::REQUEST
            | kind::CONFIRM
            | kind::RENEW
            | kind::REBIND
            | kind::RELEASE
            | kind::DECLINE
            | kind::INFORMATION_REQUEST
    )
}
