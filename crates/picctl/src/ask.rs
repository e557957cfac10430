//! Questions to a person: only on a terminal, never when told not to ask.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::exit::Failure;
use crate::{Context, Outcome};

impl Context {
    /// Goes on only with consent: `--yes`, or `y` on a terminal. Without a terminal, and with `--json`, there is nobody to ask, and a
    /// change that was not consented to is not made.
    pub(crate) fn consent(&self, question: &str) -> Outcome<()> {
        if self.global.yes {
            return Ok(());
        }
        if !self.has_person() {
            let words = "this asks before it changes anything, and there is nobody to ask; add --yes";
            return Err(Failure::Usage(words.to_owned()));
        }
        match ask(&format!("{question} [y/N]"))?.as_deref() {
            Some("y" | "Y" | "yes" | "Yes" | "YES") => Ok(()),
            _ => Err(Failure::Declined),
        }
    }

    /// Whether there is somebody to ask who did not say that nothing is to be asked.
    pub(crate) fn may_ask(&self) -> bool {
        !self.global.yes && self.has_person()
    }

    fn has_person(&self) -> bool {
        !self.out.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

/// Whether the author of a text that was refused edits it again.
pub(crate) fn edits_again() -> io::Result<bool> {
    loop {
        match ask("What now? e: edit it again; q: quit, change nothing and keep the text [e/q]")?.as_deref() {
            Some("e" | "E" | "edit") => return Ok(true),
            Some("q" | "Q" | "quit") | None => return Ok(false),
            Some(_) => {}
        }
    }
}

/// One line of an answer; `None` at the end of input.
fn ask(question: &str) -> io::Result<Option<String>> {
    write!(io::stderr(), "{question} ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer)?;
    Ok((read > 0).then(|| answer.trim().to_owned()))
}
