//! A failed file operation names the path and the step.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failure with one path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused a step.
    #[error("cannot {verb} {}", path.display())]
    Step {
        /// Step.
        verb: Verb,
        /// Path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The path ends in no name, as `/` or `..` do.
    #[error("{} does not name a file", path.display())]
    NoName {
        /// Path.
        path: PathBuf,
    },
    /// Not a plain file, so not read.
    #[error("{} is not a plain file; remove it", path.display())]
    NotPlain {
        /// Path.
        path: PathBuf,
    },
    /// Larger than anything that belongs there.
    #[error("{} is larger than {max} bytes", path.display())]
    TooLarge {
        /// Path.
        path: PathBuf,
        /// Limit.
        max: u64,
    },
}

/// Step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reading.
    Read,
    /// Writing the new content next to it.
    Write,
    /// Giving the new content its name.
    Replace,
    /// Removing.
    Remove,
    /// Creating a directory.
    Create,
    /// Making a directory's entries durable.
    Sync,
    /// Listing a directory.
    List,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Replace => "replace",
            Self::Remove => "remove",
            Self::Create => "create the directory",
            Self::Sync => "write to disk the directory",
            Self::List => "list the directory",
        })
    }
}

impl Verb {
    /// For `map_err`.
    pub(crate) fn on(self, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Step { verb: self, path: path.to_owned(), source }
    }
}
