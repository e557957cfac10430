//! Observe, compile, diff, apply, verify: the one path for boot, drift and change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use pic_model::Desired;
use pic_model::key::PublicKey;
use pic_plan::compile::{self, policy};
use pic_plan::diff::diff;
use pic_plan::marks::{FILE_RESOLVER, UNIT_WIREGUARD};
use pic_plan::plan::{Domain, Step};
use pic_plan::target::wireguard::PeerLive;
use pic_plan::{Action, Facts, Plan, Targets, words};
use pic_plan::{queue, resolver};

use crate::engine::Engine;
use crate::report::{Health, OperationState, Reconciled};

/// How often the host is changed and read again before giving up.
const ATTEMPTS: usize = 3;

/// Seconds after its last handshake that a peer still has a session (WireGuard paper, section 6.1), and some.
const LATELY: i64 = 300;

/// Peers changed at once that the kernel's acknowledgement is enough for.
const FEW_PEERS: usize = 64;

/// End of one convergence.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Steps made.
    pub(crate) steps: usize,
    /// Domains that are not as wanted, with the reason.
    pub(crate) failed: BTreeMap<Domain, String>,
    /// Domains not tried because another one failed.
    pub(crate) blocked: BTreeMap<Domain, String>,
    /// Domains in which a step was made.
    pub(crate) touched: BTreeMap<Domain, u64>,
}

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        self.failed.is_empty() && self.blocked.is_empty()
    }

    /// Domains that are not as wanted.
    pub(crate) fn wrong(&self) -> impl Iterator<Item = &Domain> {
        self.failed.keys().chain(self.blocked.keys())
    }

    /// Those of them that a change is taken back for.
    pub(crate) fn vital(&self) -> impl Iterator<Item = &Domain> {
        self.wrong().filter(|domain| domain.is_vital())
    }

    /// What failed, in words.
    pub(crate) fn words(&self) -> String {
        let parts = self.failed.iter().chain(&self.blocked);
        parts.map(|(domain, words)| format!("{}: {words}", domain.as_str())).collect::<Vec<_>>().join("; ")
    }
}

impl Engine {
    /// Brings the host to the state in force and reports. Never fails: what went wrong is in the report.
    pub(crate) fn reconcile(&mut self, because: &'static str) {
        let begin = Instant::now();
        self.notice_edits();
        if because == "timer" {
            // Whoever has not applied a plan by now can wait while it is read again: it holds memory.
            self.planned = None;
        }
        let desired = self.current.desired.clone();
        let Some(desired) = desired else {
            self.publish();
            return;
        };
        let outcome = self.converge(Some(&desired), self.current.generation, None, &mut |_, _, _| {});
        let repairs = matches!(because, "event" | "timer" | "look");
        match because {
            _ if outcome.steps == 0 => {}
            // A peer that expires, a schedule that begins.
            "time" => tracing::info!(steps = outcome.steps, "made what the time has changed"),
            _ if !repairs => {}
            _ => {
                let parts: Vec<_> = outcome.touched.keys().map(|domain| domain.as_str()).collect();
                let parts = parts.join(", ");
                tracing::warn!(parts, steps = outcome.steps, because, "the host had changed; repaired");
            }
        }
        self.settle(&outcome, repairs);
        self.finish(because, begin, outcome.steps);
    }

    pub(crate) fn finish(&mut self, because: &'static str, begin: Instant, steps: usize) {
        let milliseconds = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.reconciled = Some(Reconciled { at: self.clock.now(), because, milliseconds, steps });
        self.publish();
    }

    /// Whether `cell.toml` was edited and not applied.
    pub(crate) fn notice_edits(&mut self) -> bool {
        let file = self.disk.read(&self.config.cell_toml).ok().flatten();
        // While a change waits, the file rightly holds the kept state.
        let known = [&self.current.text, &self.kept.text];
        self.edited = file.is_some_and(|bytes| known.iter().all(|text| bytes != text.as_bytes()));
        self.edited
    }

    /// Takes an outcome into the domains' reports.
    pub(crate) fn settle(&mut self, outcome: &Outcome, repairs: bool) {
        self.settle_services();
        let complaints = self.complaints();
        for (domain, report) in &mut self.domains {
            let bad = if domain.is_vital() { Health::Failed } else { Health::Degraded };
            let found = outcome.failed.get(domain).map(|words| (bad, words));
            let found = found.or_else(|| outcome.blocked.get(domain).map(|words| (Health::Blocked, words)));
            let found = found.or_else(|| Some((bad, complaints.get(domain)?)));
            (report.health, report.words) =
                found.map_or((Health::Ok, String::new()), |(health, words)| (health, words.clone()));
            if repairs {
                report.repairs += outcome.touched.get(domain).copied().unwrap_or(0);
            }
        }
    }

    /// What no step can mend, in domains that no change is taken back for.
    fn complaints(&self) -> BTreeMap<Domain, String> {
        let Some(targets) = self.compiled.as_ref().map(|compiled| &compiled.targets) else {
            return BTreeMap::new();
        };
        let resolver = resolver::complaint(targets.resolver.as_ref(), self.seen.resolver.as_ref());
        let queue = queue::complaint(&targets.queues, &self.seen.queues);
        let all = [(Domain::Resolver, resolver), (Domain::Queue, queue)].into_iter();
        all.filter_map(|(domain, words)| Some((domain, words?))).collect()
    }

    /// The steps that bring the host to a state. `domains` are read afresh, of the others the last look is taken.
    pub(crate) fn look(
        &mut self,
        desired: Option<&Arc<Desired>>,
        generation: u64,
        domains: &BTreeSet<Domain>,
    ) -> Result<Look, String> {
        let facts = self.world.facts(generation).map_err(|error| error.to_string())?;
        let facts = Facts { now: facts.now.max(self.ledger.latest()), ..facts };
        let targets = self.targets(desired, facts);
        let observation = self.world.observe(&targets, domains);
        // A lost device knows nothing of its peers; what was known before helps to find them again.
        if domains.contains(&Domain::Wireguard) && !observation.observed.wireguard.is_empty() {
            self.live = Arc::new(observation.live);
        }
        self.seen.take(observation.observed, domains);
        let unread = observation.failed;
        let steps = diff(&targets, &self.seen);
        let (unsure, steps) = steps.into_iter().partition(|step| unread.contains_key(&step.action.domain()));
        Ok(Look { steps, unsure, unread, next_change: targets.next_change })
    }

    /// Compiles, or takes the last compilation when nothing that matters has changed since.
    fn targets(&mut self, desired: Option<&Arc<Desired>>, facts: Facts) -> Arc<Targets> {
        let now = facts.now;
        let same = |kept: &Compiled| {
            let desired_same = match (&kept.desired, desired) {
                (Some(kept), Some(desired)) => Arc::ptr_eq(kept, desired),
                (None, None) => true,
                _ => false,
            };
            let then = Facts { now: kept.facts.now, generation: kept.facts.generation, ..facts.clone() };
            desired_same && *kept.facts == then && (kept.facts.now..kept.until).contains(&now)
        };
        self.note_in_force();
        let known = [&self.compiled, &self.in_force].into_iter().flatten().find(|kept| same(kept)).cloned();
        if let Some(kept) = known {
            let targets = Arc::clone(&kept.targets);
            self.facts = Some(Arc::clone(&kept.facts));
            self.compiled = Some(kept);
            return targets;
        }
        let before = self.in_force.as_ref().or(self.compiled.as_ref()).and_then(Compiled::before);
        let (targets, granted) =
            desired.map(|desired| compile::again(before, desired, &facts)).unwrap_or_default();
        let (targets, facts) = (Arc::new(targets), Arc::new(facts));
        self.facts = Some(Arc::clone(&facts));
        let until = targets.next_change.unwrap_or(i64::MAX);
        self.compiled = Some(Compiled {
            desired: desired.cloned(),
            facts,
            targets: Arc::clone(&targets),
            until,
            granted: Arc::new(granted),
        });
        targets
    }

    /// Keeps the compilation of the state in force, whatever is compiled next.
    pub(crate) fn note_in_force(&mut self) {
        let is_of =
            |kept: &Compiled| self.current.desired.as_ref().is_some_and(|desired| kept.is_of(desired));
        match &self.compiled {
            Some(kept) if is_of(kept) => self.in_force = Some(kept.clone()),
            _ if self.in_force.as_ref().is_some_and(|kept| !is_of(kept)) => self.in_force = None,
            _ => {}
        }
    }

    /// Changes and reads the host until nothing differs, at most [`ATTEMPTS`] times, beginning with `first` if the
    /// caller has just looked. `progress` hears of each step and each
    /// look back.
    pub(crate) fn converge(
        &mut self,
        desired: Option<&Arc<Desired>>,
        generation: u64,
        first: Option<Look>,
        progress: &mut dyn FnMut(&mut Self, OperationState, usize),
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut next = first.map_or_else(|| self.look(desired, generation, &everything()), Ok);
        for attempt in 1.. {
            let look = match next {
                Ok(look) => look,
                Err(words) => {
                    self.seen_is_fresh = false;
                    outcome.failed = Domain::ALL.into_iter().map(|domain| (domain, words.clone())).collect();
                    return outcome;
                }
            };
            self.next_change = look.next_change;
            if look.steps.is_empty() {
                self.seen_is_fresh = look.unread.is_empty();
                outcome.failed = look.unread;
                outcome.blocked.clear();
                return outcome;
            }
            if attempt > ATTEMPTS {
                self.seen_is_fresh = false;
                blame(&mut outcome, look);
                return outcome;
            }
            outcome.failed = look.unread;
            outcome.blocked.clear();
            let live = Arc::clone(&self.live);
            let mut read_again = self.run_steps(&look.steps, &mut outcome, progress);
            if look.steps.iter().any(|step| makes_a_device(&step.action)) {
                self.greet(&live);
            }
            if !outcome.is_ok() || attempt > 1 {
                read_again = everything();
            }
            progress(self, OperationState::Verifying, outcome.steps);
            next = self.look(desired, generation, &read_again);
        }
        outcome
    }

    /// Peers that spoke lately get their endpoint back and are spoken to first.
    fn greet(&mut self, live: &BTreeMap<PublicKey, PeerLive>) {
        let since = self.clock.now() - LATELY;
        let lately = live.iter().filter(|(_, peer)| peer.last_handshake.is_some_and(|at| at >= since));
        let peers = lately.filter_map(|(key, peer)| Some((*key, peer.endpoint?))).collect();
        if let Err(error) = self.world.greet(&peers) {
            tracing::warn!(%error, "cannot greet the peers of a new device; they come back by themselves");
        }
    }

    /// Runs steps; says which domains must be read again to see that they hold.
    fn run_steps(
        &mut self,
        steps: &[Step],
        outcome: &mut Outcome,
        progress: &mut dyn FnMut(&mut Self, OperationState, usize),
    ) -> BTreeSet<Domain> {
        let mut read_again = BTreeSet::new();
        for step in steps {
            let domain = step.action.domain();
            if outcome.failed.contains_key(&domain) {
                continue;
            }
            let blocker = domain.needs().iter().find(|needed| outcome.failed.contains_key(needed));
            if let Some(blocker) = blocker {
                outcome.blocked.insert(domain, format!("waits for {}", blocker.as_str()));
                continue;
            }
            tracing::debug!(step = words::of(&step.action), why = step.why, "apply");
            if step.action.domain() == Domain::Firewall {
                // Whoever changes the table changes it where it is read, too, unless somebody else holds it.
                self.seen.nft = None;
            }
            match self.world.apply(&step.action) {
                Ok(()) => {
                    if !self.acknowledged(&step.action) {
                        read_again.insert(domain);
                    }
                    outcome.steps += 1;
                    *outcome.touched.entry(domain).or_default() += 1;
                    progress(self, OperationState::Applying, outcome.steps);
                }
                Err(error) => {
                    let words = format!("cannot {}: {error}", words::of(&step.action));
                    tracing::error!(domain = domain.as_str(), words);
                    outcome.failed.insert(domain, words);
                }
            }
        }
        let told =
            |step: &Step| matches!(&step.action, Action::FileWrite { path, .. } if path == FILE_RESOLVER);
        if steps.iter().any(told) {
            read_again.insert(Domain::Resolver);
        }
        // A unit or a link brings its device with it.
        if read_again.contains(&Domain::Unit) || read_again.contains(&Domain::Link) {
            read_again.extend([Domain::Link, Domain::Wireguard, Domain::Resolver]);
        }
        // The same of an exit's, and routes go with it.
        if read_again.contains(&Domain::Unit) || read_again.contains(&Domain::Exit) {
            read_again.extend([Domain::Exit, Domain::Route]);
        }
        // An interface that is made anew begins with the kernel's own queue.
        if [Domain::Unit, Domain::Link, Domain::Lan].iter().any(|made| read_again.contains(made)) {
            read_again.insert(Domain::Queue);
        }
        read_again
    }

    /// A few peers on a device: the kernel has acknowledged each of them, so what was seen is brought up to date and ten
    /// thousand others are not read again. The next full look, at the latest after
    /// [`crate::Config::interval`], checks it all the same.
    fn acknowledged(&mut self, action: &Action) -> bool {
        let Action::WireguardSet { name, delta } = action else { return false };
        let small = delta.set.len() + delta.remove.len() <= FEW_PEERS;
        match self.seen.wireguard.get_mut(name).filter(|_| small && delta.private_key.is_none()) {
            Some(device) => {
                device.change(delta);
                true
            }
            None => false,
        }
    }

    /// Sets the state of the operation under way and tells everyone.
    pub(crate) fn progress(&mut self, state: OperationState, done: usize) {
        if let Some(operation) = &mut self.operation {
            operation.state = state;
            operation.done = done;
        }
        self.publish();
    }
}

/// What a look at the host found.
#[derive(Debug)]
pub(crate) struct Look {
    /// Steps that bring it to the state asked for.
    pub(crate) steps: Vec<Step>,
    /// Steps in domains that could not be read, as if there were nothing; they are not made.
    pub(crate) unsure: Vec<Step>,
    /// Domains that could not be read.
    pub(crate) unread: BTreeMap<Domain, String>,
    /// Unix seconds at which the state asked for compiles differently.
    next_change: Option<i64>,
}

/// A compilation and what it was made from.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) desired: Option<Arc<Desired>>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) targets: Arc<Targets>,
    /// Unix seconds at which it is no longer right.
    until: i64,
    /// What it left for the next one.
    granted: Arc<compile::Granted>,
}

impl Compiled {
    fn before(&self) -> Option<compile::Before<'_>> {
        let desired = self.desired.as_deref()?;
        Some(compile::Before { desired, facts: &self.facts, until: self.until, granted: &self.granted })
    }

    /// Whether it is the compilation of exactly this.
    pub(crate) fn is_of(&self, desired: &Arc<Desired>) -> bool {
        self.desired.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, desired))
    }
}

/// All domains.
pub(crate) fn everything() -> BTreeSet<Domain> {
    Domain::ALL.into()
}

/// Steps kept coming: what still differs has failed.
fn blame(outcome: &mut Outcome, look: Look) {
    let mut failed = look.unread;
    for step in &look.steps {
        let words = || format!("does not stay as it should: {}", words::of(&step.action));
        let known = outcome.failed.get(&step.action.domain()).cloned();
        failed.entry(step.action.domain()).or_insert_with(|| known.unwrap_or_else(words));
    }
    outcome.blocked.retain(|domain, _| failed.contains_key(domain));
    failed.retain(|domain, _| !outcome.blocked.contains_key(domain));
    outcome.failed = failed;
}

fn makes_a_device(action: &Action) -> bool {
    match action {
        Action::LinkCreate { .. } => true,
        Action::UnitStart { name } => name == UNIT_WIREGUARD,
        _ => false,
    }
}

/// A plan with its risks, and who loses and gains what.
pub(crate) fn plan(
    from: Option<&Desired>,
    to: &Desired,
    steps: Vec<Step>,
    policy::Lines { mut lines, more }: policy::Lines,
) -> Plan {
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let (risks, notes) = (pic_plan::risk::risks(from, Some(to)), pic_plan::notes::notes(from, Some(to)));
    Plan { risks, grants: lines, notes, steps }
}
