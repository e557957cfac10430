//! From a new text to a change that could be made: read, planned, compared; nothing is touched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pic_model::config::{self, extend, parse, shrink};
use pic_model::{Desired, edit};
use pic_plan::compile::{compile, policy};
use pic_plan::plan::{Domain, Risk};
use pic_plan::way_in::{self, Session, State};
use pic_plan::{Plan, both, overlap, reach, words};

use crate::change::ChangeError;
use crate::engine::Engine;
use crate::ledger::checksum;
use crate::reconcile::{Compiled, Look, everything, plan};
use crate::report::{Operation, OperationState};
use crate::verdict::Before;

/// A change that was accepted and not yet made.
pub(crate) struct Proposal {
    pub(crate) operation: Operation,
    pub(crate) look: Look,
    pub(crate) text: String,
    pub(crate) desired: Arc<Desired>,
    /// How the host was, to tell later what the change is at fault for.
    pub(crate) before: Before,
}

/// A text that was read for a plan. Whoever looks at a plan mostly applies it next: the same text in the same state means
/// the same, and a state that is the same one need not be compiled again.
pub(crate) struct Planned {
    /// Tag of the state in force then.
    etag: String,
    asked: String,
    text: String,
    desired: Arc<Desired>,
}

impl Engine {
    /// Reads a new text, unless that was just done for a plan.
    pub(crate) fn read(
        &mut self,
        asked: String,
        dry_run: bool,
    ) -> Result<(String, Arc<Desired>), ChangeError> {
        let same = |planned: &Planned| planned.etag == self.current.etag && planned.asked == asked;
        let planned = match self.planned.take().filter(same) {
            Some(planned) => planned,
            None => {
                let (text, desired) = self.read_anew(asked.clone())?;
                Planned { etag: self.current.etag.clone(), asked, text, desired: Arc::new(desired) }
            }
        };
        if !dry_run {
            return Ok((planned.text, planned.desired));
        }
        let read = (planned.text.clone(), Arc::clone(&planned.desired));
        self.planned = Some(planned);
        Ok(read)
    }

    /// One more peer at the end of the present text costs no more for ten thousand than for ten, and so does a record less.
    /// The text comes back with an address for every peer.
    fn read_anew(&self, text: String) -> Result<(String, Desired), ChangeError> {
        let current = &self.current;
        let near = current.desired.as_ref().and_then(|desired| match text.strip_prefix(&*current.text) {
            Some(tail) => extend(desired, &current.text, tail),
            None => shrink(desired, &current.text, &text),
        });
        match near {
            Some(desired) => Ok((text, desired)),
            None => settle_addresses(text, current.desired.as_deref()),
        }
    }

    /// The plan of a change; nothing is touched.
    pub(crate) fn propose(
        &mut self,
        text: String,
        desired: Arc<Desired>,
        generation: u64,
        session: Option<Session>,
    ) -> Result<Proposal, ChangeError> {
        self.note_in_force();
        let in_force = self.in_force.clone();
        // What was seen last still holds if nothing was heard of the host since; files and units tell nobody.
        let fresh = self.seen_is_fresh && self.current.generation > 0;
        let domains = if fresh { BTreeSet::from([Domain::File, Domain::Unit]) } else { everything() };
        let (from, now) = (self.current.desired.clone(), self.now());
        let (grants, look) = both(
            || policy::changes(from.as_deref(), Some(&desired), now),
            || self.look(Some(&desired), generation, &domains),
        );
        let look = look.map_err(ChangeError::Failed)?;
        if let Some(facts) = &self.facts {
            overlap::check(self.current.desired.as_deref(), &desired, facts).map_err(ChangeError::Invalid)?;
            if let Some(compiled) = self.compiled.as_ref().filter(|kept| kept.is_of(&desired)) {
                reach::refuse_failing(&desired, &compiled.facts, &compiled.targets)
                    .map_err(ChangeError::Invalid)?;
            }
        }
        let before = self.before(&look, fresh);
        let unread =
            look.unread.iter().find(|(domain, _)| domain.is_vital() && before.touched.contains(domain));
        if let Some((domain, words)) = unread {
            return Err(ChangeError::Failed(format!("cannot read {}: {words}", domain.as_str())));
        }
        let mut plan = plan(from.as_deref(), &desired, look.steps.clone(), grants);
        plan.risks.extend(self.ways_lost(in_force.as_ref(), session));
        if self.current.generation > 0 && self.current.desired.is_none() {
            plan.risks.push(Risk {
                words: "the state in force cannot be read, so what is lost is not known".to_owned(),
            });
        }
        let operation = Operation {
            generation,
            state: OperationState::Planned,
            words: String::new(),
            plan_id: plan_id(&self.current.etag, &text, &plan),
            diff: unified(&self.current.text, &text).into(),
            plan: Arc::new(plan),
            done: 0,
            confirm_until: None,
            at: self.now(),
        };
        Ok(Proposal { operation, look, text, desired, before })
    }

    /// Ways in that the state which was looked at last would close.
    fn ways_lost(&self, before: Option<&Compiled>, session: Option<Session>) -> Vec<Risk> {
        let (Some(desired), Some(after)) = (&self.current.desired, &self.compiled) else { return Vec::new() };
        if session.is_none() && desired.firewall.admin.is_empty() {
            return Vec::new();
        }
        // What was compiled last may have been somebody's plan.
        let anew = before.is_none().then(|| compile(Some(desired), &after.facts));
        let before = match (before, &anew) {
            (Some(before), _) => State { desired, targets: &before.targets, facts: &before.facts },
            (None, Some(targets)) => State { desired, targets, facts: &after.facts },
            (None, None) => return Vec::new(),
        };
        let Some(wanted) = &after.desired else { return Vec::new() };
        let after = State { desired: wanted, targets: &after.targets, facts: &after.facts };
        way_in::lost(before, after, session)
    }
}

/// Reads a text and writes the addresses into it that it leaves to the cell, so that no device moves when another one
/// comes or goes.
pub(crate) fn settle_addresses(
    text: String,
    before: Option<&Desired>,
) -> Result<(String, Desired), ChangeError> {
    let read = config::read(&text, before).map_err(ChangeError::Invalid)?;
    if read.given.is_empty() {
        return Ok((text, read.desired));
    }
    let text =
        edit::give_addresses(&text, &read.given).map_err(|error| ChangeError::Failed(error.to_string()))?;
    if parse(&text).as_ref() != Ok(&read.desired) {
        let peers: Vec<_> = read.given.keys().map(|name| name.as_str()).collect();
        let words =
            format!("cannot write addresses into the text; write them yourself: {}", peers.join(", "));
        return Err(ChangeError::Failed(words));
    }
    Ok((text, read.desired))
}

/// Digest over what is in force, the new text and the steps: the same digest does the same thing to the same state.
fn plan_id(from: &str, text: &str, plan: &Plan) -> String {
    let mut all = format!("{from} {}", checksum(text));
    for step in &plan.steps {
        all.push('\n');
        all.push_str(&words::of(&step.action));
    }
    checksum(&all)
}

/// Lines of a diff shown at the most.
const DIFF_MAX: usize = 400;
/// Lines around each change.
const CONTEXT: usize = 2;

/// Unified diff of two texts, cut when long.
pub(crate) fn unified(old: &str, new: &str) -> String {
    // An appended tail is the common change of a large file and needs no search.
    if let Some(tail) = new.strip_prefix(old) {
        return tail.lines().take(DIFF_MAX).map(|line| format!("+{line}\n")).collect();
    }
    let (front, old, new) = differing(old, new);
    let diff = similar::TextDiff::configure().timeout(Duration::from_millis(200)).diff_lines(old, new);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let ops: Vec<_> = hunk.ops().iter().map(|op| moved(*op, front)).collect();
        let lines = hunk.to_string();
        out.push_str(&similar::udiff::UnifiedHunkHeader::new(&ops).to_string());
        out.push('\n');
        out.extend(lines.split_inclusive('\n').skip(1));
    }
    out.lines().take(DIFF_MAX).map(|line| format!("{line}\n")).collect()
}

/// What differs between two texts, with the lines around it that are shown; first, the number of lines in front of that. A
/// change of one line of a large file needs no search through all others.
fn differing<'t>(old: &'t str, new: &'t str) -> (usize, &'t str, &'t str) {
    let same = |(one, other): &(u8, u8)| one == other;
    let front = old.bytes().zip(new.bytes()).take_while(same).count();
    let most = old.len().min(new.len()) - front;
    let back = old.bytes().rev().zip(new.bytes().rev()).take(most).take_while(same).count();
    // Both ends of what differs may be within a line, even within a character: whole lines are taken.
    let line_ends = |bytes: &'t [u8]| {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.map(|(at, _)| at + 1)
    };
    let before = old.as_bytes().get(..front).unwrap_or_default();
    let start = line_ends(before).rev().nth(CONTEXT).unwrap_or(0);
    let behind = old.as_bytes().get(old.len() - back..).unwrap_or_default();
    let left_out = back - line_ends(behind).nth(CONTEXT).unwrap_or(back);
    let part = |text: &'t str| text.get(start..text.len() - left_out).unwrap_or(text);
    (line_ends(before).take_while(|end| *end <= start).count(), part(old), part(new))
}

/// A step of a difference, so many lines further down.
fn moved(op: similar::DiffOp, lines: usize) -> similar::DiffOp {
    use similar::DiffOp::{Delete, Equal, Insert, Replace};
    let down = |index: usize| index + lines;
    match op {
        Equal { old_index, new_index, len } => {
            Equal { old_index: down(old_index), new_index: down(new_index), len }
        }
        Delete { old_index, old_len, new_index } => {
            Delete { old_index: down(old_index), old_len, new_index: down(new_index) }
        }
        Insert { old_index, new_index, new_len } => {
            Insert { old_index: down(old_index), new_index: down(new_index), new_len }
        }
        Replace { old_index, old_len, new_index, new_len } => {
            Replace { old_index: down(old_index), old_len, new_index: down(new_index), new_len }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(old: &str, new: &str) -> String {
        let diff = similar::TextDiff::from_lines(old, new);
        diff.unified_diff().context_radius(CONTEXT).to_string()
    }

    #[test]
    fn a_difference_is_that_of_the_whole_texts() {
        let line = |n: usize| format!("line {n} ä\n");
        let old: String = (0..100).map(line).collect();
        let without = |gone: std::ops::Range<usize>| -> String {
            (0..100).filter(|n| !gone.contains(n)).map(line).collect()
        };
        let cases = [
            without(0..1),
            without(0..4),
            without(50..53),
            without(97..99),
            without(99..100),
            without(0..100),
            old.replace("line 50 ä", "line 50 ö"),
            old.replace("line 2 ä", "line 2 ä and more").replace("line 70 ä\n", ""),
            format!("first\n{old}"),
            old.replace("line 40", "new\nline 40"),
            old.trim_end().to_owned(),
        ];
        for new in &cases {
            assert_eq!(unified(&old, new), whole(&old, new));
            if !new.starts_with(&old) && !old.starts_with(new.as_str()) {
                assert_eq!(unified(new, &old), whole(new, &old));
            }
        }
        assert_eq!(unified(&old, &format!("{old}more\n")), "+more\n");
    }

    #[test]
    fn a_line_of_many_is_found_without_a_search() {
        let old: String = (0..300_000).map(|n| format!("{}\n", n % 7)).collect();
        let new = old.replacen("3\n4\n", "3\nnew\n4\n", 30_000);
        let at = new.rfind("new\n").unwrap();
        let one = format!("{}{}", &new[..at], &new[at + 4..]);
        let (lines, old, new) = differing(&new, &one);
        assert!(lines > 200_000 && old.len() < 20 && new.len() < 20, "{lines} {old:?} {new:?}");
    }
}
