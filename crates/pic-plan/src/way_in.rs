//! Whether a change takes from its maker, or from an admin, the way by which they come in.
//!
//! The first packet of a new connection is walked through what is in force and through what would be: the next
//! connection is what a change is confirmed over. Grants, groups, forwards, LANs and the firewall all end there, so
//! nothing need be known here of what could be in the way.

use std::net::IpAddr;

use pic_model::Desired;
use pic_model::desired::{Port, Protocol};
use pic_model::reach::{Host, Service, Target};

use crate::facts::Facts;
use crate::plan::Risk;
use crate::reach::{Ends, Packet, enters, ways};
use crate::target::Targets;

/// Port of names (RFC 1035).
const NAMES: Port = Port { protocol: Protocol::Udp, number: 53 };

/// The connection that somebody is logged in by, as sshd tells it (`SSH_CONNECTION`, ssh(1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Where they come from.
    pub from: IpAddr,
    /// Their TCP port there, which tells connections apart; 0 is not known.
    pub from_port: u16,
    /// The address of this host that they came to.
    pub to: IpAddr,
    /// sshd's TCP port.
    pub port: u16,
}

/// A state and what it compiles to.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// What is wanted.
    pub desired: &'a Desired,
    /// What that makes.
    pub targets: &'a Targets,
    /// Of which host.
    pub facts: &'a Facts,
}

/// Ways in that `before` has and `after` has not: of the session, and of each admin of `before`.
pub fn lost(before: State<'_>, after: State<'_>, session: Option<Session>) -> Vec<Risk> {
    let mut ways = Vec::new();
    let ssh = |number| Port { protocol: Protocol::Tcp, number };
    let is_known = |s: &Session| {
        s.from.is_ipv4() == s.to.is_ipv4() && arrives(before, s.from, s.to, ssh(s.port)).is_ok()
    };
    let session = session.filter(is_known);
    if let Some(Session { from, to, port, .. }) = session {
        let ssh = ssh(port);
        ways.extend([("your own way in", from, to, ssh), ("your way to names", from, to, NAMES)]);
    }
    let firewall = &before.desired.firewall;
    for admin in &firewall.admin {
        let is_own = |number| session.is_some_and(|own| own.from == *admin && own.port == number);
        for number in firewall.ssh.iter().filter(|number| !is_own(**number)) {
            let port = ssh(*number);
            ways.extend(toward(before, *admin, port).map(|to| ("the way in of an admin", *admin, to, port)));
        }
    }
    let one = |(whose, from, to, port)| {
        arrives(before, from, to, port).ok()?;
        let why = arrives(after, from, to, port).err()?;
        let to = Target { host: Host::Address(to), service: Service::Port(port) };
        Some(Risk { words: format!("{whose} closes: {from} to {to} ({why})") })
    };
    ways.into_iter().filter_map(one).collect()
}

/// The address at which the host is asked by somebody.
fn toward(state: State<'_>, from: IpAddr, port: Port) -> Option<IpAddr> {
    let target = Target { host: Host::Cell, service: Service::Port(port) };
    let ways = ways(state.desired, state.facts, state.targets, &Host::Address(from), &target).ok()?;
    ways.first().map(|way| way.packet.destination)
}

/// Whether a first packet gets to the host itself; else what stopped it.
fn arrives(state: State<'_>, from: IpAddr, to: IpAddr, port: Port) -> Result<(), String> {
    let iif = Ends::new(state.desired, state.facts, state.targets).interface_of(from);
    let packet =
        Packet { iif, source: from, destination: to, service: Service::Port(port), learned: Vec::new() };
    enters(state.targets, &packet)
        .map_err(|last| last.map_or_else(String::new, |step| format!("{}: {}", step.place, step.words)))
}

#[cfg(test)]
mod tests;
