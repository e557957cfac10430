//! From the names of two ends to the packets between them, one for each family that both have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pic_model::desired::{Desired, Peer};
use pic_model::lan::APP_HOST6;
use pic_model::name::{PeerName, SubjectName};
use pic_model::reach::{Host, Target};

use super::packet::Packet;
use super::routing::is_local;
use crate::compile::exit::egress;
use crate::compile::{Network, ResolvedLan};
use crate::facts::Facts;
use crate::marks::WIREGUARD_INTERFACE;
use crate::target::Targets;

/// Why there is no packet between two ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// Nobody is called so.
    #[error("there is no peer, LAN, app or reservation named \"{0}\"")]
    Unknown(String),
    /// One has only v4 and the other only v6, or the host has no way out at all.
    #[error("{0} and {1} have no addresses of one family")]
    Apart(String, String),
}

/// A packet between two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The packet.
    pub packet: Packet,
}

/// Where a host is and what it is called by.
#[derive(Debug, Clone, Default)]
struct Spot {
    /// Interface it is behind; `None`: it is the host itself.
    interface: Option<String>,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

/// What the names of ends are looked up in. For many of them it is made once: the cell's networks follow from its public key,
/// which is computed.
#[derive(Debug)]
pub struct Ends<'a> {
    desired: &'a Desired,
    facts: &'a Facts,
    targets: &'a Targets,
    network: Network,
    lans: Vec<ResolvedLan<'a>>,
}

/// The packets that `from` would send to `target` first: one per family. For many ends there is [`Ends`].
pub fn ways(
    desired: &Desired,
    facts: &Facts,
    targets: &Targets,
    from: &Host,
    target: &Target,
) -> Result<Vec<Way>, EndError> {
    Ends::new(desired, facts, targets).ways(from, target)
}

/// Sets that the addresses of a name of the internet are in, once it is looked up.
pub fn learned(desired: &Desired, host: &Host) -> Vec<String> {
    let Host::Outside(name) = host else { return Vec::new() };
    egress::learned_of(desired, name).iter().flat_map(|learned| egress::sets_of(learned)).collect()
}

impl<'a> Ends<'a> {
    /// Of a state that compiles to `targets` with these facts.
    pub fn new(desired: &'a Desired, facts: &'a Facts, targets: &'a Targets) -> Self {
        let (network, lans) = (Network::new(desired, facts), ResolvedLan::all(desired, facts));
        Self { desired, facts, targets, network, lans }
    }

    /// The packets that `from` would send to `target` first: one per family.
    pub fn ways(&self, from: &Host, target: &Target) -> Result<Vec<Way>, EndError> {
        let source = self.spot(from)?;
        let destination = self.destination(&target.host, &source)?;
        let pairs = [
            source.v4.map(IpAddr::from).zip(destination.v4.map(IpAddr::from)),
            source.v6.map(IpAddr::from).zip(destination.v6.map(IpAddr::from)),
        ];
        let learned = learned(self.desired, &target.host);
        let packet = |(from, to)| Packet {
            iif: source.interface.clone(),
            source: from,
            destination: to,
            service: target.service,
            learned: learned.clone(),
        };
        let ways: Vec<_> = pairs.into_iter().flatten().map(|pair| Way { packet: packet(pair) }).collect();
        if ways.is_empty() {
            Err(EndError::Apart(from.to_string(), target.host.to_string()))
        } else {
            Ok(ways)
        }
    }

    /// Whether an interface is one of the cell's own networks.
    pub fn is_inside(&self, interface: &str) -> bool {
        let own = self.lans.iter().filter(|lan| !lan.lan.uplink);
        interface == WIREGUARD_INTERFACE || own.into_iter().any(|lan| lan.device == interface)
    }

    /// The interface that an address is behind; `None`: it is the host's own.
    pub fn interface_of(&self, address: IpAddr) -> Option<String> {
        self.behind(address).interface
    }

    fn spot(&self, host: &Host) -> Result<Spot, EndError> {
        match host {
            Host::Cell => {
                Ok(Spot { interface: None, v4: Some(self.network.cell4), v6: self.network.cell6() })
            }
            Host::Internet | Host::Outside(_) => {
                Ok(Spot { interface: Some(self.uplink()), ..self.outside() })
            }
            Host::Named(name) => self.named(name.as_str()).ok_or_else(|| EndError::Unknown(name.to_string())),
            Host::Address(address) => Ok(self.behind(*address)),
        }
    }

    /// The same for the other end: the cell is asked at the address that it has toward the one who asks.
    fn destination(&self, host: &Host, from: &Spot) -> Result<Spot, EndError> {
        if *host != Host::Cell {
            return self.spot(host);
        }
        let lan = self.lans.iter().find(|lan| from.interface.as_ref() == Some(&lan.device));
        if let Some(lan) = lan {
            let v6 = lan.net6.map(pic_model::address::cell_v6);
            return Ok(Spot { interface: None, v4: Some(lan.lan.ipv4.addr()), v6 });
        }
        let uplink = self.facts.uplink.as_ref();
        match uplink.filter(|up| from.interface.as_deref() == Some(up.interface.as_str())) {
            Some(up) => Ok(Spot { interface: None, v4: up.ipv4, v6: up.ipv6 }),
            None => self.spot(host),
        }
    }

    fn named(&self, name: &str) -> Option<Spot> {
        let peer = name.parse().ok().and_then(|name: PeerName| self.desired.peers.get(&name));
        if let Some(peer) = peer {
            return Some(self.peer(peer));
        }
        let service = name.parse().ok().and_then(|name: SubjectName| self.desired.services.get(&name));
        if let Some(service) = service {
            return self.spot(&service.host).ok();
        }
        if let Some(lan) = self.lans.iter().find(|lan| lan.name == name) {
            return Some(some_host(lan));
        }
        let kept = self.desired.reservations.iter();
        let kept =
            kept.clone().find(|kept| kept.name.as_ref().is_some_and(|known| known.as_str() == name))?;
        let is_its = |lan: &&ResolvedLan<'_>| {
            lan.name == kept.lan.as_str() || lan.subnets.iter().any(|(name, _)| *name == kept.lan.as_str())
        };
        let lan = self.lans.iter().find(is_its)?;
        let v6 = kept.address6.zip(lan.net6).map(|(host, net)| pic_model::address::join_v6(net, host));
        Some(Spot { interface: Some(lan.device.clone()), v4: Some(kept.address), v6 })
    }

    fn peer(&self, peer: &Peer) -> Spot {
        let v6 = self.network.peer6(peer);
        Spot { interface: Some(WIREGUARD_INTERFACE.to_owned()), v4: Some(peer.address), v6 }
    }

    fn uplink(&self) -> String {
        let written = self.desired.uplink.interface.as_ref();
        let known = self.facts.uplink.as_ref().map(|uplink| &uplink.interface);
        written.or(known).map(ToString::to_string).unwrap_or_default()
    }

    /// An address of the internet that nothing here has: one of those kept for documentation (RFC 5737, 9637).
    fn outside(&self) -> Spot {
        // Nor one of those that have a way of their own.
        let own = || self.desired.egress.iter().flat_map(|line| &line.networks);
        let near = |address: IpAddr| {
            self.facts.host_networks.iter().any(|net| net.network.contains(&address))
                || own().any(|net| net.contains(&address))
        };
        let v4 = [[203, 0, 113, 77], [198, 51, 100, 77], [192, 0, 2, 77]].map(Ipv4Addr::from);
        let v6 = [0xfff, 0xffe].map(|part| Ipv6Addr::new(0x3fff, part, 0, 0, 0, 0, 0, 0x77));
        Spot {
            interface: None,
            v4: v4.into_iter().find(|address| !near((*address).into())),
            v6: v6.into_iter().find(|address| !near((*address).into())),
        }
    }

    /// Whoever has this address, by where the host would look for them.
    fn behind(&self, address: IpAddr) -> Spot {
        let near = self.facts.host_networks.iter().find(|near| near.network.contains(&address));
        let interface = match address {
            _ if is_local(self.targets, self.facts, address) => None,
            _ if self.network.networks().any(|net| net.contains(&address)) => {
                Some(WIREGUARD_INTERFACE.to_owned())
            }
            _ => {
                Some(match self.lans.iter().find(|lan| lan.with_routed().any(|net| net.contains(&address))) {
                    Some(lan) => lan.device.clone(),
                    None => near.map_or_else(|| self.uplink(), |near| near.interface.clone()),
                })
            }
        };
        match address {
            IpAddr::V4(v4) => Spot { interface, v4: Some(v4), v6: None },
            IpAddr::V6(v6) => Spot { interface, v4: None, v6: Some(v6) },
        }
    }
}

/// An app, or a host of a LAN that nobody need be: the last address that the cell itself has not.
fn some_host(lan: &ResolvedLan<'_>) -> Spot {
    if let Some(app) = lan.lan.app {
        let v6 = lan.net6.map(|net| pic_model::address::join_v6(net, APP_HOST6));
        return Spot { interface: Some(lan.device.clone()), v4: Some(app.address), v6 };
    }
    let last = lan.lan.ipv4.hosts().rfind(|address| *address != lan.lan.ipv4.addr());
    let v6 = lan.net6.map(|net| Ipv6Addr::from(u128::from(net.network()) | 0xffff));
    Spot { interface: Some(lan.device.clone()), v4: last, v6 }
}
