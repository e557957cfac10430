//! Everything that is printed: results to stdout, progress, questions and errors to stderr. With `--json`, stdout
//! holds one document and stderr only failures.

use std::io::{self, BufRead, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Where output goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    json: bool,
    asks: bool,
}

impl Out {
    pub(crate) fn new(json: bool, yes: bool) -> Self {
        let person = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { json, asks: person && !json && !yes }
    }

    /// Whether one document is wanted and nothing else.
    pub(crate) fn json(self) -> bool {
        self.json
    }

    /// Whether there is somebody to ask.
    pub(crate) fn asks(self) -> bool {
        self.asks
    }

    /// Whether a person reads stdout.
    pub(crate) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether stdout takes colours.
    pub(crate) fn colours(self) -> bool {
        self.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// A line of the result, for a person.
    pub(crate) fn say(self, line: &str) {
        if !self.json {
            let _ = writeln!(io::stdout(), "{line}");
        }
    }

    /// Text of the result for a person, as it is.
    pub(crate) fn text(self, text: &str) {
        if !self.json {
            let _ = write!(io::stdout(), "{text}");
        }
    }

    /// The document.
    pub(crate) fn document(self, document: &impl Serialize) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(io::stdout(), document)?;
            writeln!(io::stdout())?;
        }
        Ok(())
    }

    /// What is being done.
    pub(crate) fn note(self, line: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "pic: {line}");
        }
    }

    /// A failure.
    pub(crate) fn error(self, line: &str) {
        let _ = writeln!(io::stderr(), "pic: {line}");
    }

    /// A question, answered by one line; `None` at the end of input.
    pub(crate) fn ask(self, question: &str) -> io::Result<Option<String>> {
        write!(io::stderr(), "{question} ")?;
        io::stderr().flush()?;
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer)?;
        Ok((read > 0).then(|| answer.trim().to_owned()))
    }

    /// Something that takes a while.
    pub(crate) fn progress(self) -> Progress {
        let bar = (io::stderr().is_terminal() && !self.json).then(|| {
            let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
            match ProgressStyle::with_template("{bar:30} {pos:>3}% {msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Progress { out: self, bar, last: String::new() }
    }
}

/// A bar on a terminal, a line per change elsewhere.
pub(crate) struct Progress {
    out: Out,
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    /// How far, in hundredths, and with what.
    pub(crate) fn at(&mut self, percent: u64, words: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(percent.max(bar.position()));
                bar.set_message(words.to_owned());
            }
            None if self.last != words => self.out.note(words),
            None => {}
        }
        words.clone_into(&mut self.last);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
