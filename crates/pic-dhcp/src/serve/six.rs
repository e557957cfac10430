//! DHCPv6 packets, and answers to them that wait for the disk.

use std::collections::BTreeMap;
use std::net::SocketAddrV6;

use ipnet::Ipv6Net;
use pic_model::snapshot::dhcp::{DhcpSnapshot, DhcpState, Ipv6Lan, OtherRouter};

use super::commit::Pending6;
use super::{BATCH, PACKET, Service};
use crate::prefixes;
use crate::server6::{Action6, From6, Reply6};

/// Prefixes of an interface that are no longer to be there.
pub(super) type Gone = BTreeMap<String, Vec<Ipv6Net>>;

fn networks(lan: &Ipv6Lan) -> impl Iterator<Item = Ipv6Net> {
    std::iter::once(&lan.prefix).chain(&lan.routed).chain(&lan.delegated).copied()
}

impl Service {
    /// Takes back what was advertised where a new snapshot has nothing to advertise; says which prefixes go elsewhere.
    pub(super) fn farewells(&self, snapshot: &DhcpSnapshot) -> Gone {
        let mut gone = Gone::new();
        for (port, lan) in self.ports.iter().zip(self.server.lans()) {
            let v6 = port.as_ref().and_then(|port| port.v6.as_ref()).zip(lan.ipv6.as_ref());
            let Some((v6, old)) = v6 else { continue };
            let new = snapshot.lans.iter().find(|new| new.interface == lan.interface);
            match new.and_then(|new| new.ipv6.as_ref()) {
                None => v6.farewell(old, &prefixes::of(old, &self.uplink.book, self.clock.seconds())),
                Some(new) => {
                    let left = networks(old).filter(|net| !networks(new).any(|other| other == *net));
                    gone.insert(lan.interface.clone(), left.collect());
                }
            }
        }
        gone
    }

    /// Hosts hear at once what has changed.
    pub(super) fn advertise_soon(&mut self, mut gone: Gone) {
        let now = self.clock.milliseconds();
        for port in self.ports.iter_mut().flatten() {
            if let Some(v6) = &mut port.v6 {
                v6.soon(gone.remove(&port.name).unwrap_or_default(), now);
            }
        }
    }

    /// The uplink's prefix: asked for, taken, and hosts and the agent told when it is another.
    pub(super) fn work_uplink(&mut self, now: u64) {
        let seconds = self.clock.seconds();
        if self.uplink.work(seconds, now) {
            self.advertise_soon(Gone::new());
            self.names.touch();
            self.routers.touch();
        }
        self.uplink.tell(seconds);
    }

    /// How everything is in v6, beside what is said of v4.
    pub(super) fn add6(&self, mut state: DhcpState) -> DhcpState {
        let now = self.clock.seconds();
        state.uplink = self.uplink.state(now);
        let clock = self.clock.milliseconds();
        for (lan, port) in state.lans.iter_mut().zip(&self.ports) {
            let v6 = port.as_ref().and_then(|port| port.v6.as_ref());
            let others = v6.into_iter().flat_map(|v6| v6.others(clock));
            lan.routers = others
                .map(|(address, heard)| OtherRouter {
                    address,
                    default: heard.router,
                    prefixes: heard.prefixes.clone(),
                })
                .collect();
        }
        for (_, net) in self.server6.nets() {
            state.leases.extend(crate::control::leases6(net, &self.uplink.book, now));
        }
        state
    }

    /// Advertisements of a network, and packets that have come in by its interface.
    pub(super) fn work6(&mut self, lan: usize, now: u64) {
        let seconds = self.clock.seconds();
        let ipv6 = self.server.nets().get(lan).and_then(|net| net.lan.ipv6.as_ref());
        let port = self.ports.get_mut(lan).and_then(Option::as_mut);
        let Some((v6, ipv6)) = port.and_then(|port| port.v6.as_mut()).zip(ipv6) else { return };
        v6.work(ipv6, &prefixes::of(ipv6, &self.uplink.book, seconds), now);
        let mut buffer = [0; PACKET];
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get(lan) else { return };
            let Some((length, from)) = port.v6.as_ref().and_then(|v6| v6.receive(&mut buffer)) else {
                return;
            };
            let source = From6 { lan, source: *from.ip(), mac: None };
            let packet = buffer.get(..length).unwrap_or_default();
            match self.server6.handle(source, packet, &self.uplink.book, seconds) {
                Action6::None => {}
                Action6::Send(reply) => self.send6(lan, &addressed(reply, from)),
                Action6::Commit(records, reply) => {
                    let reply = Some(addressed(reply, from));
                    self.ledger.add6(Pending6 { lan, records, reply });
                }
            }
        }
    }

    /// The disk took what was to be written, or not.
    pub(super) fn written6(&mut self, pending: Pending6, is_bad: bool) {
        let Pending6 { lan, records, reply } = pending;
        self.ledger.settled6(&records);
        let now = self.clock.seconds();
        let new = records.iter().filter(|record| !record.is_renewal);
        let lost: Vec<_> = new.filter(|_| is_bad).map(|record| record.address).collect();
        if !lost.is_empty() {
            lost.into_iter().for_each(|address| self.server6.unwritten(address, now));
            return;
        }
        if records.iter().any(|record| record.lease.name.is_some()) {
            self.names.touch();
        }
        if records.iter().any(|record| record.lease.via.is_some()) {
            self.routers.touch();
        }
        if let Some(reply) = reply {
            self.send6(lan, &reply);
        }
    }

    fn send6(&self, lan: usize, (to, bytes): &(SocketAddrV6, Vec<u8>)) {
        let port = self.ports.get(lan).and_then(Option::as_ref).and_then(|port| port.v6.as_ref());
        if let Some(v6) = port {
            v6.send(*to, bytes);
        }
    }
}

fn addressed(reply: Reply6, mut from: SocketAddrV6) -> (SocketAddrV6, Vec<u8>) {
    from.set_port(reply.port.unwrap_or(from.port()));
    (from, reply.bytes)
}
