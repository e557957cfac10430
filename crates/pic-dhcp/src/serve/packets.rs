//! Packets of clients, and probes for them.

use std::net::Ipv4Addr;

use nix::sys::socket::{MsgFlags, recv};

use super::look::Told;
use super::ping::Pinger;
use super::{BATCH, PACKET, Service};
use crate::server::Action;
use crate::wire::{self, Kind, Message, Reply, frame};

/// An address behind a relay is claimed by whoever answers, as nobody there has it yet.
const NOBODY: [u8; 6] = [0; 6];

impl Service {
    pub(super) fn look(&mut self, lan: usize, now: u64) {
        let Some((Some(port), net)) =
            self.ports.get_mut(lan).map(Option::as_mut).zip(self.server.nets().get(lan))
        else {
            return;
        };
        match port.look.step(&port.interface, net.lan.address.addr(), now) {
            Some(Told { is_bad: false, words }) => tracing::info!(lan = net.lan.name, "{words}"),
            Some(Told { is_bad: true, words }) => tracing::warn!(lan = net.lan.name, "{words}"),
            None => {}
        }
    }

    /// Somebody on the link says to have an address that is being probed.
    pub(super) fn hear_claims(&mut self, lan: usize) {
        let mut buffer = [0; 128];
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get(lan) else { return };
            let fd = std::os::fd::AsRawFd::as_raw_fd(&port.arp);
            let Ok(length) = recv(fd, &mut buffer, MsgFlags::MSG_DONTWAIT) else { return };
            let claim = buffer.get(..length).and_then(frame::arp_sender);
            let Some((mac, address)) = claim.filter(|(mac, _)| *mac != port.interface.mac) else { continue };
            self.claimed(address, mac);
        }
    }

    /// The same behind relays, where the question is a ping.
    pub(super) fn hear_pings(&mut self) {
        for _ in 0..BATCH {
            match self.pinger.as_ref().map(Pinger::heard) {
                Some(Ok(Some(address))) => self.claimed(address, NOBODY),
                Some(Ok(None)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }

    fn claimed(&mut self, address: Ipv4Addr, by: [u8; 6]) {
        let Some(waiting) = self.probes.claimed(address, by) else { return };
        tracing::warn!(%address, "another host uses an address that was to be given out; it is left out for a while");
        let action = self.server.conflict(address, self.clock.seconds());
        self.act(waiting.lan, action, None);
        self.handle(waiting.lan, &waiting.packet);
    }

    fn ask(&mut self, address: Ipv4Addr, lan: usize) {
        let is_near = self.server.nets().get(lan).is_some_and(|net| net.lan.address.contains(&address));
        match self.ports.get(lan) {
            Some(Some(port)) if is_near => port.ask(address),
            _ => self.pinger.iter_mut().for_each(|pinger| pinger.ask(address)),
        }
    }

    pub(super) fn finish_probes(&mut self, now: u64) {
        for (address, lan) in self.probes.again(now) {
            self.ask(address, lan);
        }
        for (address, waiting) in self.probes.proved(now) {
            self.server.proved(address);
            self.handle(waiting.lan, &waiting.packet);
        }
    }

    pub(super) fn receive(&mut self, lan: usize) {
        let mut buffer = [0; PACKET];
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get(lan) else { return };
            let Ok((length, _)) = port.udp.recv_from(&mut buffer) else { return };
            if port.look.is_serving() {
                let packet = buffer;
                self.handle(lan, packet.get(..length).unwrap_or_default());
            }
        }
    }

    fn handle(&mut self, lan: usize, packet: &[u8]) {
        let Some(message) = wire::read(packet) else { return };
        self.suspect(lan, &message);
        let action = self.server.handle(lan, &message, self.clock.seconds());
        self.act(lan, action, Some((&message, packet)));
    }

    /// A client that has chosen another server says so to everyone: whether one answers is looked at again.
    fn suspect(&mut self, lan: usize, message: &Message<'_>) {
        let own = self.server.nets().get(lan).map(|net| net.lan.address.addr());
        let is_near = message.kind == Kind::Request && message.giaddr().is_unspecified();
        if is_near
            && message.server.is_some_and(|server| Some(server) != own)
            && let Some(Some(port)) = self.ports.get_mut(lan)
        {
            port.look.suspect();
        }
    }

    fn act(&mut self, lan: usize, action: Action, about: Option<(&Message<'_>, &[u8])>) {
        match action {
            Action::None => {}
            Action::Send(reply) => self.send(lan, &reply),
            Action::Commit(record, reply) => self.ledger.add(lan, record, reply),
            Action::Probe(address) => {
                let Some((message, packet)) = about else { return };
                let (mac, now) = (message.mac().unwrap_or_default(), self.clock.milliseconds());
                if self.probes.begin(address, lan, mac, packet, now) {
                    self.ask(address, lan);
                }
            }
        }
    }

    pub(super) fn send(&self, lan: usize, reply: &Reply) {
        let own = self.server.nets().get(lan).map_or(Ipv4Addr::UNSPECIFIED, |net| net.lan.address.addr());
        if let Some(Some(port)) = self.ports.get(lan) {
            port.send(own, reply);
        }
    }
}
