//! Observe, compile, diff, apply, verify: the one path for boot, drift and change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use pic_model::Desired;
use pic_plan::compile::compile;
use pic_plan::diff::diff;
use pic_plan::plan::{Domain, Step};
use pic_plan::{Plan, Targets, words};

use crate::engine::Engine;
use crate::report::{Health, OperationState, Reconciled};

/// How often the host is changed and read again before giving up.
const ATTEMPTS: usize = 3;

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
        let desired = self.current.desired.clone();
        let Some(desired) = desired else {
            self.publish();
            return;
        };
        let outcome = self.converge(Some(&desired), self.current.generation, &mut |_, _| {});
        let repairs = matches!(because, "event" | "timer" | "look");
        if repairs && outcome.steps > 0 {
            tracing::warn!(steps = outcome.steps, because, "the host had changed; repaired");
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
    fn notice_edits(&mut self) {
        let file = self.disk.read(&self.config.cell_toml).ok().flatten();
        self.edited = file.is_some_and(|bytes| bytes != self.current.text.as_bytes());
    }

    /// Takes an outcome into the domains' reports.
    pub(crate) fn settle(&mut self, outcome: &Outcome, repairs: bool) {
        for (domain, report) in &mut self.domains {
            let found = outcome.failed.get(domain).map(|words| (Health::Failed, words));
            let found = found.or_else(|| outcome.blocked.get(domain).map(|words| (Health::Blocked, words)));
            (report.health, report.words) =
                found.map_or((Health::Ok, String::new()), |(health, words)| (health, words.clone()));
            if repairs {
                report.repairs += outcome.touched.get(domain).copied().unwrap_or(0);
            }
        }
    }

    /// The targets of a state and the plan to get there, from a fresh look at the host.
    pub(crate) fn look(&mut self, desired: Option<&Desired>, generation: u64) -> Result<(Targets, Vec<Step>, BTreeMap<Domain, String>), String> {
        let facts = self.world.facts(generation).map_err(|error| error.to_string())?;
        let targets = compile(desired, &facts);
        self.facts = Some(Arc::new(facts));
        let observation = self.world.observe(&targets);
        self.live = Arc::new(observation.live);
        let mut steps = diff(&targets, &observation.observed);
        steps.retain(|step| !observation.failed.contains_key(&step.action.domain()));
        Ok((targets, steps, observation.failed))
    }

    /// Changes and reads the host until nothing differs, at most [`ATTEMPTS`] times. `progress` hears of each step.
    pub(crate) fn converge(
        &mut self,
        desired: Option<&Desired>,
        generation: u64,
        progress: &mut dyn FnMut(&mut Self, usize),
    ) -> Outcome {
        let mut outcome = Outcome::default();
        for _ in 0..ATTEMPTS {
            let (targets, steps, unread) = match self.look(desired, generation) {
                Ok(found) => found,
                Err(words) => {
                    outcome.failed = Domain::ALL.into_iter().map(|domain| (domain, words.clone())).collect();
                    return outcome;
                }
            };
            self.next_change = targets.next_change;
            outcome.failed = unread;
            outcome.blocked.clear();
            if steps.is_empty() {
                return outcome;
            }
            self.run_steps(&steps, &mut outcome, progress);
        }
        // Steps kept coming: read once more and blame what still differs.
        if let Ok((_, steps, unread)) = self.look(desired, generation) {
            let mut failed = unread;
            for step in &steps {
                let words = || format!("does not stay as it should: {}", words::of(&step.action));
                let known = outcome.failed.get(&step.action.domain()).cloned();
                failed.entry(step.action.domain()).or_insert_with(|| known.unwrap_or_else(words));
            }
            outcome.blocked.retain(|domain, _| failed.contains_key(domain));
            failed.retain(|domain, _| !outcome.blocked.contains_key(domain));
            outcome.failed = failed;
        }
        outcome
    }

    fn run_steps(&mut self, steps: &[Step], outcome: &mut Outcome, progress: &mut dyn FnMut(&mut Self, usize)) {
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
            match self.world.apply(&step.action) {
                Ok(()) => {
                    outcome.steps += 1;
                    *outcome.touched.entry(domain).or_default() += 1;
                    progress(self, outcome.steps);
                }
                Err(error) => {
                    let words = format!("cannot {}: {error}", words::of(&step.action));
                    tracing::error!(domain = domain.as_str(), words);
                    outcome.failed.insert(domain, words);
                }
            }
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

/// A plan with its risks.
pub(crate) fn plan(from: Option<&Desired>, to: Option<&Desired>, steps: Vec<Step>) -> Plan {
    Plan { risks: pic_plan::risk::risks(from, to), steps }
}
