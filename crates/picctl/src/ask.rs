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
        if self.out.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let words = "this asks before it changes anything, and there is nobody to ask; add --yes";
            return Err(Failure::Usage(words.to_owned()));
        }
        if ask(question)? { Ok(()) } else { Err(Failure::Declined) }
    }
}

fn ask(question: &str) -> io::Result<bool> {
    write!(io::stderr(), "{question} [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES"))
}
