//! Changes under way and past, of this run, and what became of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pic_api::operation::Operation;
use pic_engine::{Handle, OperationState, Report};

use super::view;

/// As many are remembered.
const KEEP: usize = 100;
/// Lines of a log.
const LOG: usize = 50;
/// A list waits at most this long for fresh numbers.
const LOOK: Duration = Duration::from_millis(15);

/// The last operations by generation.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    known: Mutex<BTreeMap<u64, Known>>,
    started: AtomicBool,
    looking: AtomicBool,
}

/// An operation in the API's words; the engine's own would keep whole plans with their keys in memory.
#[derive(Debug, Clone)]
struct Known {
    operation: Operation,
    confirm_until: Option<u64>,
    plan_id: String,
}

impl Operations {
    /// Takes the state of the operation in a report.
    pub(crate) fn see(&self, report: &Report) {
        self.started.store(true, Ordering::Release);
        if let Some(operation) = &report.operation {
            self.record(operation);
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Takes the state of an operation and tells it in the API's words.
    pub(crate) fn record(&self, operation: &pic_engine::Operation) -> Operation {
        let mut known = self.lock();
        let before = known.remove(&operation.generation).filter(|before| before.plan_id == operation.plan_id);
        let (plan, log) = match before {
            Some(before) => (before.operation.plan, before.operation.log_tail),
            None => (view::plan(operation), Vec::new()),
        };
        let mut now = view::operation(operation, plan);
        now.log_tail = logged(log, &now);
        let told = Known {
            operation: now,
            confirm_until: operation.confirm_until,
            plan_id: operation.plan_id.clone(),
        };
        if operation.state != OperationState::Planned {
            known.insert(operation.generation, told.clone());
        }
        while known.len() > KEEP {
            known.pop_first();
        }
        told.now()
    }

    pub(crate) fn get(&self, generation: u64) -> Option<Operation> {
        self.lock().get(&generation).map(Known::now)
    }

    /// Asks the engine for a look at the host, one at a time, and waits a moment for it.
    pub(crate) async fn look(&self, handle: &Handle) {
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let handle = handle.clone();
        let look = tokio::spawn(async move { handle.look().await });
        // Late or not, the flag goes with the wait: at most one more look is queued behind the one under way.
        let _ = tokio::time::timeout(LOOK, look).await;
        self.looking.store(false, Ordering::Release);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Known>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The log with what is new in an operation; nothing where nothing is.
fn logged(mut log: Vec<String>, now: &Operation) -> Vec<String> {
    let step = now.done.checked_sub(1).and_then(|last| now.plan.steps.get(last));
    let words = match (now.words.as_str(), step) {
        ("", Some(step)) => format!("{}: {}", now.state.as_str(), step.words),
        ("", None) => now.state.as_str().to_owned(),
        (words, _) => format!("{}: {words}", now.state.as_str()),
    };
    let at = view::time(crate::host::now()).unwrap_or_default();
    if log.last().is_none_or(|last| last.split_once(' ').is_none_or(|(_, said)| said != words)) {
        log.push(format!("{at} {words}"));
    }
    let extra = log.len().saturating_sub(LOG);
    log.drain(..extra);
    log
}

impl Known {
    fn now(&self) -> Operation {
        let left = |until: u64| until.saturating_sub(crate::host::boot().as_secs());
        Operation { deadline_in: self.confirm_until.map(left), ..self.operation.clone() }
    }
}
