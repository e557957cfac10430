//! Taking up where the last run ended.

use std::sync::Arc;
use std::time::Duration;

use pic_model::Desired;
use pic_model::config::parse;
use pic_plan::Plan;
use pic_plan::plan::Risk;

use crate::change::{Author, ChangeError};
use crate::engine::Engine;
use crate::ledger::{Record, State};
use crate::proposal::settle_addresses;
use crate::report::{Operation, OperationState};

impl Engine {
    /// Decides which state is in force and brings the host to it.
    pub(crate) fn start(&mut self) {
        self.take_kept();
        if let Some(pending) = self.ledger.state().pending.clone() {
            let open = pending.window.as_ref().filter(|window| {
                window.boot_id == self.clock.boot_id()
                    && Duration::from_secs(window.until) > self.clock.boot()
            });
            match open {
                Some(window) => self.resume(pending.generation, window.until),
                None => {
                    self.forget_pending(pending.generation);
                    self.leave_no_cell();
                }
            }
        }
        if self.current.generation == 0 {
            self.import();
        } else if self.waiting.is_none() {
            self.heal_cell_toml();
        }
        self.note_taken_back();
        self.reconcile("start");
    }

    /// The window of a change is still open: it stays in force and goes on waiting.
    fn resume(&mut self, generation: u64, until: u64) {
        let text = self.ledger.text(generation).ok().flatten();
        let read = text.and_then(|text| parse(&text).ok().map(|desired| (text, desired)));
        let Some((text, desired)) = read else {
            self.forget_pending(generation);
            return;
        };
        tracing::info!(generation, "goes on waiting for its confirmation");
        self.take(generation, &text, Some(Arc::new(desired)));
        self.waiting = Some(Duration::from_secs(until));
        let record = self.ledger.record(generation);
        let record = record.filter(|record| record.state == OperationState::AwaitingConfirm);
        let (words, risks) = record.map_or_else(
            || ("applied; taken back unless confirmed".to_owned(), Vec::new()),
            |record| (record.words, record.risks),
        );
        let risks = risks.into_iter().map(|words| Risk { words }).collect();
        let at = self.now();
        self.operation = Some(Operation {
            generation,
            state: OperationState::AwaitingConfirm,
            words,
            plan: Arc::new(Plan { risks, ..Plan::default() }),
            diff: "".into(),
            plan_id: String::new(),
            done: 0,
            confirm_until: Some(until),
            at,
        });
    }

    /// A change that was under way when the last run ended, or whose window is over: the kept state stands.
    fn forget_pending(&mut self, generation: u64) {
        tracing::warn!(generation, kept = self.current.generation, "an unfinished change is taken back");
        let mut state = State { pending: None, ..self.ledger.state().clone() };
        state.reverted.push(generation);
        if let Err(error) = self.ledger.set_state(state) {
            tracing::error!(%error, "cannot record that the change is taken back");
        }
        let risks = self.ledger.record(generation).map(|record| record.risks).unwrap_or_default();
        let words = "this host or its agent started anew before it was confirmed; the previous state is back";
        let record = Record {
            state: OperationState::Reverted,
            words: words.to_owned(),
            risks,
            at: Some(self.clock.now()),
        };
        if let Err(error) = self.ledger.keep_record(generation, &record) {
            tracing::warn!(generation, %error, "cannot record why the change is taken back");
        }
    }

    /// A first state was tried and not kept: what it left on the host goes, as no later look would compare with no cell.
    fn leave_no_cell(&mut self) {
        if self.ledger.state().current == 0 {
            let outcome = self.converge(None, 0, None, &mut |_, _, _| {});
            self.settle(&outcome, false);
        }
    }

    /// The first start: `cell.toml` becomes generation 1.
    fn import(&mut self) {
        let path = self.config.cell_toml.clone();
        let text = match self.disk.read(&path) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "cannot read the file");
                return;
            }
        };
        let file = text.clone();
        let (text, desired) = match settle_addresses(text, None) {
            Ok(read) => read,
            Err(error) => {
                let words = match error {
                    ChangeError::Invalid(problems) => problems.to_string(),
                    other => other.to_string(),
                };
                tracing::error!(path = %path.display(), "{words}; mend it and run `picctl apply`");
                return;
            }
        };
        if self.ledger.was_taken_back(&text) {
            tracing::warn!(path = %path.display(), "the file holds a state that was taken back; run `picctl apply` and confirm it");
            return;
        }
        if let Err(words) = self.fits(&desired) {
            tracing::error!(path = %path.display(), "{words}; mend it and run `picctl apply`");
            return;
        }
        let author = Author(format!("{}", path.display()));
        let appended = self.ledger.append(self.clock.now(), &author, "first start", &text);
        let kept = appended.and_then(|generation| {
            let state = State { current: generation, ..self.ledger.state().clone() };
            self.ledger.set_state(state).map(|()| generation)
        });
        match kept {
            Ok(generation) => {
                self.take(generation, &text, Some(Arc::new(desired)));
                self.kept = self.current.clone();
                if text != file {
                    self.write_cell_toml();
                }
            }
            Err(error) => tracing::error!(%error, "cannot write the ledger"),
        }
    }

    /// Whether the first state fits this host.
    fn fits(&mut self, desired: &Desired) -> Result<(), String> {
        let facts = self.world.facts(1).map_err(|error| error.to_string())?;
        pic_plan::overlap::check(None, desired, &facts).map_err(|problems| problems.to_string())
    }

    /// A run that ended between ledger and `cell.toml` left the file one generation behind: it follows now. A file
    /// that was edited, or is empty or gone, is another matter: an edit stays, a lost file comes back.
    fn heal_cell_toml(&mut self) {
        let file = self.disk.read(&self.config.cell_toml).ok().flatten().unwrap_or_default();
        if file == self.current.text.as_bytes() {
            return;
        }
        let previous = self.ledger.state().previous;
        let text = self.ledger.text(previous).ok().flatten();
        let behind = text.is_some_and(|text| text.as_bytes() == file);
        if behind || file.iter().all(|byte| *byte == 0) {
            tracing::info!(generation = self.current.generation, "cell.toml follows the ledger");
            self.write_cell_toml();
        }
    }
}
