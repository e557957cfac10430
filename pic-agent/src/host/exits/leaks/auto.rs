//! The test that runs by itself: after each change that touches exits, and after each failover.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pic_engine::{Handle, OperationState, Report};
use pic_model::name::ExitName;
use pic_plan::Facts;

use super::super::Exits;
use super::{Came, LeakReport};

/// Real packets are counted for so long.
const TIME: Duration = Duration::from_millis(500);
/// How long the host is left alone after a change: services take what they were given.
const SETTLE: Duration = Duration::from_secs(1);

/// What exits depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    generation: u64,
    down: BTreeSet<ExitName>,
}

/// Tests the exits that are used, for ever; `tell` hears of each result that is another one than before.
pub(crate) async fn attend(
    handle: Handle,
    exits: Exits,
    names: PathBuf,
    tell: impl Fn(&ExitName, &LeakReport),
) {
    let mut reports = handle.watch();
    let mut tested: Option<Key> = None;
    while reports.changed().await.is_ok() {
        let report = Arc::clone(&reports.borrow_and_update());
        let Some(key) = key(&report).filter(|key| tested.as_ref() != Some(key)) else { continue };
        tokio::time::sleep(SETTLE).await;
        let report = handle.report();
        // Somebody is at it still: their next report comes here, too.
        if self::key(&report).as_ref() != Some(&key) {
            continue;
        }
        let (Some(desired), Some(facts)) = (report.current.desired.clone(), report.facts.clone()) else {
            continue;
        };
        for name in desired.exits.iter().filter(|(_, exit)| exit.enabled).map(|(name, _)| name) {
            let before = exits.leaks_of(name);
            let Some(found) = exits.test_leaks(&desired, &facts, name, TIME, &names).await else { continue };
            if found.users.is_empty() && found.came() == Came::Unproven {
                continue;
            }
            match found.came() {
                Came::Leak => tracing::error!(exit = name.as_str(), "the exit leaks: {}", found.words()),
                Came::Unproven => tracing::warn!(exit = name.as_str(), "not proved tight: {}", found.words()),
                Came::Ok => tracing::debug!(exit = name.as_str(), "the exit is tight"),
            }
            if before.is_none_or(|before| before.came() != found.came()) {
                tell(name, &found);
            }
        }
        tested = Some(key);
    }
}

/// What the exits depend on, once nothing is under way.
fn key(report: &Report) -> Option<Key> {
    let is_busy = report.operation.as_ref().is_some_and(|operation| {
        matches!(
            operation.state,
            OperationState::Applying | OperationState::Verifying | OperationState::Reverting
        )
    });
    let desired = report.current.desired.as_ref()?;
    let facts: &Facts = report.facts.as_deref()?;
    let is_settled = !is_busy && !desired.exits.is_empty();
    is_settled.then(|| Key { generation: report.current.generation, down: facts.exits.down.clone() })
}
