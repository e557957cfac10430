//! The whole way of a packet.

use std::net::{IpAddr, SocketAddr};

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

/// What the compiled state does with a packet.
pub fn walk(targets: &Targets, facts: &Facts, packet: &Packet) -> Trace {
    let none = Table::default();
    let is_local = routing::is_local(targets, facts, packet.destination);
    let mut inside = begin(targets.nft.as_ref().unwrap_or(&none), packet, is_local);
    let verdict = through(&mut inside, targets, facts).err().unwrap_or(Verdict::Allowed);
    let out = inside.oif.filter(|_| verdict == Verdict::Allowed);
    Trace { steps: inside.steps, verdict, out, mark: inside.mark }
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
        device(inside, targets, inside.packet.source)?;
    }
    inside.hook(Hook::Prerouting)?;
    if inside.is_forwarded { Ok(()) } else { inside.hook(Hook::Input) }
}

/// In the kernel's order. `Err` is how the packet ended on its way.
fn through(inside: &mut Inside<'_>, targets: &Targets, facts: &Facts) -> Result<(), Verdict> {
    let from = inside.packet.iif.clone();
    match &from {
        None => inside.hook(Hook::Output)?,
        Some(iif) if iif == WIREGUARD_INTERFACE => {
            device(inside, targets, inside.packet.source)?;
            inside.hook(Hook::Prerouting)?;
        }
        Some(_) => inside.hook(Hook::Prerouting)?,
    }
    inside.is_local = routing::is_local(targets, facts, inside.packet.destination);
    let (next, words) = routing::next(targets, facts, &inside.packet, inside.mark);
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
            if to_peers { device(inside, targets, inside.packet.destination) } else { Ok(()) }
        }
    }
}

/// Cryptokey routing: the tunnel carries only what some device's key stands for.
fn device(inside: &mut Inside<'_>, targets: &Targets, address: IpAddr) -> Result<(), Verdict> {
    let own = targets.wireguard.get(WIREGUARD_INTERFACE);
    let peers = own.into_iter().flat_map(|device| device.peers.values());
    if peers.flat_map(|peer| &peer.allowed_ips).any(|net| net.contains(&address)) {
        return Ok(());
    }
    let words = format!("no device that is let in has the address {address}");
    inside.steps.push(Step { place: "tunnel".to_owned(), words });
    Err(Verdict::Unreachable)
}
