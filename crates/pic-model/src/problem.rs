//! What is wrong with a desired state: every problem at once, each with its place and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Machine-readable kind of a [`Problem`]; stable across releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The text is not TOML.
    Syntax,
    /// A field or table that this version does not know.
    UnknownField,
    /// A needed field is absent.
    Missing,
    /// A field has another type than it should.
    WrongType,
    /// A value that cannot be understood.
    BadValue,
    /// Two things share what must be unique.
    Duplicate,
    /// An address outside its network.
    OutsideNetwork,
    /// Two networks overlap.
    Overlap,
    /// The file is of another version.
    Version,
    /// No address is left in the network.
    Exhausted,
    /// Things that cannot stand beside each other.
    Conflict,
    /// A `[[test]]` that the state would fail.
    TestFailed,
}

impl ProblemCode {
    /// The code as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::UnknownField => "unknown-field",
            Self::Missing => "missing",
            Self::WrongType => "wrong-type",
            Self::BadValue => "bad-value",
            Self::Duplicate => "duplicate",
            Self::OutsideNetwork => "outside-network",
            Self::Overlap => "overlap",
            Self::Version => "version",
            Self::Exhausted => "exhausted",
            Self::Conflict => "conflict",
            Self::TestFailed => "test-failed",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Line in the text, from 1; 0 where there is none.
    pub line: usize,
    /// Column in the line, in characters, from 1; 0 where there is none.
    pub column: usize,
    /// Where in the data, as `peer[2].name`.
    pub path: String,
    /// Kind.
    pub code: ProblemCode,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// All problems of one text, in its order. Never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
