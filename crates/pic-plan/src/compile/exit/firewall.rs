//! Exits in the firewall: who leaves by which, and that nothing comes in by them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use pic_model::Desired;
use pic_model::exit::WayOut;
use pic_model::name::ExitName;

use super::{Resolved, choose, of_lan, of_peer};
use crate::compile::firewall::{FAMILIES, rule};
use crate::compile::{Network, ResolvedLan, is_active};
use crate::facts::Facts;
use crate::marks::{MARK_DIRECT, WIREGUARD_INTERFACE};
use crate::target::nft::{CT_ESTABLISHED, CT_RELATED, Elements, Expr, Is, L4, Rule};
use crate::target::rule::Family;

/// An exit and who leaves by it now.
struct Used {
    number: u32,
    interface: String,
    mark: u32,
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
                interface: exit.interface(),
                mark: exit.mark(),
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
        self.0.iter().map(|used| used.interface.as_str())
    }

    /// Who leaves by which.
    pub(in crate::compile) fn sets(&self) -> impl Iterator<Item = (String, Elements)> {
        self.0.iter().filter(|used| used.has_sets).flat_map(|used| {
            let v4 = (set(used, Family::V4), Elements::V4(used.peers4.clone()));
            [v4, (set(used, Family::V6), Elements::V6(used.peers6.clone()))]
        })
    }

    /// The mark of the internet becomes that of an exit; answers have it, too (see [`super::sysctls`]).
    pub(in crate::compile) fn prerouting(&self) -> Vec<Rule> {
        const WHY: &str = "leaves by an exit";
        let granted = || Expr::Mark(Is::In, MARK_DIRECT);
        let mut rules = Vec::new();
        for used in &self.0 {
            rules.push(rule("came in by an exit", [from(used), Expr::SetMark(used.mark)]));
            for family in FAMILIES {
                // What of a private network was granted by name is none of the internet.
                let (digit, family) = (if family == Family::V4 { '4' } else { '6' }, family);
                let outside = || Expr::DestinationIn(Is::NotIn, format!("private{digit}"));
                if used.has_sets {
                    let from = Expr::Iif(Is::In, WIREGUARD_INTERFACE.to_owned());
                    let member = Expr::SourceIn(Is::In, set(used, family));
                    let exprs =
                        [from, granted(), Expr::Family(family), member, outside(), Expr::SetMark(used.mark)];
                    rules.push(rule(WHY, exprs));
                }
                for lan in &used.lans {
                    let from = Expr::Iif(Is::In, lan.clone());
                    let exprs = [from, granted(), Expr::Family(family), outside(), Expr::SetMark(used.mark)];
                    rules.push(rule(WHY, exprs));
                }
            }
        }
        rules
    }

    /// From exits to the host itself: answers to what it asked by them, and nothing else in any stance.
    pub(in crate::compile) fn input(&self) -> Vec<Rule> {
        let rules = self.0.iter().flat_map(|used| {
            let answers =
                [from(used), Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::CtReply, Expr::Accept];
            let closed = [from(used), Expr::Counter, Expr::Drop];
            [rule("answers by an exit", answers), rule("nothing comes in by an exit", closed)]
        });
        rules.collect()
    }

    /// Packets fit an exit's tunnel.
    pub(in crate::compile) fn fits(&self) -> Vec<Rule> {
        let fits = |used: &Used| rule("packets fit the exit", [to(used), Expr::L4(L4::Tcp), Expr::ClampMss]);
        self.0.iter().map(fits).collect()
    }

    /// What is marked for an exit leaves by that one alone.
    pub(in crate::compile) fn forward(&self) -> Vec<Rule> {
        let one = |used: &Used| {
            let exprs = [to(used), Expr::Mark(Is::In, used.mark), Expr::Counter, Expr::Accept];
            rule("granted: internet, by an exit", exprs)
        };
        self.0.iter().map(one).collect()
    }

    /// Behind the answers: nothing else comes through from exits, and nothing else leaves by them.
    pub(in crate::compile) fn closed(&self) -> Vec<Rule> {
        let one = |used: &Used| {
            let (from, to) = ([from(used), Expr::Counter, Expr::Drop], [to(used), Expr::Counter, Expr::Drop]);
            [rule("nothing comes in by an exit", from), rule("nothing else leaves by an exit", to)]
        };
        self.0.iter().flat_map(one).collect()
    }

    /// Whatever leaves by an exit has the exit's own address.
    pub(in crate::compile) fn postrouting(&self) -> Vec<Rule> {
        let one = |used: &Used| rule("by the exit's address", [to(used), Expr::Masquerade]);
        self.0.iter().map(one).collect()
    }
}

fn from(used: &Used) -> Expr {
    Expr::Iif(Is::In, used.interface.clone())
}

fn to(used: &Used) -> Expr {
    Expr::Oif(Is::In, used.interface.clone())
}

fn set(used: &Used, family: Family) -> String {
    let family = match family {
        Family::V4 => '4',
        Family::V6 => '6',
    };
    format!("exit{}_{family}", used.number)
}
