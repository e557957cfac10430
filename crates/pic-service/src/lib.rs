//! What the daemons of a cell share: their log ([`log`]), their life and end ([`life`]), files that are replaced whole
//! ([`file`]), the snapshots they serve from ([`snapshot`]), and programs of others that they keep running (`program`).
//!
//! Knows nothing of what they serve. Tested by unit tests beside the code, and by the tests of every daemon.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod file;
pub mod life;
pub mod log;
#[cfg(feature = "programs")]
pub mod program;
pub mod snapshot;

pub use pic_model::chain;
