//! What the file grants, with short forms written out, as far as it is in force.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pic_model::Desired;
use pic_model::desired::Allow;
use pic_model::name::{LanName, PeerName, SubjectName};
use pic_model::policy::{Subject, Target, Where};
use pic_model::schedule::Schedule;

use super::super::is_active;

/// What says a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By<'d> {
    /// `allow` of a peer.
    Peer(&'d PeerName),
    /// `allow` of a LAN or subnet.
    Lan(&'d LanName),
    /// A `[[grant]]`, by its place in the file, from 0, and its name.
    Grant(usize, Option<&'d SubjectName>),
}

impl std::fmt::Display for By<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Peer(name) => write!(f, "allow of peer {name}"),
            Self::Lan(name) => write!(f, "allow of LAN {name}"),
            Self::Grant(_, Some(name)) => write!(f, "grant {name}"),
            Self::Grant(at, None) => write!(f, "grant[{at}]"),
        }
    }
}

/// One grant.
#[derive(Debug, Clone)]
pub struct Said<'d> {
    /// Where it stands.
    pub by: By<'d>,
    /// Who.
    pub from: Cow<'d, BTreeSet<Subject>>,
    /// What.
    pub to: Cow<'d, BTreeSet<Target>>,
}

/// Which of the `[[grant]]`s are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    in_force: Vec<bool>,
    /// Unix second at which that changes next.
    pub next_change: Option<i64>,
}

impl Terms {
    /// At a Unix second.
    pub fn new(desired: &Desired, now: i64) -> Self {
        // Few schedules stand behind many grants.
        let mut schedules: BTreeMap<&Schedule, (bool, Option<i64>)> = BTreeMap::new();
        let mut next = None;
        let mut in_force = Vec::with_capacity(desired.grants.len());
        for grant in &desired.grants {
            let expired = grant.expires.is_some_and(|at| at <= now);
            let (holds, change) = match &grant.when {
                None => (true, None),
                Some(when) => {
                    *schedules.entry(when).or_insert_with(|| when.state(&desired.cell.timezone, now))
                }
            };
            in_force.push(holds && !expired);
            if !expired {
                let ends = [next, change, grant.expires].into_iter().flatten().filter(|at| *at > now);
                next = ends.min();
            }
        }
        Self { in_force, next_change: next }
    }

    /// Every grant that is not over, also those whose schedule says no at this moment.
    pub fn ever(desired: &Desired, now: i64) -> Self {
        let is_over = |at: Option<i64>| at.is_some_and(|at| at <= now);
        let in_force = desired.grants.iter().map(|grant| !is_over(grant.expires)).collect();
        Self { in_force, next_change: None }
    }

    /// Whether the grant at this place of the file is.
    pub fn holds(&self, at: usize) -> bool {
        self.in_force.get(at).copied().unwrap_or(false)
    }

    /// Every grant that is in force, short forms first.
    pub fn in_force<'d>(&self, desired: &'d Desired, now: i64) -> impl Iterator<Item = Said<'d>> {
        let peers = desired.peers.iter().filter(move |(_, peer)| is_active(peer, now));
        let peers = peers.map(|(name, peer)| (By::Peer(name), name.as_str(), &peer.allow));
        let lans = desired.lans.iter().filter(|(_, lan)| !lan.uplink);
        let lans = lans.map(|(name, lan)| (By::Lan(name), name.as_str(), &lan.allow));
        let subnets = desired.subnets.iter();
        let subnets = subnets.map(|(name, subnet)| (By::Lan(name), name.as_str(), &subnet.allow));
        let short = peers.chain(lans).chain(subnets).filter(|(.., allow)| !allow.is_empty());
        let short = short.filter_map(|(by, name, allow)| {
            let from = BTreeSet::from([Subject::Named(name.parse().ok()?)]);
            let to = allow.iter().map(|allow| Target::word(word(*allow))).collect();
            Some(Said { by, from: Cow::Owned(from), to: Cow::Owned(to) })
        });
        let holds: Vec<bool> = self.in_force.clone();
        let long = desired.grants.iter().enumerate().zip(holds).filter(|(_, holds)| *holds);
        short.chain(long.map(|((at, grant), _)| Said {
            by: By::Grant(at, grant.name.as_ref()),
            from: Cow::Borrowed(&grant.from),
            to: Cow::Borrowed(&grant.to),
        }))
    }
}

fn word(allow: Allow) -> Where {
    match allow {
        Allow::Internet => Where::Internet,
        Allow::Cell => Where::Cell,
    }
}
