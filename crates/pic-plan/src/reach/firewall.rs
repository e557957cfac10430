//! A packet in the chains of our table, as the kernel walks them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use pic_model::desired::Protocol;
use pic_model::reach::Service;

use super::packet::{Packet, Step, Verdict};
use crate::marks::MARK_MASK;
use crate::target::nft::{self, CT_NEW, Chain, Elements, Expr, Hook, Is, L4, Rule, Shape, Table};
use crate::target::rule::Family;

/// Chains jumped into; the kernel's own limit (nf_tables `NFT_JUMP_STACK_SIZE`).
const DEEPEST: usize = 16;

/// A packet at some point of its way.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    pub(super) table: &'a Table,
    pub(super) packet: Packet,
    /// Whether its destination was translated.
    pub(super) is_forwarded: bool,
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
                Expr::ForwardBy(map) => {
                    let (to, port) = self.forward(map)?;
                    return Some(self.on_to(chain, rule, SocketAddr::new(to, port)));
                }
                Expr::Onto(to) => return Some(self.on_to(chain, rule, *to)),
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
                Expr::Reject | Expr::Reset => {
                    self.step(&chain.name, format!("{}: refused{}", rule.why, self.members(rule)));
                    return Some(Flow::Stopped(Verdict::Refused));
                }
                Expr::Return => return Some(Flow::Through),
                Expr::Jump(name) => return self.jump(name, depth),
                Expr::Goto(name) => return Some(self.jump(name, depth).unwrap_or(Flow::Through)),
                _ => {}
            }
        }
        None
    }

    /// The destination is translated.
    fn on_to(&mut self, chain: &Chain, rule: &Rule, to: SocketAddr) -> Flow {
        self.step(&chain.name, format!("{}: on to {to}", rule.why));
        self.packet.destination = to.ip();
        if let Service::Port(service) = &mut self.packet.service {
            service.number = to.port();
        }
        self.is_forwarded = true;
        Flow::Accepted
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
        let said = said.map(|(address, is, set)| match is {
            Is::In => format!("{address} in set {set}"),
            Is::NotIn => format!("{address} not in set {set}"),
        });
        let flows = rule.exprs.iter().filter_map(|expr| match expr {
            Expr::FlowIn(shape, set) => Some(format!("{} in set {set}", self.cut(*shape)?)),
            _ => None,
        });
        let said: Vec<_> = said.chain(flows).collect();
        if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
    }

    /// Whether a match holds; a statement always does.
    fn matches(&self, expr: &Expr) -> bool {
        let packet = &self.packet;
        match expr {
            Expr::Iif(is, name) => holds(is, packet.iif.as_deref().is_some_and(|iif| is_named(iif, name))),
            Expr::Oif(is, name) => holds(is, self.oif.as_deref().is_some_and(|oif| is_named(oif, name))),
            Expr::Family(family) => packet.family() == *family,
            Expr::L4(l4) => transport(packet) == *l4,
            Expr::TcpBegins => transport(packet) == L4::Tcp,
            Expr::SourceIn(is, set) => holds(is, self.has(set, packet.source)),
            Expr::DestinationIn(is, set) => holds(is, self.has(set, packet.destination)),
            Expr::FlowIn(shape, set) => self.has_flow(*shape, set),
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
            Expr::Onto(to) => packet.destination.is_ipv4() == to.is_ipv4(),
            Expr::DestinationLocal(is) => holds(is, self.is_local),
            Expr::Mark(is, mark) => holds(is, self.mark & MARK_MASK == *mark),
            Expr::CtDnat => self.is_forwarded,
            // Ephemeral ports, a usual hop limit, the first packet of a connection, of somebody who does not hurry.
            Expr::SourcePort(_) | Expr::HopLimit6(_) | Expr::CtReply | Expr::Over(..) | Expr::TcpRunning => {
                false
            }
            // Those only count, or limit who is fast.
            Expr::IifIn(_) | Expr::OifIn(_) | Expr::SourceTwinIn(..) | Expr::DestinationTwinIn(..) => false,
            Expr::Limit(..)
            | Expr::SetMark(_)
            | Expr::ShareOfSource(_)
            | Expr::ShareOfDestination(_)
            | Expr::CtOriginal
            | Expr::Counter
            | Expr::CountSource(_)
            | Expr::CountDestination(_)
            | Expr::Refresh(_)
            | Expr::ClampMss
            | Expr::Masquerade
            | Expr::ForwardBy(_)
            | Expr::Accept
            | Expr::Drop
            | Expr::Reject
            | Expr::Reset
            | Expr::Jump(_)
            | Expr::Goto(_)
            | Expr::Return => true,
        }
    }

    fn has(&self, set: &str, address: IpAddr) -> bool {
        if address == self.packet.destination && self.packet.learned.iter().any(|known| known == set) {
            return true;
        }
        match (self.table.sets.get(set), address) {
            (Some(Elements::V4(set) | Elements::Learned4(set)), IpAddr::V4(ip)) => set.contains(&ip),
            (Some(Elements::V6(set) | Elements::Learned6(set)), IpAddr::V6(ip)) => set.contains(&ip),
            (Some(Elements::Net4(set)), IpAddr::V4(ip)) => set.iter().any(|net| net.contains(&ip)),
            (Some(Elements::Net6(set)), IpAddr::V6(ip)) => set.iter().any(|net| net.contains(&ip)),
            _ => false,
        }
    }

    /// Source and destination with only those bits that count.
    fn cut(&self, shape: Shape) -> Option<Cut> {
        let cut = |address: IpAddr, length| Some(IpNet::new(address, length).ok()?.network());
        let (source, destination) =
            (cut(self.packet.source, shape.source)?, cut(self.packet.destination, shape.destination)?);
        Some(Cut { shape, source, destination })
    }

    fn has_flow(&self, shape: Shape, set: &str) -> bool {
        let Some(Cut { source, destination, .. }) = self.cut(shape) else { return false };
        let port = port_of(&self.packet);
        let transport = transport(&self.packet);
        match (self.table.sets.get(set), source, destination, port) {
            (Some(Elements::Pairs4(set)), IpAddr::V4(from), IpAddr::V4(to), _) => set.contains(&(from, to)),
            (Some(Elements::Pairs6(set)), IpAddr::V6(from), IpAddr::V6(to), _) => set.contains(&(from, to)),
            (Some(Elements::Flows4(set)), IpAddr::V4(source), IpAddr::V4(destination), Some(port)) => {
                set.contains(&nft::Flow { source, destination, transport, port })
            }
            (Some(Elements::Flows6(set)), IpAddr::V6(source), IpAddr::V6(destination), Some(port)) => {
                set.contains(&nft::Flow { source, destination, transport, port })
            }
            _ => false,
        }
    }

    /// Where a map sends the packet on to.
    fn forward(&self, map: &str) -> Option<(IpAddr, u16)> {
        let key = (transport(&self.packet), port_of(&self.packet)?);
        match (self.table.sets.get(map)?, self.packet.family()) {
            (Elements::Forwards4(map), Family::V4) => map.get(&key).map(|(to, port)| ((*to).into(), *port)),
            (Elements::Forwards6(map), Family::V6) => map.get(&key).map(|(to, port)| ((*to).into(), *port)),
            _ => None,
        }
    }

    fn has_port(&self, set: &str, port: u16) -> bool {
        matches!(self.table.sets.get(set), Some(Elements::Ports(set)) if set.contains(&port))
    }
}

/// Source and destination as they are looked up.
struct Cut {
    shape: Shape,
    source: IpAddr,
    destination: IpAddr,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.source.is_ipv4() { 32 } else { 128 };
        let one = |address: IpAddr, length: u8| match length {
            length if length == whole => address.to_string(),
            length => format!("{address}/{length}"),
        };
        let source = one(self.source, self.shape.source);
        let destination = one(self.destination, self.shape.destination);
        write!(f, "{source} to {destination}")
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
