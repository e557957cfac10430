//! The judgement on one answer: every step from the name that was asked for to the records, or to the proof that there
//! are none (RFC 4035 section 5).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::wire::answer::Answer;
use crate::wire::{name, rcode, rtype};

use super::budget::Budget;
use super::chain::{Job, Known, Zone, alias};
use super::clock::Clock;
use super::compose::{Kept, Part};
use super::denial::{self, Gathered, Proof};
use super::key::Signature;
use super::record::{Case, Record, RrSet, Sections, set};
use super::verify::{Keys, is_literal, verify};
use super::{Anchors, AnchorsError, Asker, Fault, ede, types};

/// Aliases followed in one answer.
const MAX_ALIASES: usize = 12;

/// What came of checking an answer.
#[derive(Debug)]
pub enum Judgement {
    /// It follows from a trust anchor.
    Secure {
        /// Seconds that it may be kept.
        life: u32,
        /// The records that this was shown for.
        kept: Kept,
    },
    /// It is about a zone that is proven not to be signed.
    Insecure,
    /// It should be signed, and is not rightly.
    Bogus(Fault),
}

/// Trust anchors, and what was learnt from them.
#[derive(Debug)]
pub struct Validator {
    path: Option<PathBuf>,
    anchors: ArcSwap<Anchors>,
    /// Why the anchors in the file are not used.
    error: Mutex<Option<String>>,
    known: Known,
    clock: Clock,
    required: bool,
}

impl Validator {
    /// Trusts what is in the file, or the built-in keys of the root. `required`: nothing is given unvalidated because no
    /// upstream hands signatures on.
    pub fn new(path: Option<PathBuf>, required: bool) -> Self {
        let validator = Self { path, required, ..Self::trusting(Anchors::default()) };
        validator.follow();
        validator
    }

    /// Trusts these.
    pub fn trusting(anchors: Anchors) -> Self {
        Self {
            path: None,
            anchors: ArcSwap::from_pointee(anchors),
            error: Mutex::new(None),
            known: Known::default(),
            clock: Clock::new(),
            required: true,
        }
    }

    /// Whether nothing is given unvalidated.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Reads the file again. One that cannot be read leaves what was trusted before; nothing at the beginning.
    pub fn follow(&self) {
        let loaded = match &self.path {
            Some(path) => Anchors::load(path),
            None => Ok(Anchors::root()),
        };
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(anchors) => {
                *error = None;
                if anchors != **self.anchors.load() {
                    self.anchors.store(Arc::new(anchors));
                    self.known.clear();
                }
            }
            Err(found) => *error = Some(told(&found)),
        }
    }

    /// Where the trust anchors come from.
    pub fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// Why the file's trust anchors are not used, or are old.
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The dates of the trust anchor's signature, where this machine's clock is outside them.
    pub fn doubt(&self) -> Option<(u32, u32)> {
        self.clock.doubt()
    }

    /// Whether this very zone is trusted, so that its keys must come with signatures.
    pub fn is_anchor(&self, apex: &[u8]) -> bool {
        self.anchors.load().nearest(apex) == Some(apex)
    }

    /// Whether a zone at or above this name, other than the root, is trusted.
    pub fn is_for(&self, name: &[u8]) -> bool {
        self.anchors.load().is_for(name)
    }

    /// Judges the answer to a question; `asked` in lower-case wire form.
    pub async fn judge(&self, asker: &dyn Asker, asked: &[u8], qtype: u16, answer: &Answer) -> Judgement {
        // Signatures by themselves are not signed, and a question for them alone is one of curiosity.
        if qtype == types::RRSIG || qtype == rtype::ANY {
            return Judgement::Insecure;
        }
        let (now, jumped) = self.clock.read();
        if jumped {
            self.known.clear();
        }
        let anchors = self.anchors.load_full();
        if anchors.is_empty() {
            let text = self.error().unwrap_or_else(|| "there is no trust anchor".to_owned());
            return Judgement::Bogus(Fault::new(ede::BOGUS, text));
        }
        let Some(sections) = Sections::parse(&answer.wire, Case::Lower) else {
            return Judgement::Bogus(Fault::new(ede::BOGUS, "the answer is malformed"));
        };
        let job = Job { asker, anchors, known: &self.known, clock: &self.clock, now, budget: Budget::new() };
        let mut check =
            Check { job, sections: &sections, secure: true, life: u32::MAX, kept: Kept::default() };
        match check.follow(asked, qtype, answer.rcode).await {
            Err(fault) => Judgement::Bogus(fault),
            Ok(()) if check.secure => Judgement::Secure { life: check.life, kept: check.kept },
            Ok(()) => Judgement::Insecure,
        }
    }
}

fn told(error: &AnchorsError) -> String {
    pic_service::chain(error)
}

struct Check<'v, 's> {
    job: Job<'v>,
    sections: &'s Sections,
    /// No step led through an unsigned zone so far.
    secure: bool,
    life: u32,
    kept: Kept,
}

impl<'s> Check<'_, 's> {
    async fn follow(&mut self, asked: &[u8], qtype: u16, code: u16) -> Result<(), Fault> {
        let answer = &self.sections.answer;
        let mut at: Box<[u8]> = asked.into();
        for _ in 0..=MAX_ALIASES {
            if let Some(found) = set(answer, &at, qtype) {
                return self.positive(&found).await;
            }
            let Some(step) = alias(answer, &at).filter(|_| qtype != types::CNAME) else {
                return self.negative(&at, qtype, code).await;
            };
            self.positive(&step).await?;
            let target = step.records.first().map(|record| &*record.rdata).unwrap_or_default();
            at = if step.rtype == types::DNAME {
                self.substitute(&at, step.owner, target)?
            } else {
                target.into()
            };
        }
        Err(Fault::new(ede::BOGUS, "the answer has too many aliases"))
    }

    /// The name that a DNAME makes of one beneath it (RFC 6672 section 2.2). The CNAME that says so is not signed, and
    /// must say the same.
    fn substitute(&mut self, at: &[u8], owner: &[u8], target: &[u8]) -> Result<Box<[u8]>, Fault> {
        let head = at.get(..at.len() - owner.len()).unwrap_or_default();
        let made = [head, target].concat();
        let told = set(&self.sections.answer, at, types::CNAME);
        let same = told.is_none_or(|set| set.records.iter().all(|record| *record.rdata == *made));
        if made.len() > name::MAX || !same {
            let text = format!("{} is an alias of something else than its DNAME says", name::to_text(at));
            return Err(Fault::new(ede::BOGUS, text));
        }
        self.kept.add(Part::Answer, at, types::CNAME);
        Ok(made.into())
    }

    /// The zone that must have signed records named `owner`: the one a signature names, if it can be, or the one that
    /// the name turns out to be in.
    async fn zone(&mut self, owner: &[u8], qtype: u16, signer: Option<&[u8]>) -> Result<Zone, Fault> {
        // What the parent says about a zone is the parent's.
        let inside = if qtype == types::DS { name::parent(owner).unwrap_or(owner) } else { owner };
        let Some(anchor) = Arc::clone(&self.job.anchors).nearest(inside).map(Box::<[u8]>::from) else {
            return Ok(Zone::Unsigned);
        };
        let fits = |signer: &&[u8]| name::is_within(inside, signer) && name::is_within(signer, &anchor);
        self.job.zone(signer.filter(fits).unwrap_or(inside)).await
    }

    async fn positive(&mut self, found: &RrSet<'s>) -> Result<(), Fault> {
        let signer = found.signatures.first().and_then(|record| signer(record));
        let Zone::Signed(keys) = self.zone(found.owner, found.rtype, signer).await? else {
            self.secure = false;
            return Ok(());
        };
        let verified = verify(found, &keys, self.job.now, &mut self.job.budget)?;
        self.life = self.life.min(verified.life);
        self.kept.add(Part::Answer, found.owner, found.rtype);
        if is_literal(found.owner, verified) {
            return Ok(());
        }
        let authority = &self.sections.authority;
        let gathered = denial::gather(authority, &keys, self.job.now, &mut self.job.budget)?;
        let proof = gathered.denial.expansion(found.owner, verified.labels, &mut self.job.budget)?;
        self.take(proof, &gathered, || {
            format!(
                "{} comes from a wildcard, which is not proven to stand for it",
                name::to_text(found.owner)
            )
        })
    }

    async fn negative(&mut self, at: &[u8], qtype: u16, code: u16) -> Result<(), Fault> {
        let authority = &self.sections.authority;
        let signer = authority
            .iter()
            .filter(|record| record.rtype == types::RRSIG)
            .find_map(|r| signer(r).filter(|signer| name::is_within(at, signer)));
        let Zone::Signed(keys) = self.zone(at, qtype, signer).await? else {
            self.secure = false;
            return Ok(());
        };
        let gathered = denial::gather(authority, &keys, self.job.now, &mut self.job.budget)?;
        let what = format!("zone {} does not prove that {}", name::to_text(&keys.apex), name::to_text(at));
        let (proof, what) = if code == rcode::NXDOMAIN {
            (gathered.denial.nxdomain(at, &mut self.job.budget)?, format!("{what} does not exist"))
        } else {
            let proof = gathered.denial.nodata(at, qtype, &mut self.job.budget)?;
            (proof, format!("{what} has no {}", types::name(qtype)))
        };
        self.take(proof, &gathered, || what)?;
        self.start_of_authority(&keys)
    }

    /// How long a "no" lives, which the zone must have signed, too.
    fn start_of_authority(&mut self, keys: &Keys) -> Result<(), Fault> {
        if let Some(soa) = set(&self.sections.authority, &keys.apex, types::SOA) {
            let verified = verify(&soa, keys, self.job.now, &mut self.job.budget)?;
            self.life = self.life.min(verified.life);
            self.kept.add(Part::Authority, &keys.apex, types::SOA);
        }
        Ok(())
    }

    fn take(
        &mut self,
        proof: Option<Proof>,
        gathered: &Gathered<'_>,
        what: impl FnOnce() -> String,
    ) -> Result<(), Fault> {
        match proof {
            None => return Err(Fault::new(ede::NO_PROOF, what())),
            Some(Proof::OptedOut) => self.secure = false,
            Some(Proof::Holds) => {}
        }
        self.life = self.life.min(gathered.life);
        gathered.sets.iter().for_each(|(owner, rtype)| self.kept.add(Part::Authority, owner, *rtype));
        Ok(())
    }
}

fn signer(record: &Record) -> Option<&[u8]> {
    Signature::parse(&record.rdata).map(|signature| signature.signer)
}
