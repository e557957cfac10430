//! `[[test]]`: what must be reachable and what must not, judged before anything is applied.

use pic_model::desired::{Desired, Expect, ReachTest};
use pic_model::{Problem, ProblemCode, Problems};

use super::ends::{EndError, Ends};
use super::packet::{Step, Verdict};
use super::walk::Walker;
use crate::facts::Facts;
use crate::target::Targets;

/// A test and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether the state does what it expects.
    pub holds: bool,
    /// What the state does, in words.
    pub words: String,
}

/// Judges one test against a compiled state that packets are sent through, between ends that are looked up in the same.
pub fn judge(ends: &Ends<'_>, walker: &Walker<'_>, test: &ReachTest) -> Judged {
    let ways = match ends.ways(&test.from, &test.to) {
        Ok(ways) => ways,
        // Where nothing can be sent, nothing arrives.
        Err(error @ EndError::Apart(..)) => {
            return Judged { holds: test.expect == Expect::Blocked, words: error.to_string() };
        }
        Err(error @ EndError::Unknown(_)) => return Judged { holds: false, words: error.to_string() },
    };
    let mut told = Vec::new();
    let mut holds = true;
    for way in ways {
        let trace = walker.walk(&way.packet);
        let arrives = trace.verdict == Verdict::Allowed;
        holds &= arrives == (test.expect == Expect::Allowed);
        let family = if way.packet.destination.is_ipv4() { "IPv4" } else { "IPv6" };
        told.push(format!("{family} is {}{}", trace.verdict.as_str(), last_word(&trace.steps)));
    }
    Judged { holds, words: told.join("; ") }
}

/// What decided, if anything did.
fn last_word(steps: &[Step]) -> String {
    steps.last().map(|step| format!(" ({}: {})", step.place, step.words)).unwrap_or_default()
}

/// Refuses a state that fails a test of its own. `targets` is what it compiles to with these facts.
pub fn refuse_failing(desired: &Desired, facts: &Facts, targets: &Targets) -> Result<(), Problems> {
    if desired.tests.is_empty() {
        return Ok(());
    }
    if facts.spent.is_empty() {
        return refuse(desired, facts, targets);
    }
    // They are about what is granted, not about what is left of a quota.
    let facts = Facts { spent: std::collections::BTreeSet::new(), ..facts.clone() };
    let targets = crate::compile::compile(Some(desired), &facts);
    refuse(desired, &facts, &targets)
}

fn refuse(desired: &Desired, facts: &Facts, targets: &Targets) -> Result<(), Problems> {
    let (ends, walker) = (Ends::new(desired, facts, targets), Walker::new(targets, facts));
    let failed = desired.tests.iter().enumerate().filter_map(|(number, test)| {
        let judged = judge(&ends, &walker, test);
        (!judged.holds).then(|| problem(number, test, &judged))
    });
    let problems: Vec<_> = failed.collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

fn problem(number: usize, test: &ReachTest, judged: &Judged) -> Problem {
    let ReachTest { from, to, expect, line } = test;
    Problem {
        line: *line,
        column: 1,
        path: format!("test[{number}]"),
        code: ProblemCode::TestFailed,
        message: format!("{from} to {to} must be {}: {}", expect.as_str(), judged.words),
        hint: format!(
            "change what decides it, or the test; `picctl why {from} {to}` tells of the state in force"
        ),
    }
}
