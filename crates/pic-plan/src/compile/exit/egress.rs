//! Exits by destination: where a packet leads decides by which exit it leaves, before what is said of its sender.
//!
//! Behind the grants, whose mark of the internet is needed, a chain looks a packet up by who sends it and where it goes, in
//! the order of the file. Networks stand in sets from the beginning; addresses of names are added by the agent when the name
//! server is about to tell them, and stay while they are told or sent to. A set of addresses is called after its names, so
//! that those of one line are never taken for another's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::Desired;
use pic_model::desired::Peer;
use pic_model::dns::Name;
use pic_model::egress::Egress;
use pic_model::exit::WayOut;
use pic_model::name::{ExitName, PeerName};
use pic_model::policy::Subject;
use pic_model::snapshot::dns::DnsEgress;
use sha2::{Digest, Sha256};

use super::choose;
use crate::compile::firewall::{FAMILIES, rule};
use crate::compile::{Network, ResolvedLan, is_active};
use crate::facts::Facts;
use crate::marks::{MARK_DIRECT, MARK_SHIFT, WIREGUARD_INTERFACE};
use crate::target::nft::{Chain, Elements, Expr, Is, Rule, Table};
use crate::target::rule::Family;

const CHAIN: &str = "egress";
const WHY: &str = "leaves by an exit of its destination";

/// By what the addresses of a line's names are known; none where it has no names.
pub fn learned(line: &Egress) -> Option<String> {
    let names: Vec<_> = line.names.iter().map(ToString::to_string).collect();
    let digest = Sha256::digest(names.join(" ").as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    (!names.is_empty()).then(|| format!("names_{hex}"))
}

/// Whether a text can be one of [`learned`].
pub fn is_learned(text: &str) -> bool {
    let hex = text.strip_prefix("names_").filter(|hex| hex.len() == 16);
    hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The sets of both families of what is known so: v4, v6.
pub fn sets_of(learned: &str) -> [String; 2] {
    ['4', '6'].map(|family| format!("{learned}_{family}"))
}

/// By what the addresses of a name are known, of each line that means it.
pub fn learned_of(desired: &Desired, name: &Name) -> BTreeSet<String> {
    let fits = |line: &&Egress| line.names.iter().any(|pattern| pattern.fits(name));
    desired.egress.iter().filter(fits).filter_map(learned).collect()
}

/// Whether a line is for a peer, by its name and groups. What another cell sends leaves as that one has chosen.
fn is_for_peer(line: &Egress, name: &PeerName, peer: &Peer) -> bool {
    !peer.offer && is_from_peer(line, name, peer)
}

fn is_from_peer(line: &Egress, name: &PeerName, peer: &Peer) -> bool {
    line.from.is_empty()
        || line.from.iter().any(|subject| match subject {
            Subject::Peers => true,
            Subject::Named(one) => {
                one.as_str() == name.as_str()
                    || peer.groups.iter().any(|group| group.as_str() == one.as_str())
            }
        })
}

/// Whether it is for a LAN.
fn is_for_lan(line: &Egress, name: &str) -> bool {
    let is_it = |subject: &Subject| matches!(subject, Subject::Named(one) if one.as_str() == name);
    line.from.is_empty() || line.from.iter().any(is_it)
}

/// The lines that have names, as places among themselves, which is how the name server numbers them.
fn named(desired: &Desired) -> impl Iterator<Item = (u16, &Egress)> {
    (0..).zip(desired.egress.iter().filter(|line| !line.names.is_empty()))
}

/// Sets of a table that hold destinations with a way of their own, as they are known now, each with its family.
pub fn destinations(table: &Table) -> Vec<(String, Family, Elements)> {
    let one = |(name, elements): (&String, &Elements)| {
        let is_to = name.starts_with("egress") && name.contains("_to");
        Some(match elements {
            Elements::Learned4(known) => (name.clone(), Family::V4, Elements::V4(known.clone())),
            Elements::Learned6(known) => (name.clone(), Family::V6, Elements::V6(known.clone())),
            Elements::Net4(_) if is_to => (name.clone(), Family::V4, elements.clone()),
            Elements::Net6(_) if is_to => (name.clone(), Family::V6, elements.clone()),
            _ => return None,
        })
    };
    table.sets.iter().filter_map(one).collect()
}

/// Lines that count for the answers to a peer.
pub(in crate::compile) fn of_peer(desired: &Desired, name: &PeerName, peer: &Peer) -> BTreeSet<u16> {
    named(desired).filter(|(_, line)| is_for_peer(line, name, peer)).map(|(at, _)| at).collect()
}

/// Lines that count for the answers to every peer.
pub(in crate::compile) fn of_all_peers(desired: &Desired) -> BTreeSet<u16> {
    let all = |line: &Egress| line.from.is_empty() || line.from.contains(&Subject::Peers);
    named(desired).filter(|(_, line)| all(line)).map(|(at, _)| at).collect()
}

/// Lines that count for the answers to hosts of a LAN and of what is behind it.
pub(in crate::compile) fn of_lan(desired: &Desired, name: &str) -> BTreeSet<u16> {
    named(desired).filter(|(_, line)| is_for_lan(line, name)).map(|(at, _)| at).collect()
}

/// What the name server has to know of them.
pub(in crate::compile) fn names(desired: &Desired, facts: &Facts) -> Vec<DnsEgress> {
    let place = |exit: &ExitName| {
        let mut names = (0_u16..).zip(desired.exits.keys());
        names.find(|(_, name)| *name == exit).map(|(at, _)| at)
    };
    let one = |line: &Egress| {
        let fails_open = |name| desired.exits.get(name).is_some_and(|exit| exit.fails_open);
        Some(DnsEgress {
            names: line.names.iter().map(ToString::to_string).collect(),
            set: learned(line)?,
            exit: choose(desired, facts, &line.exit).and_then(place),
            open: match line.exit.last() {
                Some(WayOut::Direct) => true,
                Some(WayOut::Exit(last)) => fails_open(last),
                None => false,
            },
        })
    };
    desired.egress.iter().filter_map(one).collect()
}

/// One line with whom it is for.
struct Line<'d> {
    number: usize,
    line: &'d Egress,
    mark: u32,
    /// Single peers; absent: all of them.
    peers: Option<(BTreeSet<Ipv4Addr>, BTreeSet<Ipv6Addr>)>,
    /// Interfaces of LANs.
    lans: Vec<String>,
}

/// All lines, for the firewall.
pub(in crate::compile) struct Lines<'d> {
    lines: Vec<Line<'d>>,
    known: &'d BTreeMap<String, BTreeSet<IpAddr>>,
}

impl<'d> Lines<'d> {
    pub(in crate::compile) fn new(
        desired: &'d Desired,
        facts: &'d Facts,
        network: &Network,
        lans: &[ResolvedLan<'_>],
    ) -> Self {
        let one = |(number, line): (usize, &'d Egress)| {
            let all = (line.from.is_empty() || line.from.contains(&Subject::Peers))
                && !desired.peers.values().any(|peer| peer.offer);
            let is_its = |(name, peer): &(&PeerName, &Peer)| {
                is_active(peer, facts.now) && is_for_peer(line, name, peer)
            };
            let peers = || desired.peers.iter().filter(is_its).map(|(_, peer)| peer);
            let single = || {
                let v4 = peers().map(|peer| peer.address).collect();
                (v4, peers().filter_map(|peer| network.peer6(peer)).collect())
            };
            let lans = lans.iter().filter(|lan| is_for_lan(line, lan.name));
            let chosen = choose(desired, facts, &line.exit);
            Line {
                number,
                line,
                mark: chosen.map_or(MARK_DIRECT, |name| name.number() << MARK_SHIFT),
                peers: (!all).then(single),
                lans: lans.map(|lan| lan.device.clone()).collect(),
            }
        };
        Self { lines: desired.egress.iter().enumerate().map(one).collect(), known: &facts.learned }
    }

    /// Who and where to; what is in sets of addresses of names is the agent's and the kernel's.
    pub(in crate::compile) fn sets(&self) -> BTreeMap<String, Elements> {
        let mut sets = BTreeMap::new();
        for one in &self.lines {
            if let Some((v4, v6)) = &one.peers {
                sets.insert(one.set("from", Family::V4), Elements::V4(v4.clone()));
                sets.insert(one.set("from", Family::V6), Elements::V6(v6.clone()));
            }
            let (v4, v6) = one.networks();
            if !v4.is_empty() {
                sets.insert(one.set("to", Family::V4), Elements::Net4(v4));
            }
            if !v6.is_empty() {
                sets.insert(one.set("to", Family::V6), Elements::Net6(v6));
            }
            if let Some(learned) = learned(one.line) {
                let known = || self.known.get(&learned).into_iter().flatten();
                let v4 = known().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None });
                let v6 = known().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None });
                let [set4, set6] = sets_of(&learned);
                sets.insert(set4, Elements::Learned4(v4.collect()));
                sets.insert(set6, Elements::Learned6(v6.collect()));
            }
        }
        sets
    }

    /// The chain; none where there are no lines.
    pub(in crate::compile) fn chain(&self) -> Option<Chain> {
        let rules: Vec<_> = self.lines.iter().flat_map(Line::rules).collect();
        (!rules.is_empty()).then(|| Chain { name: CHAIN.to_owned(), base: None, rules })
    }

    /// What was granted the internet is looked up there.
    pub(in crate::compile) fn prerouting(&self) -> Option<Rule> {
        let granted = Expr::Mark(Is::In, MARK_DIRECT);
        (!self.lines.is_empty()).then(|| rule("by its destination", [granted, Expr::Jump(CHAIN.to_owned())]))
    }
}

impl Line<'_> {
    fn set(&self, what: &str, family: Family) -> String {
        format!("egress{}_{what}{}", self.number, digit(family))
    }

    fn networks(&self) -> (BTreeSet<Ipv4Net>, BTreeSet<Ipv6Net>) {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in &self.line.networks {
            match network {
                IpNet::V4(net) => v4.push(*net),
                IpNet::V6(net) => v6.push(*net),
            }
        }
        // Elements of a set of intervals must not overlap.
        (Ipv4Net::aggregate(&v4).into_iter().collect(), Ipv6Net::aggregate(&v6).into_iter().collect())
    }

    /// Who sends: what a packet of one of them matches.
    fn senders(&self, family: Family) -> Vec<Vec<Expr>> {
        let from = |device: &str| Expr::Iif(Is::In, device.to_owned());
        let mut senders: Vec<_> =
            self.lans.iter().map(|device| vec![from(device), Expr::Family(family)]).collect();
        let tunnel = vec![from(WIREGUARD_INTERFACE), Expr::Family(family)];
        match &self.peers {
            None => senders.push(tunnel),
            Some(_) => {
                let member = Expr::SourceIn(Is::In, self.set("from", family));
                senders.push(tunnel.into_iter().chain([member]).collect());
            }
        }
        senders
    }

    fn rules(&self) -> Vec<Rule> {
        let (v4, v6) = self.networks();
        let learned = learned(self.line).map(|learned| sets_of(&learned));
        let mut rules = Vec::new();
        for family in FAMILIES {
            let has_networks = if family == Family::V4 { !v4.is_empty() } else { !v6.is_empty() };
            let networks = has_networks.then(|| self.set("to", family));
            let networks = networks.map(|set| vec![Expr::DestinationIn(Is::In, set)]);
            let names = learned.as_ref().map(|[set4, set6]| if family == Family::V4 { set4 } else { set6 });
            let names =
                names.map(|set| vec![Expr::DestinationIn(Is::In, set.clone()), Expr::Refresh(set.clone())]);
            for to in networks.into_iter().chain(names) {
                for from in self.senders(family) {
                    // What of a private network was granted by name is none of the internet.
                    let outside = Expr::DestinationIn(Is::NotIn, format!("private{}", digit(family)));
                    let exprs = from.into_iter().chain([outside]).chain(to.iter().cloned());
                    rules.push(rule(WHY, exprs.chain([Expr::SetMark(self.mark), Expr::Accept])));
                }
            }
        }
        rules
    }
}

fn digit(family: Family) -> char {
    if family == Family::V4 { '4' } else { '6' }
}
