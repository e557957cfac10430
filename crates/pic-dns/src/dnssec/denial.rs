//! Proofs that something does not exist, whichever way the zone makes them.

use super::budget::Budget;
use super::clock::Now;
use super::key::Signature;
use super::nsec::{Chain, Nsec};
use super::nsec3::{Hashes, MAX_ITERATIONS, Nsec3};
use super::record::{Record, RrSet, set};
use super::verify::{Keys, is_literal, verify};
use super::{Fault, types};

/// Records that prove in one message; three are needed at most.
const MAX_LINKS: usize = 12;

/// What was proven about a name or type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It does not exist.
    Holds,
    /// There is no such signed name; unsigned zones may be there.
    OptedOut,
}

/// What was proven about a zone cut for which there is no DS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delegation {
    /// A zone begins here, and is not signed.
    Unsigned,
    /// No zone begins here.
    None,
}

/// The records of a message that prove what does not exist; their signatures are good.
#[derive(Debug)]
pub(super) enum Denial<'r> {
    /// There are none.
    Missing,
    Nsec(Chain<'r>),
    Nsec3(Hashes<'r>),
    /// There are some, but they would take too much work.
    TooCostly,
}

/// A message's proofs and how long they last, in seconds.
pub(super) struct Gathered<'r> {
    pub(super) denial: Denial<'r>,
    pub(super) life: u32,
    /// Owners and types of the records.
    pub(super) sets: Vec<(&'r [u8], u16)>,
}

/// Collects the proofs of the zone with these keys.
pub(super) fn gather<'r>(
    authority: &'r [Record],
    keys: &'r Keys,
    now: Now,
    budget: &mut Budget,
) -> Result<Gathered<'r>, Fault> {
    let mut life = u32::MAX;
    let (mut links, mut hashes, mut good) = (Vec::new(), Vec::new(), Vec::new());
    let is_own = |set: &RrSet<'_>| {
        set.signatures.iter().filter_map(|r| Signature::parse(&r.rdata)).any(|s| *s.signer == *keys.apex)
    };
    // Others belong to other steps of the answer.
    for set in sets(authority).filter(is_own) {
        let verified = verify(&set, keys, now, budget)?;
        let Some(record) = set.records.first() else { continue };
        // One made up from a wildcard would prove the wrong thing (CVE-2017-15105).
        if !is_literal(set.owner, verified) {
            continue;
        }
        life = life.min(verified.life);
        good.push((set.owner, set.rtype));
        if set.rtype == types::NSEC {
            links.extend(Nsec::parse(set.owner, &record.rdata));
        } else {
            hashes.extend(Nsec3::parse(set.owner, &record.rdata, &keys.apex));
        }
    }
    let denial = match hashes.first().map(Nsec3::parameters) {
        Some(parameters) if parameters.iterations > MAX_ITERATIONS => Denial::TooCostly,
        Some(parameters) => {
            hashes.retain(|link| link.parameters() == parameters);
            Denial::Nsec3(Hashes { apex: &keys.apex, links: hashes })
        }
        None if links.is_empty() => Denial::Missing,
        None => Denial::Nsec(Chain { links }),
    };
    Ok(Gathered { denial, life, sets: good })
}

fn sets(authority: &[Record]) -> impl Iterator<Item = RrSet<'_>> {
    let mut seen = Vec::new();
    let is_link = |record: &&Record| matches!(record.rtype, types::NSEC | types::NSEC3);
    let new = move |record: &Record| {
        let is_new = !seen.contains(&record.owner);
        if is_new {
            seen.push(record.owner.clone());
        }
        is_new.then(|| set(authority, &record.owner, record.rtype)).flatten()
    };
    authority.iter().filter(is_link).filter_map(new).take(MAX_LINKS)
}

impl Denial<'_> {
    /// About the cut at `cut`, which has no DS. `None`: no proof.
    pub(super) fn delegation(&self, cut: &[u8], budget: &mut Budget) -> Result<Option<Delegation>, Fault> {
        match self {
            Self::Missing => Ok(None),
            Self::TooCostly => Ok(Some(Delegation::Unsigned)),
            Self::Nsec(chain) => Ok(chain.delegation(cut)),
            Self::Nsec3(hashes) => hashes.delegation(cut, budget),
        }
    }

    /// That the name has no such type.
    pub(super) fn nodata(
        &self,
        asked: &[u8],
        qtype: u16,
        budget: &mut Budget,
    ) -> Result<Option<Proof>, Fault> {
        match self {
            Self::Missing => Ok(None),
            Self::TooCostly => Ok(Some(Proof::OptedOut)),
            Self::Nsec(chain) => Ok(chain.nodata(asked, qtype)),
            Self::Nsec3(hashes) => hashes.nodata(asked, qtype, budget),
        }
    }

    /// That the name does not exist, and no wildcard stands for it.
    pub(super) fn nxdomain(&self, asked: &[u8], budget: &mut Budget) -> Result<Option<Proof>, Fault> {
        match self {
            Self::Missing => Ok(None),
            Self::TooCostly => Ok(Some(Proof::OptedOut)),
            Self::Nsec(chain) => Ok(chain.nxdomain(asked)),
            Self::Nsec3(hashes) => hashes.nxdomain(asked, budget),
        }
    }

    /// That the wildcard beneath the last `labels` of `asked` may stand for it.
    pub(super) fn expansion(
        &self,
        asked: &[u8],
        labels: usize,
        budget: &mut Budget,
    ) -> Result<Option<Proof>, Fault> {
        match self {
            Self::Missing => Ok(None),
            Self::TooCostly => Ok(Some(Proof::OptedOut)),
            Self::Nsec(chain) => Ok(chain.expansion(asked, labels)),
            Self::Nsec3(hashes) => hashes.expansion(asked, labels, budget),
        }
    }
}
