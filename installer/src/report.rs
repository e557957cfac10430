//! The preflight report and the plan, for a person.

use crate::checks::{Check, Level};
use crate::choice::Choice;
use crate::out::Out;

/// Prints all findings, each with what to do.
pub(crate) fn print(out: Out, checks: &[Check]) {
    out.say("What was found on this host:");
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in checks {
        let (word, colour) = match check.level {
            Level::Ok => ("ok  ", "32"),
            Level::Note => ("note", "36"),
            Level::Warn => ("warn", "33"),
            Level::Stop => ("STOP", "31"),
        };
        let word = if out.colours() { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() };
        out.say(&format!("  {word}  {:width$}  {}", check.name, check.words));
        if !check.fix.is_empty() && check.level > Level::Ok {
            out.say(&format!("        {:width$}  do: {}", "", check.fix));
        }
    }
    out.say("");
}

/// What a new cell will be.
pub(crate) fn choice(out: Out, choice: &Choice) {
    let network = choice.network.map(|net| net.to_string()).unwrap_or_default();
    let stance = choice.stance.as_str();
    out.say(&format!("The cell \"{}\": devices get {network}, and dial udp/{}.", choice.name, choice.port));
    out.say(&format!(
        "Calls from outside to this host are {stance} ({}; --inbound changes it).",
        choice.because
    ));
    out.say("");
}
