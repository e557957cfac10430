//! Files that we render. They are written whole or not at all.

use std::fmt;

/// One file of ours. Some hold keys: `Debug` shows how long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Content.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes, mode {:o})", self.content.len(), self.mode)
    }
}
