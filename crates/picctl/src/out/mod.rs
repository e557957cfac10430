//! Everything that is printed. Results go to stdout; notes, progress, questions and errors to stderr.
//!
//! Foreign text (names from a socket, messages, files) is escaped before it reaches a terminal: a peer cannot be named
//! so that listing it types something. Output in `--json` is the API's own document.

pub(crate) mod operation;
pub(crate) mod paint;
pub(crate) mod plan;
pub(crate) mod qr;
pub(crate) mod table;
pub(crate) mod text;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::cli::Color;
use paint::Paint;

/// Where output goes and how it looks.
#[derive(Debug)]
pub(crate) struct Out {
    /// For programs.
    pub(crate) json: bool,
    /// Colours of stdout.
    pub(crate) paint: Paint,
    /// Colours of stderr.
    note: Paint,
}

impl Out {
    pub(crate) fn new(color: Color, json: bool) -> Self {
        Self {
            json,
            paint: Paint::of(color, io::stdout().is_terminal()),
            note: Paint::of(color, io::stderr().is_terminal()),
        }
    }

    /// Colours of what goes to stderr.
    pub(crate) fn note_paint(&self) -> Paint {
        self.note
    }

    /// Whether a person reads stdout.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Prints text as it is: made by us, or escaped already.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// Prints the API's document as it came.
    pub(crate) fn document(&self, json: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(json)?;
        if json.last() != Some(&b'\n') {
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// Prints a document of our own.
    pub(crate) fn serialize(&self, value: &impl Serialize) -> io::Result<()> {
        self.document(&serde_json::to_vec(value)?)
    }

    /// Text to stderr, already escaped.
    pub(crate) fn aside(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{}", text.trim_end());
    }

    /// One line to stderr. When stderr is gone there is nobody to tell.
    pub(crate) fn note(&self, line: &str) {
        let _ = writeln!(io::stderr(), "{}", text::lines(line));
    }

    /// A failure.
    pub(crate) fn error(&self, line: &str) {
        let _ = writeln!(io::stderr(), "{} {}", self.note.bad("picctl:"), text::lines(line));
    }

    /// A failure for programs.
    pub(crate) fn problem(&self, problem: &impl Serialize) {
        if let Ok(json) = serde_json::to_string(problem) {
            let _ = writeln!(io::stderr(), "{json}");
        }
    }
}
