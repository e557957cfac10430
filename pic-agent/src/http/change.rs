//! From a wish to a change of the engine: dry run, waiting, or leaving it to run.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use pic_api::config::ChangeOptions;
use pic_api::operation::{Operation, Plan};
use pic_api::problem::Code;
use pic_engine::{Answer, Change, ChangeError, Current, Edit, Handle, OperationState, Stopped};
use pic_model::chain;
use tokio::sync::watch;

use super::call::Call;
use super::failure::Failure;
use super::late::{Late, Merging};
use super::plans::Planned;
use super::reply::{Outcome, Reply};
use super::tags::Tags;
use super::{Api, view};

/// Compares tags with what is there.
pub(crate) type Matches = Box<dyn Fn(&Current, &Tags) -> bool + Send>;

/// A change that somebody wants.
pub(crate) struct Wish {
    pub(crate) edit: Edit,
    pub(crate) options: ChangeOptions,
    /// Reason where none was given.
    pub(crate) reason: String,
    /// Whether the tags of `If-Match` name what is there.
    pub(crate) matches: Matches,
    /// How it would be made on top of another state than its maker saw.
    pub(crate) merging: Merging,
    pub(crate) plan_id: Option<String>,
    pub(crate) takes_file: bool,
    /// Its plan may be applied later; not so where applying needs what only this request knows.
    pub(crate) repeatable: bool,
}

impl Wish {
    pub(crate) fn new(
        reason: impl Into<String>,
        edit: impl FnOnce(&Current) -> Result<String, ChangeError> + Send + 'static,
    ) -> Self {
        Self {
            edit: Box::new(edit),
            options: ChangeOptions::default(),
            reason: reason.into(),
            matches: Box::new(|current, tags| tags.include(|tag| tag == current.etag)),
            merging: Merging::Edit,
            plan_id: None,
            takes_file: false,
            repeatable: true,
        }
    }
}

/// What became of a wish.
pub(crate) enum Made {
    /// Nothing was done; this would be.
    Plan(Plan),
    /// Under way.
    Running(Operation),
    /// At its end, or waiting for a confirmation.
    Settled(Operation),
}

impl Made {
    pub(crate) fn reply(self) -> Outcome {
        match self {
            Self::Plan(plan) => Reply::json(&plan),
            Self::Running(operation) => Reply::operation(&operation, false),
            Self::Settled(operation) => Reply::operation(&operation, true),
        }
    }
}

/// The change as the engine runs it: told apart from all others by when its edit ran.
#[derive(Default)]
struct Seen {
    began: AtomicBool,
    text: Mutex<Option<Text>>,
    /// What is there and what it would have become, for whoever saw something else.
    late: Mutex<Option<Late>>,
}

/// The new text of a plan, and the one it was made from.
struct Text {
    new: String,
    from: Arc<str>,
}

/// Takes what is there; a panic elsewhere has not broken it.
fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn put<T>(place: &Mutex<Option<T>>, value: T) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

type Running = Pin<Box<dyn Future<Output = Result<Answer, Stopped>> + Send>>;

impl Call {
    /// Makes a change, or its plan. Whoever saw another state is told the present one, and what the change would be.
    pub(crate) async fn make(&self, wish: Wish) -> Outcome<Made> {
        let seen = Arc::new(Seen::default());
        let outcome = self.carry_out(wish, &seen).await;
        match (outcome, take(&seen.late)) {
            (Err(failure), Some(late)) if failure.code == Code::Stale => Err(late.told(self, failure).await),
            (outcome, _) => outcome,
        }
    }

    async fn carry_out(&self, wish: Wish, seen: &Arc<Seen>) -> Outcome<Made> {
        let dry_run = self.wants_plan()?;
        let patience = self.patience()?;
        let deadline = tokio::time::Instant::now() + patience;
        let mut reports = self.api.handle.watch();
        let (mut options, takes_file) = (wish.options.clone(), wish.takes_file);
        if options.reason.is_empty() {
            // So that the history says what it was, however it is applied.
            options.reason.clone_from(&wish.reason);
        }
        let keep_text = dry_run && wish.repeatable;
        let tags = self.if_match()?;
        let mut running = run(self.api.handle.clone(), self.change(wish, tags, dry_run, seen, keep_text)?);
        if dry_run {
            let operation = running.await??;
            if let Some(Text { new: text, from }) = take(&seen.text) {
                let id = operation.plan_id.clone();
                let planned = Planned { id, text, from, options, takes_file };
                // It is told all the same: where this disk has no room, nothing can be applied anyway.
                if let Err(error) = self.api.plans.keep(planned).await {
                    tracing::warn!("a plan is not kept: {}", chain(&error));
                }
            }
            return Ok(Made::Plan(view::plan(&operation)));
        }
        loop {
            let is_late = tokio::time::Instant::now() >= deadline;
            if is_late && let Some(operation) = applying(seen, &mut reports) {
                // Its answer, if it had ended, would be there before another change's report.
                return match poll_once(&mut running).await {
                    Some(answer) => self.settled(answer?),
                    None => Ok(Made::Running(leave(&self.api, running, &operation))),
                };
            }
            tokio::select! {
                biased;
                answer = &mut running => return self.settled(answer?),
                changed = reports.changed() => if changed.is_err() { return Err(Stopped.into()) },
                () = tokio::time::sleep_until(deadline), if !is_late => {}
            }
        }
    }

    fn change(
        &self,
        wish: Wish,
        tags: Option<Tags>,
        dry_run: bool,
        seen: &Arc<Seen>,
        keep_text: bool,
    ) -> Outcome<Change> {
        let session = self.session()?;
        let (edit, matches, merging) = (wish.edit, wish.matches, wish.merging);
        let (seen, has_plan) = (Arc::clone(seen), wish.plan_id.is_some());
        let reason = if wish.options.reason.is_empty() { wish.reason } else { wish.options.reason };
        Ok(Change {
            edit: Box::new(move |current| {
                seen.began.store(true, Ordering::Release);
                let is_stale = tags.as_ref().is_some_and(|tags| !matches(current, tags));
                let text = edit(current);
                match text {
                    // What is gone has no state to go on with.
                    Err(error @ ChangeError::NotFound(_)) => Err(error),
                    text if is_stale => {
                        put(&seen.late, Late { current: current.clone(), mine: text.ok(), merging, tags });
                        Err(ChangeError::Stale { generation: current.generation })
                    }
                    Err(error) => Err(error),
                    Ok(text) => {
                        if has_plan {
                            let mine = Some(text.clone());
                            put(&seen.late, Late { current: current.clone(), mine, merging, tags });
                        }
                        if keep_text {
                            put(&seen.text, Text { new: text.clone(), from: Arc::clone(&current.text) });
                        }
                        Ok(text)
                    }
                }
            }),
            author: self.author.clone(),
            reason,
            session,
            confirm_seconds: wish.options.confirm_seconds,
            dry_run,
            plan_id: wish.plan_id,
            takes_file: wish.takes_file,
        })
    }

    fn settled(&self, answer: Answer) -> Outcome<Made> {
        self.api.operations.see(&self.api.handle.report());
        Ok(Made::Settled(self.api.operations.record(&answer?)))
    }
}

fn run(handle: Handle, change: Change) -> Running {
    Box::pin(async move { handle.change(change).await })
}

/// The operation the engine is at, if it is ours: it began, and the report was made after that.
fn applying(
    seen: &Seen,
    reports: &mut watch::Receiver<Arc<pic_engine::Report>>,
) -> Option<pic_engine::Operation> {
    if !seen.began.load(Ordering::Acquire) {
        return None;
    }
    let report = reports.borrow_and_update();
    let under_way = |operation: &pic_engine::Operation| {
        matches!(operation.state, OperationState::Applying | OperationState::Verifying)
    };
    report.operation.clone().filter(under_way)
}

async fn poll_once(running: &mut Running) -> Option<Result<Answer, Stopped>> {
    std::future::poll_fn(|context| match running.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Lets the change run on and records its end.
fn leave(api: &Arc<Api>, running: Running, operation: &pic_engine::Operation) -> Operation {
    let told = api.operations.record(operation);
    let (api, mut last) = (Arc::clone(api), operation.clone());
    tokio::spawn(async move {
        match running.await {
            Ok(Ok(operation)) => drop(api.operations.record(&operation)),
            Ok(Err(error)) => {
                last.state = match error {
                    ChangeError::Reverted(_) => OperationState::Reverted,
                    _ => OperationState::Failed,
                };
                last.words = error.to_string();
                // Whether the way back led there, the engine knows.
                if let Ok(Some(record)) = api.handle.record(last.generation).await {
                    last.state = record.state;
                }
                api.operations.record(&last);
            }
            // The agent stops; the ledger knows the rest.
            Err(Stopped) => {}
        }
    });
    told
}

impl From<Made> for Option<Operation> {
    fn from(made: Made) -> Self {
        match made {
            Made::Plan(_) => None,
            Made::Running(operation) | Made::Settled(operation) => Some(operation),
        }
    }
}

/// A number of seconds nobody would mean is refused before the engine adds it to a clock.
pub(crate) fn check_options(options: &ChangeOptions) -> Outcome<()> {
    const DAY: u64 = 86_400;
    match options.confirm_seconds {
        Some(seconds) if seconds > DAY => Err(Failure::bad("confirm_seconds is at most 86400, one day")),
        _ => Ok(()),
    }
}
