//! Questions whose answers are validated before anybody gets them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use tokio::time::timeout;

use super::race::{self, Won};
use super::upstream::Question;
use super::{DEADLINE, Forwarder, UNREACHABLE, empty, entry, failure};
use crate::cache::{Entry, KeyBuf, Proof};
use crate::dnssec::{self, Asker, Fault, Judgement, Kept, Validator};
use crate::wire::answer::{Answer, of_wire};
use crate::wire::rcode;
use crate::wire::reply::Ede;

/// Life of a failure that is no accident, in seconds (RFC 9520 section 3.2: at most five minutes).
const BOGUS_LIFE: u32 = 10;
/// Bytes of the words that a client is told.
const MAX_WORDS: usize = 400;

/// Asks and validates; within [`DEADLINE`].
pub(super) async fn ask(
    forwarder: &Arc<Forwarder>,
    validator: &Validator,
    question: &Question,
) -> Arc<Entry> {
    let asking = attempts(forwarder, validator, question);
    timeout(DEADLINE, asking).await.unwrap_or_else(|_| failure(UNREACHABLE))
}

async fn attempts(forwarder: &Arc<Forwarder>, validator: &Validator, question: &Question) -> Arc<Entry> {
    let gives_up = || !validator.is_required() && none_is_signed(forwarder);
    if gives_up() {
        return unvalidated(forwarder, question).await;
    }
    let first = race::ask(&forwarder.upstreams, &forwarder.guard, question, None).await;
    let by = first.by;
    let fault = match judged(forwarder, validator, question, first).await {
        Ok(entry) => return entry,
        Err(fault) => fault,
    };
    // Perhaps it is but this one upstream that lies, or loses signatures.
    if forwarder.upstreams.len() > 1 {
        let second = race::ask(&forwarder.upstreams, &forwarder.guard, question, by).await;
        if second.by != by
            && let Ok(entry) = judged(forwarder, validator, question, second).await
        {
            return entry;
        }
    }
    // Found out only now.
    if gives_up() { unvalidated(forwarder, question).await } else { bogus(told(forwarder, fault)) }
}

/// Whether no upstream hands signatures on, as far as is known.
fn none_is_signed(forwarder: &Forwarder) -> bool {
    let now = Instant::now();
    forwarder.upstreams.iter().all(|upstream| upstream.is_unsigned(now))
}

async fn unvalidated(forwarder: &Arc<Forwarder>, question: &Question) -> Arc<Entry> {
    let entry = race::ask(&forwarder.upstreams, &forwarder.guard, question, None).await.entry;
    if entry.ede.is_some() { entry } else { stripped(question, entry, Proof::Unchecked) }
}

async fn judged(
    forwarder: &Arc<Forwarder>,
    validator: &Validator,
    question: &Question,
    won: Won,
) -> Result<Arc<Entry>, Fault> {
    let entry = won.entry;
    if entry.ede.is_some() || !matches!(entry.answer.rcode, rcode::NOERROR | rcode::NXDOMAIN) {
        return Ok(entry);
    }
    let source = Source { forwarder, validator };
    match validator.judge(&source, question.name(), question.qtype(), &entry.answer).await {
        Judgement::Bogus(fault) => Err(fault),
        Judgement::Insecure => Ok(stripped(question, entry, Proof::Insecure)),
        Judgement::Secure { life, kept } => secure(question, &entry.answer, life, &kept),
    }
}

/// The answer as it came, without signatures for who does not want them.
fn stripped(question: &Question, entry: Arc<Entry>, proof: Proof) -> Arc<Entry> {
    let bare = if question.wants_signatures() {
        None
    } else {
        let wire = dnssec::strip(&entry.answer.wire, question.qtype());
        wire.and_then(|wire| of_wire(wire, question.len()))
    };
    let answer = bare.unwrap_or_else(|| entry.answer.clone());
    self::entry(answer, None, proof)
}

/// The authentic part of an answer, with TTLs that were signed.
fn secure(question: &Question, answer: &Answer, life: u32, kept: &Kept) -> Result<Arc<Entry>, Fault> {
    let wire = dnssec::authentic(&answer.wire, kept, question.qtype(), question.wants_signatures());
    let composed = wire.and_then(|wire| of_wire(wire, question.len()));
    let too_long = || Fault::new(0, "the answer is too long to be composed anew");
    let mut composed = composed.ok_or_else(too_long)?;
    dnssec::cap(&mut composed.wire, &composed.ttls, life);
    composed.life = answer.life.min(life);
    Ok(entry(composed, None, Proof::Secure))
}

/// What a fault comes from, where it comes from upstreams that are all of no use.
fn told(forwarder: &Forwarder, fault: Fault) -> Fault {
    if !none_is_signed(forwarder) {
        return fault;
    }
    let all: Vec<String> = forwarder.upstreams.iter().map(|u| u.address().to_string()).collect();
    let text = format!(
        "{} cannot do DNSSEC (no signatures): set other dns.upstreams, or dns.dnssec = false",
        all.join(", ")
    );
    Fault::new(fault.code, text)
}

fn bogus(fault: Fault) -> Arc<Entry> {
    let mut words = fault.text;
    words.truncate(words.floor_char_boundary(MAX_WORDS));
    Arc::new(Entry {
        answer: empty(rcode::SERVFAIL, BOGUS_LIFE),
        ede: Some(Ede { code: fault.code, text: "DNSSEC validation failed" }),
        detail: Some(words.into()),
        proof: Proof::Bogus,
        stored: Instant::now(),
        renewing: AtomicBool::new(false),
        clean: AtomicU64::new(0),
    })
}

/// Proofs come from the same upstreams, through the same cache.
struct Source<'f> {
    forwarder: &'f Arc<Forwarder>,
    validator: &'f Validator,
}

impl Asker for Source<'_> {
    fn ask<'a>(
        &'a self,
        name: &'a [u8],
        qtype: u16,
    ) -> Pin<Box<dyn Future<Output = Arc<Entry>> + Send + 'a>> {
        let key = KeyBuf::of_proof(name, qtype).to_key();
        if let Some(entry) = self.forwarder.fresh(&key) {
            return Box::pin(std::future::ready(entry));
        }
        let question = Question::for_proof(name, qtype, self.validator.is_anchor(name));
        Box::pin(Arc::clone(self.forwarder).resolve(key, question))
    }

    fn forget(&self, name: &[u8], qtype: u16) {
        self.forwarder.cache.remove(&KeyBuf::of_proof(name, qtype).to_key());
    }
}
