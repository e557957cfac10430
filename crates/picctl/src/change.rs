//! The way of every change: show the plan, ask, apply exactly that plan, follow it, say how it ended.

use std::time::Duration;

use pic_api::client::{Answer, Change, ClientError, Wait};
use pic_api::operation::{Operation, Plan};
use pic_api::problem::Code;

use crate::exit::{Exit, Failure};
use crate::out::operation::{self, Progress};
use crate::out::plan;
use crate::{Context, Outcome};

/// A change is followed this long. The agent's own limits are far shorter; this bounds a stuck one.
const FOLLOW: Duration = Duration::from_secs(600);

impl Context {
    /// Shows a plan that is not to be applied.
    pub(crate) fn show_plan(&self, plan: &Answer<Plan>) -> Outcome {
        if self.out.json {
            self.out.document(&plan.json)?;
        } else {
            self.out.text(&plan::words(&plan.value, self.out.paint))?;
        }
        Ok(Exit::Done)
    }

    /// Shows a plan, asks, and applies exactly it.
    pub(crate) async fn apply_shown(&self, plan: Answer<Plan>) -> Outcome {
        if self.global.plan {
            return self.show_plan(&plan);
        }
        if plan::is_empty(&plan.value) {
            return self.show_plan(&plan);
        }
        if !self.out.json {
            self.out.aside(&plan::words(&plan.value, self.out.note_paint()));
        }
        self.consent("Apply this?")?;
        match self.start(&Change::Plan(&plan.value.id)).await {
            Err(Failure::Client(ClientError::Problem(problem))) if problem.code == Code::Stale => {
                Err(self.too_late(problem).await)
            }
            other => other,
        }
    }

    /// Makes a small change at once, or only shows its plan.
    pub(crate) async fn make(&self, change: &Change<'_>) -> Outcome {
        if self.global.plan {
            return self.show_plan(&self.client.dry_run(change).await?);
        }
        self.start(change).await
    }

    async fn start(&self, change: &Change<'_>) -> Outcome {
        let started = self.client.change(change, Wait::Accepted).await?;
        let ended = if self.global.no_wait { started } else { self.follow(started).await? };
        self.end(&ended)
    }

    /// Waits for an operation's end and shows its progress.
    pub(crate) async fn follow(&self, started: Answer<Operation>) -> Outcome<Answer<Operation>> {
        if started.value.state.is_settled() {
            return Ok(started);
        }
        let mut progress = Progress::new(&self.out);
        progress.seen(&started.value);
        let ended = self.client.follow(&started.value.id, FOLLOW, |operation| progress.seen(operation)).await;
        progress.end();
        let ended = ended?;
        if ended.value.state.is_settled() {
            return Ok(ended);
        }
        let id = ended.value.id;
        Err(Failure::Words(format!(
            "{id} is still not done after {} s; see `picctl status`",
            FOLLOW.as_secs()
        )))
    }

    /// Says how a change ended.
    pub(crate) fn end(&self, operation: &Answer<Operation>) -> Outcome {
        if self.out.json {
            self.out.document(&operation.json)?;
        } else {
            self.out.text(&operation::words(&operation.value, &self.out))?;
        }
        Ok(operation::exit(&operation.value))
    }
}
