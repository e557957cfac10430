//! A change under way: a bar on a terminal, plain lines elsewhere; and how it ended.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pic_api::operation::{Operation, State};

use super::Out;
use super::text::{count, line};
use crate::exit::Exit;

/// Shows the states of one operation as they come.
pub(crate) struct Progress<'a> {
    out: &'a Out,
    bar: Option<ProgressBar>,
    last: Option<State>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(out: &'a Out) -> Self {
        Self { out, bar: None, last: None }
    }

    /// Shows a state.
    pub(crate) fn seen(&mut self, operation: &Operation) {
        if self.out.json || operation.state.is_settled() {
            return;
        }
        if io::stderr().is_terminal() {
            let bar = self.bar.get_or_insert_with(|| bar(operation.plan.total));
            bar.set_position(operation.done as u64);
            bar.set_message(line(&operation.words));
        } else if self.last != Some(operation.state) {
            let words = line(&operation.words);
            let colon = if words.is_empty() { "" } else { ": " };
            self.out.note(&format!("{}{colon}{words}", operation.state.as_str()));
        }
        self.last = Some(operation.state);
    }

    /// Takes the bar away.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The exit code of an operation as it stands.
pub(crate) fn exit(operation: &Operation) -> Exit {
    match operation.state {
        State::Planned | State::Applying | State::Verifying | State::Kept => Exit::Done,
        State::AwaitingConfirm => Exit::Awaiting,
        State::Reverting | State::Reverted | State::Failed => Exit::Failed,
    }
}

/// How an operation stands, for a person.
pub(crate) fn words(operation: &Operation, out: &Out) -> String {
    let generation = operation.generation;
    let said = line(&operation.words);
    let paint = out.paint;
    match operation.state {
        State::Kept => {
            let steps = count(operation.plan.total, "step");
            let done = format!("{} generation {generation}, {steps}.", paint.good("Done:"));
            match said.split_once("still not as wanted: ") {
                Some((_, wrong)) => format!("{done}\n{} {wrong}", paint.bad("Still not as wanted:")),
                None => done,
            }
        }
        State::AwaitingConfirm => awaiting(operation, out),
        State::Reverted => format!("{} the previous state is back: {said}", paint.bad("Not kept:")),
        State::Failed => {
            format!("{} {said}\nThe agent keeps trying; see `picctl status`.", paint.bad("Failed:"))
        }
        State::Planned | State::Applying | State::Verifying | State::Reverting => {
            format!("{} as {}: {said}", operation.state.as_str(), line(&operation.id))
        }
    }
}

fn awaiting(operation: &Operation, out: &Out) -> String {
    let by = operation.deadline_in.map_or_else(
        || "soon".to_owned(),
        |seconds| format!("within {seconds} s, by {}", crate::time::clock_in(seconds)),
    );
    let risks: String =
        operation.plan.risks.iter().map(|risk| format!("  because: {}\n", line(risk))).collect();
    format!(
        "{} generation {} is in force, but not kept yet.\n{risks}Open a NEW connection to this host and run there, \
         {by}:\n\n    picctl confirm\n\nOtherwise the previous state comes back by itself. To take it back now: `picctl revert`.",
        out.paint.warn("Applied, awaiting confirmation:"),
        operation.generation
    )
}
