//! DNSSEC validation of what upstreams say (RFC 4033 to 4035, 5155, 6840, 9276).
//!
//! Owns: the judgement whether an answer follows from a trust anchor, does not have to, or contradicts it.
//! Works from the top down: from the anchor, name by name, to the zone that must have signed. A zone is taken for
//! unsigned only when its parent proves it so; whatever lacks a proof is bogus.
//! Never: sends or receives (an [`Asker`] does), trusts a flag of an upstream, works without bound: questions,
//! signatures and hashes for one answer are limited (CVE-2023-50387, CVE-2023-50868).
//! Tested: unit tests beside each part, and against zones signed and served by other people's programs in
//! `tests/dnssec.rs`.

mod anchor;
mod budget;
mod chain;
mod clock;
mod compose;
mod crypto;
mod denial;
mod key;
mod nsec;
mod nsec3;
mod record;
mod types;
mod validate;
mod verify;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use anchor::{Anchors, AnchorsError};
pub use compose::{Kept, authentic};
pub(crate) use compose::{cap, strip};
pub use validate::{Judgement, Validator};

use crate::cache::Entry;

/// Gets the raw material of proofs: answers with signatures, not validated.
pub trait Asker: Send + Sync {
    /// The answer to this question, or a failure.
    fn ask<'a>(&'a self, name: &'a [u8], qtype: u16)
    -> Pin<Box<dyn Future<Output = Arc<Entry>> + Send + 'a>>;
    /// The answer turned out to be worthless: not to be given again.
    fn forget(&self, name: &[u8], qtype: u16);
}

/// Why an answer is bogus, or cannot be judged: an extended DNS error (RFC 8914) and the same in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Registered number.
    pub code: u16,
    /// For people.
    pub text: String,
}

impl Fault {
    /// One of these.
    pub(crate) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Whether a message has signatures in its answer.
pub(crate) fn has_signatures(wire: &[u8]) -> bool {
    let sections = record::Sections::parse(wire, record::Case::Kept);
    sections.is_some_and(|sections| sections.answer.iter().any(|record| record.rtype == types::RRSIG))
}

/// Numbers of extended DNS errors.
mod ede {
    pub(super) const BOGUS: u16 = 6;
    pub(super) const EXPIRED: u16 = 7;
    pub(super) const NOT_YET_VALID: u16 = 8;
    pub(super) const NO_KEYS: u16 = 9;
    pub(super) const NO_SIGNATURES: u16 = 10;
    pub(super) const NO_PROOF: u16 = 12;
    pub(super) const NO_ANSWER: u16 = 22;
}
