//! How much work one answer may cause.

use super::{Fault, ede};

/// Signatures verified for one answer: a long chain of aliases needs a third of it.
const SIGNATURES: u32 = 64;
/// Names hashed for NSEC3, each some hundred rounds at most.
const HASHES: u32 = 256;
/// Questions asked for one answer: the longest names, those of IPv6 addresses, have 34 labels.
const QUESTIONS: u32 = 64;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    signatures: u32,
    hashes: u32,
    questions: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { signatures: SIGNATURES, hashes: HASHES, questions: QUESTIONS }
    }

    pub(super) fn signature(&mut self) -> Result<(), Fault> {
        spend(&mut self.signatures, "signatures")
    }

    pub(super) fn hash(&mut self) -> Result<(), Fault> {
        spend(&mut self.hashes, "hashes")
    }

    pub(super) fn question(&mut self) -> Result<(), Fault> {
        spend(&mut self.questions, "questions")
    }
}

fn spend(left: &mut u32, what: &str) -> Result<(), Fault> {
    let exhausted = || Fault::new(ede::BOGUS, format!("checking this answer would take too many {what}"));
    *left = left.checked_sub(1).ok_or_else(exhausted)?;
    Ok(())
}
