//! What is granted at this moment, flat: which addresses may send to which, and what of the cell itself they may use.
//!
//! ```text
//! allow, [[grant]] --names--> (networks, networks, ports) --by length of both--> hash sets of the firewall
//! ```
//!
//! A host is a network of one address. Entries are sorted by the lengths of source and destination ([`Shape`]); each
//! shape is one look-up by hash, so that a packet costs as many look-ups as there are shapes, however many grants there
//! are, and one more grant is one more element.

mod behind;
mod directory;
mod forwards;
mod hashed;
mod names;
mod said;
mod words;

pub(super) use behind::networks_for;
pub use directory::{Directory, Named};
pub(super) use hashed::Hashed;
pub(super) use names::{Seen, Thing, shows_host, shows_service};
pub use said::{By, Said, Terms};
pub use words::{Lines, Reaches, changes, who};

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::desired::Protocol;
use pic_model::name::LanName;
use pic_model::policy::{Grant, Ports, Target, Where};

use crate::facts::Facts;
use crate::target::nft::{Flow, L4, Shape, Shared};
use directory::Sources;

/// What is not granted by destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To the internet.
    Internet,
    /// Something at all: names and the time come with it.
    Any,
    /// What the cell serves.
    Cell,
    /// Names alone.
    Dns,
    /// The time alone.
    Time,
    /// The host's own ssh.
    Ssh,
    /// Echo requests to the cell.
    Ping,
}

/// Everything that is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Sources by right. Of rights at the cell only hosts stand here.
    pub rights: BTreeMap<Right, BTreeSet<IpNet>>,
    /// Rights of whole LANs and subnets at the cell, by name.
    pub lans: BTreeMap<LanName, BTreeSet<Right>>,
    /// Any port, v4.
    pub pairs4: BTreeMap<Shape, Shared<(Ipv4Addr, Ipv4Addr)>>,
    /// Any port, v6.
    pub pairs6: BTreeMap<Shape, Shared<(Ipv6Addr, Ipv6Addr)>>,
    /// Single ports, v4.
    pub flows4: BTreeMap<Shape, Shared<Flow<Ipv4Addr>>>,
    /// Single ports, v6.
    pub flows6: BTreeMap<Shape, Shared<Flow<Ipv6Addr>>>,
    /// Ports of the cell that lead to a v4 host.
    pub forwards4: BTreeMap<(L4, u16), (Ipv4Addr, u16)>,
    /// Ports of the cell that lead to a v6 host.
    pub forwards6: BTreeMap<(L4, u16), (Ipv6Addr, u16)>,
    /// Whose packets may go on there, v4.
    pub forwarded4: BTreeMap<Shape, Shared<Flow<Ipv4Addr>>>,
    /// Whose packets may go on there, v6.
    pub forwarded6: BTreeMap<Shape, Shared<Flow<Ipv6Addr>>>,
    /// Unix second at which something of this changes by itself.
    pub next_change: Option<i64>,
}

impl Policy {
    /// What is in force at the moment of `facts`.
    pub fn new(desired: &Desired, facts: &Facts, directory: &Directory<'_>) -> Self {
        let mut found = Found::default();
        // A host granted nothing has these all the same, so that its first grant changes no chain.
        found.ensure4(Shape { source: 32, destination: 32 });
        found.ensure6(Shape { source: 128, destination: 128 });
        let terms = Terms::new(desired, facts.now);
        for said in terms.in_force(desired, facts.now) {
            found.add(directory, &said);
        }
        let mut policy = Self { next_change: terms.next_change, ..Self::default() };
        policy.take(found);
        policy.forwarded4.entry(Shape { source: 0, destination: 32 }).or_default();
        policy.forwarded6.entry(Shape { source: 0, destination: 128 }).or_default();
        for forward in &desired.forwards {
            policy.forward(directory, forward);
        }
        policy
    }

    /// The same with grants beyond those of before, where nothing else has changed: a grant only ever adds to what the
    /// others open, so the hundred thousand others need not be looked at.
    pub(super) fn more(
        &self,
        desired: &Desired,
        added: &[Arc<Grant>],
        now: i64,
        directory: &Directory<'_>,
    ) -> Self {
        let terms = Terms::of(added, desired, now);
        let mut found = Found::default();
        for said in terms.holding(added) {
            found.add(directory, &said);
        }
        let next_change = [self.next_change, terms.next_change].into_iter().flatten().min();
        let mut policy = Self { next_change, ..self.clone() };
        policy.take(found);
        policy
    }

    fn take(&mut self, found: Found) {
        take(&mut self.rights, found.rights, |own, more| {
            if own.is_empty() { *own = more.into_iter().collect() } else { own.extend(more) }
        });
        take(&mut self.lans, found.lans, |own, more| own.extend(more));
        take(&mut self.pairs4, found.pairs4, share);
        take(&mut self.pairs6, found.pairs6, share);
        take(&mut self.flows4, found.flows4, share);
        take(&mut self.flows6, found.flows6, share);
    }
}

/// Takes the lists of a map into the sets of another.
fn take<K: Ord, V, S: Default>(own: &mut BTreeMap<K, S>, more: BTreeMap<K, V>, into: impl Fn(&mut S, V)) {
    for (key, list) in more {
        into(own.entry(key).or_default(), list);
    }
}

fn share<T: Ord + Clone>(own: &mut Shared<T>, list: Vec<T>) {
    match (own.is_empty(), list.is_empty()) {
        (_, true) => {}
        // Sorting it once costs a fraction of keeping it sorted.
        (true, false) => *own = list.into_iter().collect(),
        (false, false) => own.to_mut().extend(list),
    }
}

/// Entries in the order in which they are found: sorting them once at the end costs a fraction of keeping them sorted.
#[derive(Default)]
struct Found {
    rights: BTreeMap<Right, Vec<IpNet>>,
    lans: BTreeMap<LanName, BTreeSet<Right>>,
    pairs4: BTreeMap<Shape, Vec<(Ipv4Addr, Ipv4Addr)>>,
    pairs6: BTreeMap<Shape, Vec<(Ipv6Addr, Ipv6Addr)>>,
    flows4: BTreeMap<Shape, Vec<Flow<Ipv4Addr>>>,
    flows6: BTreeMap<Shape, Vec<Flow<Ipv6Addr>>>,
}

impl Found {
    fn ensure4(&mut self, shape: Shape) {
        self.pairs4.entry(shape).or_default();
        self.flows4.entry(shape).or_default();
    }

    fn ensure6(&mut self, shape: Shape) {
        self.pairs6.entry(shape).or_default();
        self.flows6.entry(shape).or_default();
    }

    fn add(&mut self, directory: &Directory<'_>, said: &Said<'_>) {
        for subject in said.from.iter() {
            let sources = directory.sources(subject);
            for target in said.to.iter() {
                let right = match &target.to {
                    Where::Internet => Some(Right::Internet),
                    Where::Cell if target.ports.is_none() => Some(Right::Cell),
                    Where::Dns => Some(Right::Dns),
                    Where::Time => Some(Right::Time),
                    Where::Ssh => Some(Right::Ssh),
                    Where::Ping => Some(Right::Ping),
                    Where::Cell | Where::Peers | Where::Named(_) | Where::Network(_) => None,
                };
                match right {
                    Some(right) => self.right(right, &sources),
                    None => self.flows(directory, &sources, target),
                }
            }
            let only = |word: &Where| said.to.iter().all(|target| target.to == *word);
            if !only(&Where::Dns) && !only(&Where::Time) {
                self.hosts(Right::Any, &sources);
            }
        }
    }

    fn right(&mut self, right: Right, sources: &Sources) {
        if right == Right::Internet {
            self.rights.entry(right).or_default().extend(&sources.networks);
            return;
        }
        self.hosts(right, sources);
        for lan in &sources.lans {
            self.lans.entry(lan.clone()).or_default().insert(right);
        }
    }

    fn hosts(&mut self, right: Right, sources: &Sources) {
        self.rights.entry(right).or_default().extend(&sources.hosts);
    }

    fn flows(&mut self, directory: &Directory<'_>, sources: &Sources, target: &Target) {
        let (destinations, ports) = directory.destinations(target);
        let is_cell = directory.is_cell(target);
        for source in &sources.networks {
            let own = if is_cell { directory.cell_from(*source) } else { Vec::new() };
            for destination in if is_cell { &own } else { &destinations } {
                self.flow(*source, *destination, ports);
            }
        }
    }

    /// One entry; none where the families differ, or where nobody but himself is meant.
    fn flow(&mut self, from: IpNet, to: IpNet, ports: &[Ports]) {
        if from == to && from.prefix_len() == from.max_prefix_len() {
            return;
        }
        let shape = Shape { source: from.prefix_len(), destination: to.prefix_len() };
        match (from.network(), to.network()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.ensure4(shape);
                if ports.is_empty() {
                    self.pairs4.entry(shape).or_default().push((source, destination));
                }
                self.flows4.entry(shape).or_default().extend(opened(source, destination, ports));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.ensure6(shape);
                if ports.is_empty() {
                    self.pairs6.entry(shape).or_default().push((source, destination));
                }
                self.flows6.entry(shape).or_default().extend(opened(source, destination, ports));
            }
            _ => {}
        }
    }
}

fn opened<A: Copy>(source: A, destination: A, ports: &[Ports]) -> impl Iterator<Item = Flow<A>> {
    ports.iter().flat_map(move |ports| {
        let transport = match ports.protocol {
            Protocol::Tcp => L4::Tcp,
            Protocol::Udp => L4::Udp,
        };
        (ports.first..=ports.last).map(move |port| Flow { source, destination, transport, port })
    })
}
