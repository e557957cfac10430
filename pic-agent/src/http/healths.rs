//! When the cell became better or worse: the last changes of its health in this run.

use std::collections::VecDeque;
use std::sync::Mutex;

use pic_api::status::{HealthChange, HealthHistory};
use pic_engine::{Health, Report};

use super::handlers::status::health3;
use super::view;

/// As many are remembered.
const KEEP: usize = 100;

/// The last changes, newest first.
#[derive(Debug, Default)]
pub(crate) struct Healths(Mutex<VecDeque<HealthChange>>);

impl Healths {
    /// Takes the health in a report, if it is another one than before.
    pub(crate) fn see(&self, report: &Report) {
        let state = health3(report.health());
        let mut changes = self.lock();
        if changes.front().is_some_and(|last| last.state == state) {
            return;
        }
        let at = view::time(crate::host::now()).unwrap_or_default();
        changes.push_front(HealthChange { at, state, words: words(report) });
        changes.truncate(KEEP);
    }

    pub(crate) fn all(&self) -> HealthHistory {
        HealthHistory { items: self.lock().iter().cloned().collect() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<HealthChange>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What is wrong; empty when nothing is.
pub(crate) fn words(report: &Report) -> String {
    let bad = report.domains.iter().filter(|(_, domain)| domain.health != Health::Ok);
    bad.map(|(domain, report)| format!("{}: {}", domain.as_str(), report.words))
        .collect::<Vec<_>>()
        .join("; ")
}
