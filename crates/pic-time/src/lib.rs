//! Time service of a cell. Debian's `chronyd` does the work; this keeps it running with the configuration that follows
//! from the agent's snapshot, and says how it is.
//!
//! Never sets the host's clock: chronyd runs with `-x`, which works out the right time and serves it, whatever the host's
//! own clock shows. Runs unprivileged but for port 123, and goes on without the agent.
//!
//! Flow: [`snapshot`] + template → [`render`] → [`daemon`] (chronyd as a child) → [`ask`] (chronyc) → [`report`] (its
//! words) → the file that `picctl time` shows. [`serve`] says what is its own beside the
//! loop of [`pic_service::program`]. Tested by unit tests, fuzz (`chrony-report`,
//! `time-snapshot`), and in namespaces with real chronyds on all sides (`tests/tests/t1_time.rs`).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod ask;
mod clock;
mod daemon;
mod port;
pub mod render;
pub mod report;
pub mod serve;
pub mod snapshot;
