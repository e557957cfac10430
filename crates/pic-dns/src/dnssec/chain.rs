//! From a trust anchor down to a zone: each step is a DS that the parent signed, and keys that the DS is about.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::{name, rcode};

use super::budget::Budget;
use super::clock::{Now, Validity};
use super::denial::{self, Delegation};
use super::key::{Ds, Key};
use super::record::{Case, Record, RrSet, Sections, set};
use super::verify::{Keys, verify, verify_as};
use super::{Anchors, Asker, Fault, ede, types};

/// Keys of a zone that are looked at.
const MAX_KEYS: usize = 32;
/// Digests of one zone that are looked at.
const MAX_DS: usize = 16;
/// Longest and shortest life of what is known about a zone, in seconds.
const LIFE: std::ops::RangeInclusive<u32> = 1..=3_600;
/// The same while the clock is in doubt.
const LIFE_IN_DOUBT: u32 = 60;
const MAX_KNOWN: usize = 4_096;

/// What is known about a name as the beginning of a zone.
#[derive(Debug, Clone)]
pub(super) enum Cut {
    Signed(Arc<Keys>),
    Unsigned,
    None,
}

/// What a parent says about a name beneath it.
enum Step {
    Signed(Vec<Ds>),
    Unsigned,
    None,
}

/// The zone that a name belongs to.
#[derive(Debug)]
pub(super) enum Zone {
    Signed(Arc<Keys>),
    /// Proven to have no signatures that could be checked.
    Unsigned,
}

/// Zones found out about, until it has to be done again.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Cuts>);

/// By name in lower case, each until when it holds.
type Cuts = BTreeMap<Box<[u8]>, (Cut, Instant)>;

impl Known {
    fn get(&self, name: &[u8]) -> Option<Cut> {
        let zones = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        zones.get(name).filter(|(_, until)| *until > Instant::now()).map(|(cut, _)| cut.clone())
    }

    fn put(&self, name: &[u8], cut: &Cut, life: u32) {
        let now = Instant::now();
        let mut zones = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if zones.len() >= MAX_KNOWN {
            zones.retain(|_, (_, until)| *until > now);
        }
        if zones.len() >= MAX_KNOWN {
            zones.clear();
        }
        let life = Duration::from_secs(life.clamp(*LIFE.start(), *LIFE.end()).into());
        zones.insert(name.into(), (cut.clone(), now + life));
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The validation of one answer.
pub(super) struct Job<'v> {
    pub(super) asker: &'v dyn Asker,
    pub(super) anchors: Arc<Anchors>,
    pub(super) known: &'v Known,
    pub(super) clock: &'v super::clock::Clock,
    pub(super) now: Now,
    pub(super) budget: Budget,
}

impl Job<'_> {
    /// The zone that `target` belongs to.
    pub(super) async fn zone(&mut self, target: &[u8]) -> Result<Zone, Fault> {
        let Some(apex) = Arc::clone(&self.anchors).nearest(target) else { return Ok(Zone::Unsigned) };
        let mut keys = self.anchored(apex).await?;
        let beneath = name::labels(apex) + 1..=name::labels(target);
        for cut in beneath.filter_map(|labels| name::last_labels(target, labels)) {
            match self.cut(&keys, cut).await? {
                Cut::Signed(own) => keys = own,
                Cut::Unsigned => return Ok(Zone::Unsigned),
                Cut::None => {}
            }
        }
        Ok(Zone::Signed(keys))
    }

    fn keep(&self, name: &[u8], cut: &Cut, life: u32) {
        let limit = if self.now.lenient { LIFE_IN_DOUBT } else { u32::MAX };
        self.known.put(name, cut, life.min(limit));
    }

    /// The keys of a zone that is trusted without a parent.
    async fn anchored(&mut self, apex: &[u8]) -> Result<Arc<Keys>, Fault> {
        if let Some(Cut::Signed(keys)) = self.known.get(apex) {
            return Ok(keys);
        }
        let sections = self.ask(apex, types::DNSKEY).await?;
        let found = self.anchored_in(apex, &sections);
        self.forget_unless_good(&found, apex, types::DNSKEY);
        let (keys, life) = found?;
        self.keep(apex, &Cut::Signed(Arc::clone(&keys)), life);
        Ok(keys)
    }

    fn anchored_in(&mut self, apex: &[u8], sections: &Sections) -> Result<(Arc<Keys>, u32), Fault> {
        let zone = name::to_text(apex);
        let set = keys_in(apex, sections)?;
        let keys = parse(&set);
        let trusted = Keys { apex: apex.into(), keys: self.anchors.trusted(apex, &keys) };
        if trusted.keys.is_empty() {
            return Err(Fault::new(ede::NO_KEYS, format!("no key of zone {zone} is a trust anchor")));
        }
        let strict = Now { lenient: false, ..self.now };
        let verified = match verify(&set, &trusted, strict, &mut self.budget) {
            Err(fault) if matches!(fault.code, ede::EXPIRED | ede::NOT_YET_VALID) => {
                let lenient = Now { lenient: true, ..self.now };
                let judge = |s: &super::key::Signature<'_>| match lenient.within(s.inception, s.expiration) {
                    Validity::Now => Ok(LIFE_IN_DOUBT),
                    Validity::Over | Validity::NotYet => Err((ede::EXPIRED, "has long expired")),
                };
                let verified = verify_as(&set, &trusted, &mut self.budget, judge)?;
                self.now = self.clock.compare(self.now, verified.dates.0, verified.dates.1);
                if !self.now.lenient {
                    return Err(fault);
                }
                verified
            }
            verified => {
                let verified = verified?;
                self.now = self.clock.compare(self.now, verified.dates.0, verified.dates.1);
                verified
            }
        };
        Ok((Arc::new(Keys { apex: apex.into(), keys }), verified.life))
    }

    /// Whether a zone begins at `cut`, which the zone with the keys `above` is responsible for.
    async fn cut(&mut self, above: &Arc<Keys>, cut: &[u8]) -> Result<Cut, Fault> {
        if let Some(known) = self.known.get(cut) {
            return Ok(known);
        }
        let sections = self.ask(cut, types::DS).await?;
        let step = self.step(above, cut, &sections);
        self.forget_unless_good(&step, cut, types::DS);
        let (found, life) = match step? {
            (Step::Signed(ds), life) => {
                let (found, own) = self.keys(cut, &ds).await?;
                (found, own.min(life))
            }
            (Step::Unsigned, life) => (Cut::Unsigned, life),
            (Step::None, life) => (Cut::None, life),
        };
        self.keep(cut, &found, life);
        Ok(found)
    }

    /// What the answer to the question for a DS says, and how long that holds.
    fn step(&mut self, above: &Keys, cut: &[u8], sections: &Sections) -> Result<(Step, u32), Fault> {
        if let Some(set) = set(&sections.answer, cut, types::DS) {
            let life = verify(&set, above, self.now, &mut self.budget)?.life;
            let ds = set.records.iter().take(MAX_DS).filter_map(|record| Ds::parse(&record.rdata));
            return Ok((Step::Signed(ds.collect()), life));
        }
        // An alias is no zone. It is signed by the zone it is in.
        if let Some(alias) = alias(&sections.answer, cut) {
            let life = verify(&alias, above, self.now, &mut self.budget)?.life;
            return Ok((Step::None, life));
        }
        let gathered = denial::gather(&sections.authority, above, self.now, &mut self.budget)?;
        match gathered.denial.delegation(cut, &mut self.budget)? {
            Some(Delegation::Unsigned) => Ok((Step::Unsigned, gathered.life)),
            Some(Delegation::None) => Ok((Step::None, gathered.life)),
            None => {
                let (shown, zone) = (name::to_text(cut), name::to_text(&above.apex));
                let text = format!("zone {zone} does not prove that {shown} is not signed");
                Err(Fault::new(ede::NO_PROOF, text))
            }
        }
    }

    /// The keys of the zone `apex`, about which its parent says `ds`.
    async fn keys(&mut self, apex: &[u8], ds: &[Ds]) -> Result<(Cut, u32), Fault> {
        let usable: Vec<&Ds> = ds.iter().filter(|ds| ds.is_usable()).collect();
        if usable.is_empty() {
            // RFC 4035 section 5.2: signed in a way we cannot check, so as if it were not.
            return Ok((Cut::Unsigned, u32::MAX));
        }
        let sections = self.ask(apex, types::DNSKEY).await?;
        let found = self.keys_by(apex, &usable, &sections);
        self.forget_unless_good(&found, apex, types::DNSKEY);
        found.map(|(keys, life)| (Cut::Signed(keys), life))
    }

    fn keys_by(&mut self, apex: &[u8], ds: &[&Ds], sections: &Sections) -> Result<(Arc<Keys>, u32), Fault> {
        let set = keys_in(apex, sections)?;
        let keys = parse(&set);
        let mut named = Vec::new();
        for key in keys.iter().filter(|key| ds.iter().any(|ds| ds.is_about(key))) {
            self.budget.hash()?;
            if ds.iter().any(|ds| ds.matches(apex, key)) {
                named.push(key.clone());
            }
        }
        let zone = name::to_text(apex);
        if named.is_empty() {
            let text = format!("zone {zone} has none of the keys that the zone above it names (DS)");
            return Err(Fault::new(ede::NO_KEYS, text));
        }
        let named = Keys { apex: apex.into(), keys: named };
        let life = verify(&set, &named, self.now, &mut self.budget)?.life;
        Ok((Arc::new(Keys { apex: apex.into(), keys }), life))
    }

    async fn ask(&mut self, asked: &[u8], qtype: u16) -> Result<Sections, Fault> {
        self.budget.question()?;
        let entry = self.asker.ask(asked, qtype).await;
        let what = || format!("{} of {}", types::name(qtype), name::to_text(asked));
        if entry.ede.is_some() || !matches!(entry.answer.rcode, rcode::NOERROR | rcode::NXDOMAIN) {
            return Err(Fault::new(ede::NO_ANSWER, format!("no upstream resolver gives the {}", what())));
        }
        let malformed = || Fault::new(ede::BOGUS, format!("the answer with the {} is malformed", what()));
        Sections::parse(&entry.answer.wire, Case::Lower).ok_or_else(malformed)
    }

    /// What proved nothing is asked for again next time.
    fn forget_unless_good<T>(&self, result: &Result<T, Fault>, asked: &[u8], qtype: u16) {
        if result.is_err() {
            self.asker.forget(asked, qtype);
        }
    }
}

/// The record that makes `name` an alias: its own CNAME, or a DNAME above it.
pub(super) fn alias<'s>(answer: &'s [Record], name: &[u8]) -> Option<RrSet<'s>> {
    let is_above = |record: &&Record| record.rtype == types::DNAME && is_strictly_within(name, &record.owner);
    match answer.iter().find(is_above) {
        Some(dname) => set(answer, &dname.owner, types::DNAME),
        None => set(answer, name, types::CNAME),
    }
}

fn is_strictly_within(name: &[u8], apex: &[u8]) -> bool {
    name != apex && name::is_within(name, apex)
}

fn keys_in<'s>(apex: &[u8], sections: &'s Sections) -> Result<RrSet<'s>, Fault> {
    let none = || Fault::new(ede::NO_KEYS, format!("zone {} has no keys (DNSKEY)", name::to_text(apex)));
    set(&sections.answer, apex, types::DNSKEY).ok_or_else(none)
}

fn parse(set: &RrSet<'_>) -> Vec<Key> {
    set.records.iter().take(MAX_KEYS).filter_map(|record| Key::parse(&record.rdata)).collect()
}
