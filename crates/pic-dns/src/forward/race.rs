//! Whom to ask, and when to ask another: healthy upstreams in their order, the next one as soon as one fails or is slow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout_at};

use super::upstream::{Question, Upstream};
use super::{
    DEADLINE, FAILURE_LIFE, Guard, NOT_CONFIGURED, REBINDING, REBINDING_LIFE, UNREACHABLE, entry, failure,
    own,
};
use crate::cache::Entry;
use crate::wire::answer::Answer;
use crate::wire::rcode;

/// How long an upstream may take before the next one is asked as well. Well above what a good one needs.
const HEDGE: Duration = Duration::from_millis(300);
/// How often the whole list of upstreams is gone through.
const ROUNDS: usize = 3;

/// Asks until one answers; within [`DEADLINE`].
pub(super) async fn ask(upstreams: &[Arc<Upstream>], guard: &Guard, question: &Question) -> Arc<Entry> {
    if upstreams.is_empty() {
        return failure(NOT_CONFIGURED);
    }
    let mut order: Vec<Arc<Upstream>> = upstreams.to_vec();
    let now = Instant::now();
    order.sort_by_key(|upstream| !upstream.is_healthy(now));
    let mut race = Race { order, running: JoinSet::new(), started: 0, complaint: None };
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let answer = race.run(question, deadline).await;
    // Those still being asked go on to their own limits, which is how a dead one comes to be known as such.
    race.running.detach_all();
    match answer {
        Some(answer) if guard.refuses(question.name(), &answer) => {
            own(rcode::NOERROR, REBINDING_LIFE, REBINDING)
        }
        Some(answer) => entry(answer, None),
        None => failure(UNREACHABLE),
    }
}

struct Race {
    order: Vec<Arc<Upstream>>,
    /// Asks under way.
    running: JoinSet<std::io::Result<Answer>>,
    started: usize,
    complaint: Option<Answer>,
}

impl Race {
    async fn run(&mut self, question: &Question, deadline: tokio::time::Instant) -> Option<Answer> {
        self.start(question);
        loop {
            let hedge = (tokio::time::Instant::now() + HEDGE).min(deadline);
            tokio::select! {
                ended = self.running.join_next() => match ended {
                    Some(Ok(Ok(answer))) if is_complaint(&answer) => {
                        self.complaint = Some(Answer { life: FAILURE_LIFE, ..answer });
                        // Everybody has said that it cannot be resolved: asking again would not help.
                        if self.started >= self.order.len() && self.running.is_empty() {
                            return self.complaint.take();
                        }
                        self.start(question);
                    }
                    Some(Ok(Ok(answer))) => return Some(answer),
                    Some(Ok(Err(_)) | Err(_)) => self.start(question),
                    None => return self.complaint.take(),
                },
                () = sleep_until(hedge) => {
                    if hedge == deadline {
                        return self.complaint.take();
                    }
                    // The same one again is asked only once it has failed: its answer may be on the way.
                    if self.started < self.order.len() {
                        self.start(question);
                    }
                }
            }
        }
    }

    /// Asks the next one, if there is a next.
    fn start(&mut self, question: &Question) {
        if self.started >= self.order.len() * ROUNDS {
            return;
        }
        let Some(upstream) = self.order.get(self.started % self.order.len()).map(Arc::clone) else { return };
        self.started += 1;
        let question = question.clone();
        let deadline = tokio::time::Instant::now() + DEADLINE;
        self.running.spawn(async move {
            let result = timeout_at(deadline, upstream.ask(&question)).await?;
            if let Err(error) = &result {
                tracing::debug!(upstream = %upstream.address(), %error, "no answer");
            }
            result
        });
    }
}

/// Codes that say "not me" rather than something about the name: another upstream may know better.
fn is_complaint(answer: &Answer) -> bool {
    !matches!(answer.rcode, rcode::NOERROR | rcode::NXDOMAIN)
}
