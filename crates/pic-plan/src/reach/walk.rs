//! The whole way of a packet.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use pic_model::reach::Service;

use super::firewall::Inside;
use super::packet::{Packet, Step, Trace, Verdict};
use super::routing::{self, Next};
use crate::facts::Facts;
use crate::marks::WIREGUARD_INTERFACE;
use crate::target::Targets;
use crate::target::nft::{Hook, Table};

fn begin<'a>(table: &'a Table, packet: &Packet, is_local: bool) -> Inside<'a> {
    let packet = packet.clone();
    Inside { table, packet, is_forwarded: false, is_local, oif: None, mark: 0, steps: Vec::new() }
}

/// What the compiled state does with a packet. For many packets there is [`Walker`].
pub fn walk(targets: &Targets, facts: &Facts, packet: &Packet) -> Trace {
    Walker::new(targets, facts).walk(packet)
}

/// A compiled state through which packets are sent.
#[derive(Debug)]
pub struct Walker<'a> {
    targets: &'a Targets,
    facts: &'a Facts,
    tunnel: Tunnel,
}

impl<'a> Walker<'a> {
    /// Sorts the addresses of all peers once.
    pub fn new(targets: &'a Targets, facts: &'a Facts) -> Self {
        Self { targets, facts, tunnel: Tunnel::new(targets) }
    }

    /// What the state does with a packet.
    pub fn walk(&self, packet: &Packet) -> Trace {
        let none = Table::default();
        let is_local = routing::is_local(self.targets, self.facts, packet.destination);
        let mut inside = begin(self.targets.nft.as_ref().unwrap_or(&none), packet, is_local);
        let verdict = self.through(&mut inside).err().unwrap_or(Verdict::Allowed);
        let out = inside.oif.filter(|_| verdict == Verdict::Allowed);
        let end = (inside.packet.destination, inside.packet.service);
        Trace { steps: inside.steps, verdict, end, out, mark: inside.mark }
    }
}

/// Cryptokey routing: the tunnel carries only what some device's key stands for.
#[derive(Debug)]
struct Tunnel {
    hosts: BTreeSet<IpAddr>,
    networks: Vec<IpNet>,
}

/// What the keys of all devices stand for.
fn allowed(targets: &Targets) -> impl Iterator<Item = &IpNet> {
    let own = targets.wireguard.get(WIREGUARD_INTERFACE);
    own.into_iter().flat_map(|device| device.peers.values()).flat_map(|peer| &peer.allowed_ips)
}

impl Tunnel {
    fn new(targets: &Targets) -> Self {
        let (hosts, networks): (Vec<IpNet>, _) =
            allowed(targets).partition(|net| net.prefix_len() == net.max_prefix_len());
        Self { hosts: hosts.into_iter().map(|net| net.addr()).collect(), networks }
    }

    fn carries(&self, inside: &mut Inside<'_>, address: IpAddr) -> Result<(), Verdict> {
        let carries = self.hosts.contains(&address) || self.networks.iter().any(|net| net.contains(&address));
        Self::told(carries, inside, address)
    }

    /// What is not carried has no device.
    fn told(carries: bool, inside: &mut Inside<'_>, address: IpAddr) -> Result<(), Verdict> {
        if carries {
            return Ok(());
        }
        let words = format!("no device that is let in has the address {address}");
        inside.steps.push(Step { place: "tunnel".to_owned(), words });
        Err(Verdict::Unreachable)
    }
}

/// Whether a packet gets to the host itself at an address that is known to be the host's, as the one that somebody is
/// logged in at. `Err` is what stopped it or led it elsewhere, as far as that is known.
pub fn enters(targets: &Targets, packet: &Packet) -> Result<(), Option<Step>> {
    let none = Table::default();
    let mut inside = begin(targets.nft.as_ref().unwrap_or(&none), packet, true);
    let entered = enter(&mut inside, targets);
    match (entered, inside.is_forwarded, inside.packet.service) {
        (Ok(()), true, Service::Port(port)) => {
            let words = format!("led on to {}", SocketAddr::new(inside.packet.destination, port.number));
            Err(Some(Step { place: "translate".to_owned(), words }))
        }
        (Ok(()), ..) => Ok(()),
        (Err(_), ..) => Err(inside.steps.pop()),
    }
}

/// To the host itself, unless it is led elsewhere on the way.
fn enter(inside: &mut Inside<'_>, targets: &Targets) -> Result<(), Verdict> {
    let Some(iif) = inside.packet.iif.clone() else { return Ok(()) };
    if iif == WIREGUARD_INTERFACE {
        // One packet is not worth sorting all peers.
        let source = inside.packet.source;
        let carries = allowed(targets).any(|net| net.contains(&source));
        Tunnel::told(carries, inside, source)?;
    }
    inside.hook(Hook::Prerouting)?;
    if inside.is_forwarded { Ok(()) } else { inside.hook(Hook::Input) }
}

impl Walker<'_> {
    /// In the kernel's order. `Err` is how the packet ended on its way.
    fn through(&self, inside: &mut Inside<'_>) -> Result<(), Verdict> {
        let from = inside.packet.iif.clone();
        match &from {
            None => inside.hook(Hook::Output)?,
            Some(iif) if iif == WIREGUARD_INTERFACE => {
                self.tunnel.carries(inside, inside.packet.source)?;
                inside.hook(Hook::Prerouting)?;
            }
            Some(_) => inside.hook(Hook::Prerouting)?,
        }
        inside.is_local = routing::is_local(self.targets, self.facts, inside.packet.destination);
        let (next, words) = routing::next(self.targets, self.facts, &inside.packet, inside.mark);
        inside.steps.push(Step { place: "routing".to_owned(), words });
        match next {
            Next::Nowhere => Err(Verdict::Unreachable),
            Next::Local if from.is_none() => Ok(()),
            Next::Local => inside.hook(Hook::Input),
            Next::Out(oif) => {
                let to_peers = oif == WIREGUARD_INTERFACE;
                inside.oif = Some(oif);
                if from.is_some() {
                    inside.hook(Hook::Forward)?;
                }
                inside.hook(Hook::Postrouting)?;
                if to_peers { self.tunnel.carries(inside, inside.packet.destination) } else { Ok(()) }
            }
        }
    }
}
