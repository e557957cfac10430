//! From byte offsets to lines and columns.

use std::ops::Range;

use crate::problem::{Problem, ProblemCode};

/// Where each line of a text starts.
pub(super) struct Places<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Places<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// Line and column, both from 1.
    pub(super) fn of(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        (line, column)
    }

    /// A problem at a span.
    pub(super) fn problem(
        &self,
        span: &Range<usize>,
        path: String,
        code: ProblemCode,
        message: String,
        hint: &str,
    ) -> Problem {
        let (line, column) = self.of(span.start);
        Problem { line, column, path, code, message, hint: hint.to_owned() }
    }

    /// A syntax error of the TOML parser.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> Problem {
        let (line, column) = error.span().map_or((0, 0), |span| self.of(span.start));
        Problem {
            line,
            column,
            path: String::new(),
            code: ProblemCode::Syntax,
            message: format!("this is not TOML: {}", error.message()),
            hint: "see `man 5 cell.toml` for an example of each table".to_owned(),
        }
    }
}
