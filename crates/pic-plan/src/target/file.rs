//! Files that we render. They are written whole or not at all.

/// One file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Content.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}
