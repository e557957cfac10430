//! Exits in the firewall: who leaves by which, and that nothing comes in by them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{Ipv4Net, Ipv6Net};
use pic_model::Desired;
use pic_model::exit::WayOut;
use pic_model::name::ExitName;

use super::{Resolved, choose, has_interface, of_lan, of_peer, taken_in};
use crate::compile::firewall::{FAMILIES, rule};
use crate::compile::{Network, ResolvedLan, is_active};
use crate::facts::Facts;
use crate::marks::{MARK_DIRECT, WIREGUARD_INTERFACE};
use crate::target::nft::{CT_ESTABLISHED, CT_RELATED, Elements, Expr, Is, L4, Rule};
use crate::target::rule::Family;

/// An exit and who leaves by it now.
struct Used {
    number: u32,
    /// Its interface, if it has one.
    interface: Option<String>,
    mark: u32,
    /// Addresses of this host that take TCP in which was sent elsewhere.
    taken_in: Vec<SocketAddr>,
    /// Whether peers may ever be sent by it: then it has sets, so that a failover changes no more than their elements.
    has_sets: bool,
    peers4: BTreeSet<Ipv4Addr>,
    peers6: BTreeSet<Ipv6Addr>,
    /// Interfaces of LANs.
    lans: Vec<String>,
}

/// All exits, for the chains.
pub(in crate::compile) struct Exits(Vec<Used>);

impl Exits {
    pub(in crate::compile) fn new(
        desired: &Desired,
        facts: &Facts,
        network: &Network,
        lans: &[ResolvedLan<'_>],
    ) -> Self {
        let named = desired.peers.values().flat_map(|peer| peer.exit.iter().flatten());
        let named: BTreeSet<_> = named.chain(desired.group_exits.values().flatten()).collect();
        let mut all: BTreeMap<&ExitName, Used> = BTreeMap::new();
        for exit in Resolved::all(desired, facts) {
            let used = Used {
                number: exit.name.number(),
                interface: has_interface(&exit).then(|| exit.interface()),
                mark: exit.mark(),
                taken_in: taken_in(&exit, desired, facts, network),
                has_sets: named.contains(&WayOut::Exit(exit.name.clone())),
                peers4: BTreeSet::new(),
                peers6: BTreeSet::new(),
                lans: Vec::new(),
            };
            all.insert(exit.name, used);
        }
        if !all.is_empty() {
            for peer in desired.peers.values().filter(|peer| is_active(peer, facts.now)) {
                let chosen = choose(desired, facts, of_peer(desired, peer));
                if let Some(used) = chosen.and_then(|name| all.get_mut(name)) {
                    used.peers4.insert(peer.address);
                    used.peers6.extend(network.peer6(peer));
                }
            }
        }
        for lan in lans {
            if let Some(used) = choose(desired, facts, of_lan(lan.lan)).and_then(|name| all.get_mut(name)) {
                used.lans.push(lan.device.clone());
            }
        }
        Self(all.into_values().collect())
    }

    /// Interfaces.
    pub(in crate::compile) fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.tunnels().map(|(_, interface)| interface)
    }

    /// Who leaves by which.
    pub(in crate::compile) fn sets(&self) -> impl Iterator<Item = (String, Elements)> {
        self.0.iter().filter(|used| used.has_sets).flat_map(|used| {
            let v4 = (set(used, Family::V4), Elements::V4(used.peers4.clone()));
            [v4, (set(used, Family::V6), Elements::V6(used.peers6.clone()))]
        })
    }

    /// Those with an interface.
    fn tunnels(&self) -> impl Iterator<Item = (&Used, &str)> {
        self.0.iter().filter_map(|used| Some((used, used.interface.as_deref()?)))
    }

    /// Answers have the mark of their exit, too (see [`super::sysctls`]).
    pub(in crate::compile) fn came_in(&self) -> Vec<Rule> {
        let one = |(used, interface): (&Used, &str)| {
            rule("came in by an exit", [from(interface), Expr::SetMark(used.mark)])
        };
        self.tunnels().map(one).collect()
    }

    /// The mark of the internet becomes that of an exit.
    pub(in crate::compile) fn leaves(&self) -> Vec<Rule> {
        const WHY: &str = "leaves by an exit";
        let granted = || Expr::Mark(Is::In, MARK_DIRECT);
        let mut rules = Vec::new();
        for used in &self.0 {
            for family in FAMILIES {
                // What of a private network was granted by name is none of the internet.
                let (digit, family) = (if family == Family::V4 { '4' } else { '6' }, family);
                let outside = || Expr::DestinationIn(Is::NotIn, format!("private{digit}"));
                if used.has_sets {
                    let from = Expr::Iif(Is::In, WIREGUARD_INTERFACE.to_owned());
                    let member = Expr::SourceIn(Is::In, set(used, family));
                    let exprs =
                        [granted(), Expr::Family(family), from, member, outside(), Expr::SetMark(used.mark)];
                    rules.push(rule(WHY, exprs));
                }
                for lan in &used.lans {
                    let from = Expr::Iif(Is::In, lan.clone());
                    let exprs = [granted(), Expr::Family(family), from, outside(), Expr::SetMark(used.mark)];
                    rules.push(rule(WHY, exprs));
                }
            }
        }
        rules
    }

    /// From exits to the host itself: answers to what it asked by them, and nothing else in any stance.
    pub(in crate::compile) fn input(&self) -> Vec<Rule> {
        let rules = self.tunnels().flat_map(|(_, name)| {
            let answers =
                [from(name), Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::CtReply, Expr::Accept];
            let closed = [from(name), Expr::Counter, Expr::Drop];
            [rule("answers by an exit", answers), rule("nothing comes in by an exit", closed)]
        });
        rules.collect()
    }

    /// Packets fit an exit's tunnel.
    pub(in crate::compile) fn fits(&self) -> Vec<Rule> {
        let fits = |name| rule("packets fit the exit", [to(name), Expr::L4(L4::Tcp), Expr::ClampMss]);
        self.tunnels().map(|(_, name)| fits(name)).collect()
    }

    /// What is marked for an exit leaves by that one alone.
    pub(in crate::compile) fn forward(&self) -> Vec<Rule> {
        let one = |(used, name): (&Used, &str)| {
            let exprs = [Expr::Mark(Is::In, used.mark), to(name), Expr::Counter, Expr::Accept];
            rule("granted: internet, by an exit", exprs)
        };
        self.tunnels().map(one).collect()
    }

    /// Behind the answers: nothing else comes through from exits, and nothing else leaves by them.
    pub(in crate::compile) fn closed(&self) -> Vec<Rule> {
        let one = |name| {
            let (from, to) = ([from(name), Expr::Counter, Expr::Drop], [to(name), Expr::Counter, Expr::Drop]);
            [rule("nothing comes in by an exit", from), rule("nothing else leaves by an exit", to)]
        };
        self.tunnels().flat_map(|(_, name)| one(name)).collect()
    }

    /// TCP for an exit without an interface is led to the program on this host that carries it. What is for one of the
    /// host's own addresses leaves by no exit.
    pub(in crate::compile) fn translate(&self) -> Vec<Rule> {
        let one = |(used, to): (&Used, SocketAddr)| {
            let marked = Expr::Mark(Is::In, used.mark);
            let elsewhere = Expr::DestinationLocal(Is::NotIn);
            let exprs = [marked, family(to.ip()), Expr::L4(L4::Tcp), elsewhere, Expr::Onto(to)];
            rule("granted: internet, by an exit on this host", exprs)
        };
        self.taken_in().map(one).collect()
    }

    /// Before marks are made anew: what was led there keeps its own, by which it is let in.
    pub(in crate::compile) fn keeps_mark(&self) -> Vec<Rule> {
        let one = |(used, to)| rule("leaves by an exit", led_to(used, to).chain([Expr::Return]));
        self.taken_in().map(one).collect()
    }

    /// What was led to an exit on this host is let in while its sender leaves by that one; nothing else reaches the port.
    pub(in crate::compile) fn let_in(&self) -> Vec<Rule> {
        let one = |(used, to)| {
            rule("granted: internet, by an exit", led_to(used, to).chain([Expr::Counter, Expr::Accept]))
        };
        self.taken_in().map(one).collect()
    }

    /// What tells a packet that was led to an exit on this host, for each address and port where one takes in.
    pub(in crate::compile) fn led(&self) -> impl Iterator<Item = (Family, Vec<Expr>)> {
        self.taken_in().map(|(used, to)| (family_of(to.ip()), led_to(used, to).collect()))
    }

    /// The same of what goes back from there to whoever was led. The kernel gives it the address that was meant behind the
    /// chains of what the host sends.
    pub(in crate::compile) fn led_back(&self) -> impl Iterator<Item = (Family, Vec<Expr>)> {
        self.taken_in().map(|(_, from)| {
            let at = match from.ip() {
                IpAddr::V4(ip) => Expr::Source4(Is::In, Ipv4Net::from(ip)),
                IpAddr::V6(ip) => Expr::Source6(Is::In, Ipv6Net::from(ip)),
            };
            let port = Expr::SourcePort(from.port());
            let back = [Expr::CtReply, Expr::CtDnat, family(from.ip()), at, Expr::L4(L4::Tcp), port];
            (family_of(from.ip()), back.into())
        })
    }

    fn taken_in(&self) -> impl Iterator<Item = (&Used, SocketAddr)> {
        self.0.iter().flat_map(|used| used.taken_in.iter().map(move |to| (used, *to)))
    }

    /// Whatever leaves by an exit has the exit's own address.
    pub(in crate::compile) fn postrouting(&self) -> Vec<Rule> {
        let one = |name| rule("by the exit's address", [to(name), Expr::Masquerade]);
        self.tunnels().map(|(_, name)| one(name)).collect()
    }
}

fn from(interface: &str) -> Expr {
    Expr::Iif(Is::In, interface.to_owned())
}

fn to(interface: &str) -> Expr {
    Expr::Oif(Is::In, interface.to_owned())
}

fn family(address: IpAddr) -> Expr {
    Expr::Family(family_of(address))
}

fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// A packet that was led to an exit on this host.
fn led_to(used: &Used, to: SocketAddr) -> impl Iterator<Item = Expr> + use<> {
    let at = match to.ip() {
        IpAddr::V4(ip) => Expr::Destination4(Is::In, Ipv4Net::from(ip)),
        IpAddr::V6(ip) => Expr::Destination6(Is::In, Ipv6Net::from(ip)),
    };
    let port = Expr::DestinationPort(to.port());
    [Expr::Mark(Is::In, used.mark), Expr::CtDnat, family(to.ip()), at, Expr::L4(L4::Tcp), port].into_iter()
}

fn set(used: &Used, family: Family) -> String {
    let family = match family {
        Family::V4 => '4',
        Family::V6 => '6',
    };
    format!("exit{}_{family}", used.number)
}
