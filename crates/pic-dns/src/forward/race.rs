//! Whom to ask, and when to ask another: healthy upstreams in their order, the next one as soon as one fails or is slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout_at};

use super::upstream::{Question, Upstream};
use super::{
    DEADLINE, FAILURE_LIFE, Guard, NOT_CONFIGURED, REBINDING, REBINDING_LIFE, UNREACHABLE, entry, failure,
    own,
};
use crate::cache::{Entry, Proof};
use crate::wire::answer::Answer;
use crate::wire::rcode;
use crate::wire::reply::Ede;

/// How long an upstream may take before the next one is asked as well. Well above what a good one needs.
const HEDGE: Duration = Duration::from_millis(300);
/// How often the whole list of upstreams is gone through.
const ROUNDS: usize = 3;

/// What came of a race.
pub(super) struct Won {
    pub(super) entry: Arc<Entry>,
    /// Who said so.
    pub(super) by: Option<SocketAddr>,
}

impl Won {
    fn by_nobody(ede: Ede) -> Self {
        Self { entry: failure(ede), by: None }
    }
}

/// Asks until one answers; within [`DEADLINE`]. `last` is asked when all others were.
pub(super) async fn ask(
    upstreams: &[Arc<Upstream>],
    guard: &Guard,
    question: &Question,
    last: Option<SocketAddr>,
) -> Won {
    if upstreams.is_empty() {
        return Won::by_nobody(NOT_CONFIGURED);
    }
    let mut order: Vec<Arc<Upstream>> = upstreams.to_vec();
    let now = Instant::now();
    let useless = |upstream: &Upstream| question.needs_signatures() && upstream.is_unsigned(now);
    order.sort_by_key(|u| (Some(u.address()) == last, useless(u), !u.is_healthy(now)));
    let mut race = Race { order, running: JoinSet::new(), started: 0, complaint: None };
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let answer = race.run(question, deadline).await;
    // Those still being asked go on to their own limits, which is how a dead one comes to be known as such.
    race.running.detach_all();
    let Some((by, answer)) = answer else { return Won::by_nobody(UNREACHABLE) };
    let entry = if !question.private && guard.refuses(question.name(), &answer) {
        own(rcode::NOERROR, REBINDING_LIFE, REBINDING)
    } else {
        entry(answer, None, Proof::Unchecked)
    };
    Won { entry, by: Some(by) }
}

/// An answer and whose it is.
type Said = (SocketAddr, Answer);

struct Race {
    order: Vec<Arc<Upstream>>,
    /// Asks under way.
    running: JoinSet<std::io::Result<Said>>,
    started: usize,
    complaint: Option<Said>,
}

impl Race {
    async fn run(&mut self, question: &Question, deadline: tokio::time::Instant) -> Option<Said> {
        self.start(question);
        loop {
            let hedge = (tokio::time::Instant::now() + HEDGE).min(deadline);
            tokio::select! {
                ended = self.running.join_next() => match ended {
                    Some(Ok(Ok((by, answer)))) if is_complaint(&answer) => {
                        self.complaint = Some((by, Answer { life: FAILURE_LIFE, ..answer }));
                        // Everybody has said that it cannot be resolved: asking again would not help.
                        if self.started >= self.order.len() && self.running.is_empty() {
                            return self.complaint.take();
                        }
                        self.start(question);
                    }
                    Some(Ok(Ok(said))) => return Some(said),
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
            result.map(|answer| (upstream.address(), answer))
        });
    }
}

/// Codes that say "not me" rather than something about the name: another upstream may know better.
fn is_complaint(answer: &Answer) -> bool {
    !matches!(answer.rcode, rcode::NOERROR | rcode::NXDOMAIN)
}
