//! A change from text to kept, or back.
//!
//! Durable order: the generation, then the ledger's state with the change pending, then the host, then the ledger's
//! state without it, then `cell.toml`. Whatever ends the engine on the way, the next start finds the old state in
//! force, or the new one if it was kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pic_model::config::parse;
use pic_plan::way_in::Session;

use crate::change::{Author, Change, ChangeError};
use crate::engine::Engine;
use crate::ledger::{LedgerError, Pending, Record, State, Window};
use crate::proposal::Proposal;
use crate::report::{Operation, OperationState, TakenBack};

/// Why a change is taken back whose maker, or somebody else, asked for that.
const ON_REQUEST: &str = "taken back on request";

impl Engine {
    pub(crate) fn change(&mut self, change: Change) -> Result<Operation, ChangeError> {
        self.may_change(&change)?;
        let asked = (change.edit)(&self.current)?;
        let taken = change.takes_file.then(|| asked.clone());
        let (text, desired) = self.read(asked, change.dry_run)?;
        let generation = self.ledger.next();
        let proposal = self.propose(text, desired, generation, change.session)?;
        if change.plan_id.is_some_and(|seen| seen != proposal.operation.plan_id) {
            return Err(ChangeError::Stale { generation: self.current.generation });
        }
        if change.dry_run {
            return Ok(proposal.operation);
        }
        if *self.current.text == *proposal.text && self.current.generation > 0 {
            return Ok(self.repeat(proposal.operation));
        }
        let window = change.confirm_seconds.map(Duration::from_secs);
        let is_risky = !proposal.operation.plan.risks.is_empty();
        let window = window.or(is_risky.then_some(self.config.confirm));
        let window = window.filter(|window| !window.is_zero());
        self.taken = taken;
        self.made_over = change.session;
        self.apply(proposal, &change.author, &change.reason, window)
    }

    fn may_change(&mut self, change: &Change) -> Result<(), ChangeError> {
        if self.waiting.is_some() && !change.dry_run {
            return Err(ChangeError::Awaiting { generation: self.current.generation });
        }
        if self.notice_edits() && !change.takes_file && !change.dry_run {
            let path = self.config.cell_toml.display();
            return Err(ChangeError::Conflict(format!(
                "{path} has edits that were not applied and would be lost: run `picctl apply` first, or undo them with `picctl config discard`"
            )));
        }
        Ok(())
    }

    /// The state in force is asked for again: no new generation, but the host is brought back to it and `cell.toml`
    /// follows.
    fn repeat(&mut self, mut operation: Operation) -> Operation {
        let is_repair = !operation.plan.is_empty();
        if is_repair {
            self.reconcile("look");
        }
        self.write_cell_toml();
        // Whoever asks for the state in force knows that it is.
        self.taken_back = None;
        self.publish();
        operation.generation = self.current.generation;
        operation.state = OperationState::Kept;
        let still = self.still();
        let words = if is_repair && still.is_empty() { "the host was repaired" } else { "nothing to change" };
        operation.words = format!("{words}{still}");
        operation
    }

    fn apply(
        &mut self,
        Proposal { operation, look, text, desired, before }: Proposal,
        author: &Author,
        reason: &str,
        window: Option<Duration>,
    ) -> Result<Operation, ChangeError> {
        let begin = Instant::now();
        let ledger = |error: LedgerError| ChangeError::Failed(format!("nothing was changed: {error}"));
        let generation = self.ledger.append(self.clock.now(), author, reason, &text).map_err(ledger)?;
        let pending = Some(Pending { generation, window: None });
        let state = State { pending, ..self.ledger.state().clone() };
        self.ledger.set_state(state).map_err(ledger)?;
        tracing::info!(generation, author = author.0, reason, steps = operation.plan.steps.len(), "apply");
        self.operation = Some(Operation { generation, ..operation });
        self.progress(OperationState::Applying, 0);
        self.take(generation, &text, Some(Arc::clone(&desired)));
        let outcome = self.converge(Some(&desired), generation, Some(look), &mut |engine, state, done| {
            engine.progress(state, done);
        });
        self.settle(&outcome, false);
        let is_blamed = before.blames(&outcome);
        self.ailing = before.ailing;
        if is_blamed {
            return Err(self.fail_back(&outcome.words()));
        }
        let kept = match window {
            Some(window) => self.wait(generation, window),
            None => self.keep(generation),
        };
        if let Err(error) = kept {
            return Err(
                self.fail_back(&format!("the change was applied but could not be recorded ({error})"))
            );
        }
        self.finish("change", begin, outcome.steps);
        self.operation.clone().ok_or(ChangeError::NothingWaits)
    }

    /// Makes the pending generation the kept one, durably, and writes `cell.toml`.
    fn keep(&mut self, generation: u64) -> Result<(), LedgerError> {
        let previous = self.ledger.state().current;
        let state = State { current: generation, previous, pending: None, ..self.ledger.state().clone() };
        self.ledger.set_state(state)?;
        self.waiting = None;
        self.follow_cell_toml();
        self.ledger.prune();
        let still = self.still();
        let words = if still.is_empty() { "done".to_owned() } else { format!("kept{still}") };
        self.end(OperationState::Kept, &words);
        Ok(())
    }

    /// The owner's copy follows the state that is now kept, unless its owner edited it meanwhile: edits are only ever
    /// replaced by what was applied from them.
    fn follow_cell_toml(&mut self) {
        let file = self.disk.read(&self.config.cell_toml).ok().flatten();
        let kept = std::mem::replace(&mut self.kept, self.current.clone()).text;
        match file {
            Some(bytes) if bytes == self.current.text.as_bytes() => self.edited = false,
            Some(bytes) if bytes != kept.as_bytes() && self.taken.is_none() => self.edited = true,
            _ => self.write_cell_toml(),
        }
    }

    /// The maker's text in `cell.toml` gets the addresses that it was given, so that it is no edit of the one in force.
    fn follow_taken(&mut self) {
        let file = self.disk.read(&self.config.cell_toml).ok().flatten();
        let Some((taken, file)) = self.taken.as_ref().zip(file) else { return };
        if file == taken.as_bytes() && *taken != *self.current.text {
            self.write_cell_toml();
        }
    }

    /// Writes the text in force, which the ledger already has, to `cell.toml`.
    pub(crate) fn write_cell_toml(&mut self) {
        let path = &self.config.cell_toml;
        match self.disk.write(path, self.current.text.as_bytes(), 0o644) {
            Ok(()) => self.edited = false,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "cannot write the file; the ledger has its content");
                self.edited = true;
            }
        }
    }

    /// Starts the confirmation window: it begins now, when all is applied.
    fn wait(&mut self, generation: u64, window: Duration) -> Result<(), LedgerError> {
        let until = self.clock.boot() + window;
        let window = Window { boot_id: self.clock.boot_id(), until: until.as_secs() };
        let pending = Some(Pending { generation, window: Some(window) });
        let state = State { pending, ..self.ledger.state().clone() };
        self.ledger.set_state(state)?;
        self.waiting = Some(until);
        self.follow_taken();
        if let Some(operation) = &mut self.operation {
            operation.confirm_until = Some(until.as_secs());
        }
        let words = format!("applied; taken back unless confirmed{}", self.still());
        self.end(OperationState::AwaitingConfirm, &words);
        Ok(())
    }

    pub(crate) fn end(&mut self, state: OperationState, words: &str) {
        let at = self.clock.now();
        if let Some(operation) = &mut self.operation {
            operation.state = state;
            operation.words = words.to_owned();
            operation.at = at;
            if state != OperationState::AwaitingConfirm {
                operation.confirm_until = None;
            }
        }
        self.unrecorded = true;
        self.note_taken_back();
        self.publish();
    }

    /// Finds out whether the last change was taken back, and why.
    pub(crate) fn note_taken_back(&mut self) {
        let last = self.ledger.entries().next_back();
        let last = last.filter(|entry| self.ledger.state().reverted.contains(&entry.number));
        self.taken_back = last.and_then(|entry| {
            let record = self.record(entry.number);
            let (at, words) = record.map(|record| (record.at, record.words)).unwrap_or_default();
            (words != ON_REQUEST).then(|| TakenBack {
                generation: entry.number,
                at,
                author: entry.author.clone(),
                reason: entry.reason.clone(),
                words,
            })
        });
    }

    /// Writes how the last change went beside its generation. Not part of the change, which is answered before: to fail
    /// here costs words only.
    pub(crate) fn keep_record(&mut self) {
        let Some(operation) = self.operation.as_ref().filter(|_| self.unrecorded) else { return };
        let (generation, record) = (operation.generation, Record::of(operation));
        if let Err(error) = self.ledger.keep_record(generation, &record) {
            tracing::warn!(generation, %error, "cannot record how the change went");
        }
        self.unrecorded = false;
    }

    /// Over the connection that the change was made over nothing is proved: it may live on where no new one gets in.
    pub(crate) fn confirm(
        &mut self,
        author: &Author,
        generation: Option<u64>,
        session: Option<Session>,
    ) -> Result<Operation, ChangeError> {
        // The window may have closed while this command was on its way.
        self.expire_window();
        if self.waiting.is_none() {
            return Err(ChangeError::NothingWaits);
        }
        let waiting = self.meant(generation)?;
        let is_known = |session: &Session| session.from_port != 0;
        if session.filter(is_known).is_some() && session == self.made_over {
            return Err(ChangeError::SameConnection);
        }
        self.keep(waiting).map_err(|error| ChangeError::Failed(error.to_string()))?;
        tracing::info!(generation = waiting, author = author.0, "confirmed");
        self.operation.clone().ok_or(ChangeError::NothingWaits)
    }

    /// The generation that waits, if it is the one that is meant.
    fn meant(&self, generation: Option<u64>) -> Result<u64, ChangeError> {
        let waiting = self.current.generation;
        match generation {
            Some(meant) if meant != waiting => {
                Err(ChangeError::Conflict(format!("generation {waiting} waits, not another one")))
            }
            _ => Ok(waiting),
        }
    }

    pub(crate) fn revert_asked(
        &mut self,
        author: &Author,
        generation: Option<u64>,
    ) -> Result<Operation, ChangeError> {
        if self.waiting.is_none() {
            return Err(ChangeError::NothingWaits);
        }
        self.meant(generation)?;
        tracing::info!(generation = self.current.generation, author = author.0, "revert asked for");
        self.go_back(ON_REQUEST);
        self.operation.clone().ok_or(ChangeError::NothingWaits)
    }

    /// Takes the waiting change back when its window has closed.
    pub(crate) fn expire_window(&mut self) {
        if self.waiting.is_some_and(|until| self.clock.boot() >= until) {
            tracing::warn!(generation = self.current.generation, "nobody confirmed; taking the change back");
            self.go_back("nobody confirmed in time; the previous state is back");
        }
    }

    /// Takes a failed change back and says how that went.
    fn fail_back(&mut self, why: &str) -> ChangeError {
        let words = format!("{why}; generation {} is in force again", self.kept.generation);
        if self.go_back(&words) {
            return ChangeError::Reverted(words);
        }
        let words = format!(
            "{why}; generation {} could not be put back completely either, the agent keeps trying: see `picctl status`",
            self.kept.generation
        );
        self.end(OperationState::Failed, &words);
        ChangeError::Reverted(words)
    }

    /// Puts the kept state back in force; whether the host is there. The ledger says so first, so that a crash on the way ends there too.
    pub(crate) fn go_back(&mut self, words: &str) -> bool {
        let gone = self.current.generation;
        self.waiting = None;
        self.progress(OperationState::Reverting, 0);
        let mut state = State { pending: None, ..self.ledger.state().clone() };
        state.reverted.push(gone);
        if let Err(error) = self.ledger.set_state(state) {
            // A start finds the change pending and goes back as well.
            tracing::error!(%error, "cannot record that the change is taken back");
        }
        // As it was in memory: what the disk says now may be damaged.
        self.current = self.kept.clone();
        let desired = self.current.desired.clone();
        if desired.is_none() && self.current.generation > 0 {
            // Converging to nothing would open the host. It stays as it is until somebody applies a state.
            self.end(
                OperationState::Failed,
                "the state to go back to cannot be read; apply one: see `picctl history`",
            );
            return false;
        }
        let outcome = self.converge(desired.as_ref(), self.current.generation, None, &mut |_, _, _| {});
        self.settle(&outcome, false);
        // What was wrong before the change as well is none of its remains.
        let is_back = outcome.vital().all(|domain| self.ailing.contains(domain));
        let state = if is_back { OperationState::Reverted } else { OperationState::Failed };
        self.end(state, words);
        is_back
    }

    /// Takes the ledger's kept generation as the one in force, in memory.
    pub(crate) fn take_kept(&mut self) {
        let number = self.ledger.state().current;
        match self.ledger.text(number) {
            Ok(Some(text)) => match parse(&text) {
                Ok(desired) => {
                    self.take(number, &text, Some(Arc::new(desired)));
                    self.kept = self.current.clone();
                }
                Err(problems) => {
                    tracing::error!(generation = number, %problems, "this release cannot read the generation in force");
                    self.take(number, &text, None);
                    self.kept = self.current.clone();
                }
            },
            Ok(None) => self.take(0, "", None),
            Err(error) => tracing::error!(generation = number, %error, "cannot read the generation in force"),
        }
    }
}
