//! Is a set of records signed by a zone? (RFC 4035 section 5.3)

use crate::wire::{CLASS_IN, name};

use super::budget::Budget;
use super::clock::{Now, Validity};
use super::key::{Key, Signature};
use super::record::RrSet;
use super::{Fault, crypto, ede, types};

/// Signatures of one set that are looked at; honest zones have one or two.
const MAX_SIGNATURES: usize = 8;
/// Keys with the same tag that are tried for one signature.
const MAX_KEYS: usize = 4;

/// The keys of a zone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Its name, in lower case.
    pub(super) apex: Box<[u8]>,
    pub(super) keys: Vec<Key>,
}

/// What a good signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verified {
    /// Seconds that the records may be kept.
    pub(super) life: u32,
    /// Labels of the name that was signed: fewer than the set's own name has, if a wildcard stands for it.
    pub(super) labels: usize,
    /// The signature's dates.
    pub(super) dates: (u32, u32),
}

/// Checks a set against the keys of the zone that must have signed it.
pub(super) fn verify(set: &RrSet<'_>, keys: &Keys, now: Now, budget: &mut Budget) -> Result<Verified, Fault> {
    verify_as(set, keys, budget, |signature| match now.within(signature.inception, signature.expiration) {
        Validity::Now => {
            let ttls = set.records.iter().map(|record| record.ttl);
            let life = ttls.min().unwrap_or(0).min(signature.original_ttl);
            Ok(life.min(now.until(signature.expiration)))
        }
        Validity::Over => Err((ede::EXPIRED, "has expired")),
        Validity::NotYet => Err((ede::NOT_YET_VALID, "is not yet valid")),
    })
}

/// The same with the dates of signatures judged by `judge`, which gives the life or what is wrong.
pub(super) fn verify_as(
    set: &RrSet<'_>,
    keys: &Keys,
    budget: &mut Budget,
    judge: impl Fn(&Signature<'_>) -> Result<u32, (u16, &'static str)>,
) -> Result<Verified, Fault> {
    let zone = name::to_text(&keys.apex);
    let what = format!("{} {}", name::to_text(set.owner), types::name(set.rtype));
    let mut fault = Fault::new(ede::NO_SIGNATURES, format!("{what} is not signed, but zone {zone} is"));
    let count = labels_signed(set.owner);
    for record in set.signatures.iter().take(MAX_SIGNATURES) {
        let Some(signature) = Signature::parse(&record.rdata) else { continue };
        let labels = usize::from(signature.labels);
        if *signature.signer != *keys.apex || labels > count || !name::is_within(set.owner, &keys.apex) {
            fault =
                Fault::new(ede::BOGUS, format!("{what} is not signed by zone {zone}, which it belongs to"));
            continue;
        }
        if !crypto::is_supported(signature.algorithm) {
            continue;
        }
        let life = match judge(&signature) {
            Ok(life) => life,
            Err((code, problem)) => {
                fault = Fault::new(code, format!("the signature of {what} by zone {zone} {problem}"));
                continue;
            }
        };
        let fits = |key: &&Key| key.tag == signature.tag && key.algorithm == signature.algorithm;
        let mut known = keys.keys.iter().filter(fits).take(MAX_KEYS).peekable();
        fault = if known.peek().is_none() {
            Fault::new(ede::NO_KEYS, format!("{what} is signed by a key that zone {zone} does not have"))
        } else {
            Fault::new(ede::BOGUS, format!("the signature of {what} by zone {zone} is wrong"))
        };
        let Some(data) = signed_data(set, &signature, labels) else { continue };
        for key in known {
            budget.signature()?;
            if key.has_signed(&data, signature.signature) {
                return Ok(Verified { life, labels, dates: (signature.inception, signature.expiration) });
            }
        }
    }
    Err(fault)
}

/// Labels of a name as signatures count them.
fn labels_signed(owner: &[u8]) -> usize {
    name::labels(owner) - usize::from(owner.starts_with(b"\x01*"))
}

/// Whether the set is about the name that was signed, not about one that a wildcard stands for.
pub(super) fn is_literal(owner: &[u8], verified: Verified) -> bool {
    labels_signed(owner) == verified.labels
}

/// RFC 4034 section 3.1.8.1.
fn signed_data(set: &RrSet<'_>, signature: &Signature<'_>, labels: usize) -> Option<Vec<u8>> {
    let mut owner = Vec::with_capacity(set.owner.len());
    if labels < labels_signed(set.owner) {
        owner.extend_from_slice(b"\x01*");
        owner.extend_from_slice(name::last_labels(set.owner, labels)?);
    } else {
        owner.extend_from_slice(set.owner);
    }
    let mut values: Vec<&[u8]> = set.records.iter().map(|record| &*record.rdata).collect();
    values.sort_unstable();
    values.dedup();
    let mut data = signature.head.to_vec();
    for value in values {
        data.extend_from_slice(&owner);
        data.extend_from_slice(&set.rtype.to_be_bytes());
        data.extend_from_slice(&CLASS_IN.to_be_bytes());
        data.extend_from_slice(&signature.original_ttl.to_be_bytes());
        data.extend_from_slice(&u16::try_from(value.len()).ok()?.to_be_bytes());
        data.extend_from_slice(value);
    }
    Some(data)
}
