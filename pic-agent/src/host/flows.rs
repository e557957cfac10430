//! Ends running connections whose right has gone: with a grant, a device, a quota, a forward, or the hour of a schedule.

use std::sync::Arc;

use pic_drivers::nft::{self, Connections, Tracked};
use pic_engine::{Handle, OperationState, Report};
use pic_model::{Desired, chain};
use pic_plan::flows::{Connection, ended, stopped};
use pic_plan::way_in::State;
use pic_plan::{Facts, Targets};

/// A state that is in force.
#[derive(Clone)]
struct InForce {
    desired: Arc<Desired>,
    targets: Arc<Targets>,
    facts: Arc<Facts>,
}

impl InForce {
    /// `None` while nothing is, or while the host is still on its way there: what is forgotten then would be let begin again.
    fn of(report: &Report) -> Option<Self> {
        let state = report.operation.as_ref().map(|operation| operation.state);
        let is_settled = !matches!(
            state,
            Some(
                OperationState::Planned
                    | OperationState::Applying
                    | OperationState::Verifying
                    | OperationState::Reverting
            )
        );
        let (desired, targets) = (report.current.desired.clone()?, report.targets.clone()?);
        is_settled.then_some(Self { desired, targets, facts: report.facts.clone()? })
    }

    fn state(&self) -> State<'_> {
        State { desired: &self.desired, targets: &self.targets, facts: &self.facts }
    }
}

/// Follows the state in force for ever. The first one that is seen is of an agent that begins.
pub(crate) async fn follow(handle: Handle) {
    let mut reports = handle.watch();
    reports.mark_changed();
    let mut before: Option<InForce> = None;
    while reports.changed().await.is_ok() {
        let now = InForce::of(&reports.borrow_and_update());
        let Some(now) = now else { continue };
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(&before.targets, &now.targets)) {
            continue;
        }
        let before = before.replace(now.clone());
        match tokio::task::spawn_blocking(move || end(before.as_ref(), &now)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "ended connections whose right has gone"),
            Ok(Err(error)) => {
                tracing::warn!("connections whose right has gone may still be answered: {}", chain(&error))
            }
            Err(error) => tracing::error!(%error, "the end of connections ended itself"),
        }
    }
}

/// Ends what `before` let begin and `now` does not, or without a state before what `now` stops; how many.
fn end(before: Option<&InForce>, now: &InForce) -> Result<usize, nft::Error> {
    if before.is_some_and(|before| before.targets == now.targets) {
        return Ok(0);
    }
    let mut connections = Connections::open()?;
    let all: Vec<Tracked> = connections.list()?;
    let known: Vec<Connection> = all.iter().map(|one| one.connection).collect();
    let over = match before {
        Some(before) => ended(before.state(), now.state(), &known),
        None => stopped(now.state(), &known),
    };
    let mut count = 0;
    for one in all.iter().zip(over).filter(|(_, over)| *over).map(|(one, _)| one) {
        connections.forget(one)?;
        count += 1;
    }
    Ok(count)
}
