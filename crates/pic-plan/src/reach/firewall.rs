//! A packet in the chains of our table, as the kernel walks them.

use std::net::IpAddr;

use pic_model::desired::Protocol;
use pic_model::reach::Service;

use super::packet::{Packet, Step, Verdict};
use crate::marks::MARK_MASK;
use crate::target::nft::{CT_NEW, Chain, Elements, Expr, Hook, Is, L4, Rule, Table};

/// Chains jumped into; the kernel's own limit (nf_tables `NFT_JUMP_STACK_SIZE`).
const DEEPEST: usize = 16;

/// A packet at some point of its way.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    pub(super) table: &'a Table,
    pub(super) packet: &'a Packet,
    /// Whether the destination is one of the host's own addresses.
    pub(super) is_local: bool,
    /// Interface that it leaves by, once that is known.
    pub(super) oif: Option<String>,
    /// Our bits of the mark.
    pub(super) mark: u32,
    pub(super) steps: Vec<Step>,
}

/// How a chain was left.
enum Flow {
    /// At its end, or by `return`.
    Through,
    Accepted,
    Stopped(Verdict),
}

impl Inside<'_> {
    /// All base chains of a hook, the lowest priority first. `Err` is how the packet ended.
    pub(super) fn hook(&mut self, hook: Hook) -> Result<(), Verdict> {
        let base = |chain: &&Chain| chain.base.is_some_and(|base| base.hook == hook);
        let mut chains: Vec<&Chain> = self.table.chains.iter().filter(base).collect();
        chains.sort_by_key(|chain| chain.base.map(|base| base.priority));
        for chain in chains {
            match self.chain(chain, 0) {
                Flow::Stopped(verdict) => return Err(verdict),
                Flow::Through if chain.base.is_some_and(|base| !base.accept) => {
                    self.step(&chain.name, "nothing lets it pass".to_owned());
                    return Err(Verdict::Dropped);
                }
                Flow::Through | Flow::Accepted => {}
            }
        }
        Ok(())
    }

    fn step(&mut self, place: &str, words: String) {
        self.steps.push(Step { place: place.to_owned(), words });
    }

    fn chain(&mut self, chain: &Chain, depth: usize) -> Flow {
        for rule in &chain.rules {
            if !rule.exprs.iter().all(|expr| self.matches(expr)) {
                continue;
            }
            match self.effect(chain, rule, depth) {
                Some(Flow::Through) => return Flow::Through,
                Some(flow) => return flow,
                None => {}
            }
        }
        Flow::Through
    }

    /// What a rule does whose matches all hold; `None`: the next rule is looked at.
    fn effect(&mut self, chain: &Chain, rule: &Rule, depth: usize) -> Option<Flow> {
        for expr in &rule.exprs {
            match expr {
                Expr::SetMark(mark) => {
                    self.mark = *mark;
                    if *mark != 0 {
                        self.step(
                            &chain.name,
                            format!("{}: marked {mark:#x}{}", rule.why, self.members(rule)),
                        );
                    }
                }
                Expr::Masquerade => {
                    self.step(&chain.name, format!("{}: source translated", rule.why));
                    return Some(Flow::Accepted);
                }
                Expr::Accept => {
                    self.step(&chain.name, format!("{}: passes{}", rule.why, self.members(rule)));
                    return Some(Flow::Accepted);
                }
                Expr::Drop => {
                    self.step(&chain.name, format!("{}: dropped{}", rule.why, self.members(rule)));
                    return Some(Flow::Stopped(Verdict::Dropped));
                }
                Expr::Reject => {
                    self.step(&chain.name, format!("{}: refused{}", rule.why, self.members(rule)));
                    return Some(Flow::Stopped(Verdict::Refused));
                }
                Expr::Return => return Some(Flow::Through),
                Expr::Jump(name) => return self.jump(name, depth),
                _ => {}
            }
        }
        None
    }

    fn jump(&mut self, name: &str, depth: usize) -> Option<Flow> {
        let table = self.table;
        let chain = table.chains.iter().find(|chain| chain.name == name).filter(|_| depth < DEEPEST)?;
        match self.chain(chain, depth + 1) {
            Flow::Through => None,
            flow => Some(flow),
        }
    }

    /// The sets that a rule found the packet in.
    fn members(&self, rule: &Rule) -> String {
        let said = rule.exprs.iter().filter_map(|expr| match expr {
            Expr::SourceIn(is, set) => Some((self.packet.source, is, set)),
            Expr::DestinationIn(is, set) => Some((self.packet.destination, is, set)),
            _ => None,
        });
        let said: Vec<_> = said
            .map(|(address, is, set)| match is {
                Is::In => format!("{address} in set {set}"),
                Is::NotIn => format!("{address} not in set {set}"),
            })
            .collect();
        if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
    }

    /// Whether a match holds; a statement always does.
    fn matches(&self, expr: &Expr) -> bool {
        let packet = self.packet;
        match expr {
            Expr::Iif(is, name) => holds(is, packet.iif.as_deref().is_some_and(|iif| is_named(iif, name))),
            Expr::Oif(is, name) => holds(is, self.oif.as_deref().is_some_and(|oif| is_named(oif, name))),
            Expr::Family(family) => packet.family() == *family,
            Expr::L4(l4) => transport(packet) == *l4,
            Expr::SourceIn(is, set) => holds(is, self.has(set, packet.source)),
            Expr::DestinationIn(is, set) => holds(is, self.has(set, packet.destination)),
            Expr::Source4(is, net) => matches!(packet.source, IpAddr::V4(ip) if holds(is, net.contains(&ip))),
            Expr::Destination4(is, net) => {
                matches!(packet.destination, IpAddr::V4(ip) if holds(is, net.contains(&ip)))
            }
            Expr::Source6(is, net) => matches!(packet.source, IpAddr::V6(ip) if holds(is, net.contains(&ip))),
            Expr::Destination6(is, net) => {
                matches!(packet.destination, IpAddr::V6(ip) if holds(is, net.contains(&ip)))
            }
            Expr::DestinationPort(port) => port_of(packet) == Some(*port),
            Expr::DestinationPortIn(set) => port_of(packet).is_some_and(|port| self.has_port(set, port)),
            Expr::IcmpType(kind) => matches!(
                (packet.service, packet.destination, kind),
                (Service::Ping, IpAddr::V4(_), 8) | (Service::Ping, IpAddr::V6(_), 128)
            ),
            Expr::CtState(states) => states & CT_NEW != 0,
            Expr::DestinationLocal(is) => holds(is, self.is_local),
            Expr::Mark(is, mark) => holds(is, self.mark & MARK_MASK == *mark),
            // Ephemeral ports, a usual hop limit, the first packet of a connection that nothing translated.
            Expr::SourcePort(_) | Expr::HopLimit6(_) | Expr::CtReply | Expr::CtDnat => false,
            Expr::Limit(..)
            | Expr::SetMark(_)
            | Expr::Counter
            | Expr::ClampMss
            | Expr::Masquerade
            | Expr::Accept
            | Expr::Drop
            | Expr::Reject
            | Expr::Jump(_)
            | Expr::Return => true,
        }
    }

    fn has(&self, set: &str, address: IpAddr) -> bool {
        match (self.table.sets.get(set), address) {
            (Some(Elements::V4(set)), IpAddr::V4(ip)) => set.contains(&ip),
            (Some(Elements::V6(set)), IpAddr::V6(ip)) => set.contains(&ip),
            (Some(Elements::Net4(set)), IpAddr::V4(ip)) => set.iter().any(|net| net.contains(&ip)),
            (Some(Elements::Net6(set)), IpAddr::V6(ip)) => set.iter().any(|net| net.contains(&ip)),
            _ => false,
        }
    }

    fn has_port(&self, set: &str, port: u16) -> bool {
        matches!(self.table.sets.get(set), Some(Elements::Ports(set)) if set.contains(&port))
    }
}

fn holds(is: &Is, found: bool) -> bool {
    match is {
        Is::In => found,
        Is::NotIn => !found,
    }
}

fn is_named(interface: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(interface == pattern, |prefix| interface.starts_with(prefix))
}

fn transport(packet: &Packet) -> L4 {
    match packet.service {
        Service::Ping if packet.destination.is_ipv4() => L4::Icmp,
        Service::Ping => L4::Icmp6,
        Service::Port(port) => match port.protocol {
            Protocol::Tcp => L4::Tcp,
            Protocol::Udp => L4::Udp,
        },
    }
}

fn port_of(packet: &Packet) -> Option<u16> {
    match packet.service {
        Service::Ping => None,
        Service::Port(port) => Some(port.number),
    }
}
