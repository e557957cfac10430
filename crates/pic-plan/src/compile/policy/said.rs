//! What the file grants, with short forms written out, as far as it is in force.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pic_model::Desired;
use pic_model::desired::Allow;
use pic_model::name::{LanName, PeerName, SubjectName};
use pic_model::policy::{Grant, Subject, Target, Where};
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

impl<'d> Said<'d> {
    /// What the grant at a place of the file says, unless it is over, whatever its schedule says of this moment.
    pub(super) fn of(at: usize, grant: &'d Grant, now: i64) -> Option<Self> {
        let is_over = grant.expires.is_some_and(|at| at <= now);
        (!is_over).then(|| Self::at(at, grant))
    }

    fn at(at: usize, grant: &'d Grant) -> Self {
        let (from, to) = (Cow::Borrowed(&grant.from), Cow::Borrowed(&grant.to));
        Self { by: By::Grant(at, grant.name.as_ref()), from, to }
    }
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
        Self::of(&desired.grants, desired, now)
    }

    /// Only of these, which are, or could be, grants of a state.
    pub(super) fn of(grants: &[Arc<Grant>], desired: &Desired, now: i64) -> Self {
        // Few schedules stand behind many grants.
        let mut schedules: BTreeMap<&Schedule, (bool, Option<i64>)> = BTreeMap::new();
        let mut next = None;
        let mut in_force = Vec::with_capacity(grants.len());
        for grant in grants {
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

    /// Whether the grant at this place of the file is.
    pub fn holds(&self, at: usize) -> bool {
        self.in_force.get(at).copied().unwrap_or(false)
    }

    /// Every grant that is in force, short forms first.
    pub fn in_force<'d>(&self, desired: &'d Desired, now: i64) -> impl Iterator<Item = Said<'d>> {
        short(desired, now, |_| true).chain(self.holding(&desired.grants))
    }

    /// Those of the grants these are the terms of that are in force.
    pub(super) fn holding<'d>(&self, grants: &'d [Arc<Grant>]) -> impl Iterator<Item = Said<'d>> + use<'d> {
        let holds: Vec<bool> = self.in_force.clone();
        let held = grants.iter().enumerate().zip(holds).filter(|(_, holds)| *holds);
        held.map(|((at, grant), _)| Said::at(at, grant))
    }
}

/// The short forms that are in force and wanted, written out.
pub(super) fn short<'d>(
    desired: &'d Desired,
    now: i64,
    is_wanted: impl Fn(By<'d>) -> bool,
) -> impl Iterator<Item = Said<'d>> {
    let peers = desired.peers.iter().filter(move |(_, peer)| is_active(peer, now));
    let peers = peers.map(|(name, peer)| (By::Peer(name), name.as_str(), &peer.allow));
    let lans = desired.lans.iter().filter(|(_, lan)| !lan.uplink);
    let lans = lans.map(|(name, lan)| (By::Lan(name), name.as_str(), &lan.allow));
    let subnets = desired.subnets.iter();
    let subnets = subnets.map(|(name, subnet)| (By::Lan(name), name.as_str(), &subnet.allow));
    let all = peers.chain(lans).chain(subnets);
    let all = all.filter(move |(by, _, allow)| !allow.is_empty() && is_wanted(*by));
    all.filter_map(|(by, name, allow)| {
        let from = BTreeSet::from([Subject::Named(name.parse().ok()?)]);
        let to = allow.iter().map(|allow| Target::word(word(*allow))).collect();
        Some(Said { by, from: Cow::Owned(from), to: Cow::Owned(to) })
    })
}

fn word(allow: Allow) -> Where {
    match allow {
        Allow::Internet => Where::Internet,
        Allow::Cell => Where::Cell,
    }
}
