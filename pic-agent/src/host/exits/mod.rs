//! Exits on this host: providers' files, where providers are, and whether each exit works.
//!
//! ```text
//! folder: files -> facts            watch: names -> endpoints, probes -> alive or dead -> facts, and the engine is woken
//! ```
//! The agent decides only which exit is used; that nothing leaves in clear holds without it.

mod folder;
mod probe;
mod watch;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pic_model::name::{DomainName, ExitName};

pub(crate) use folder::{ExitFolder, keep, name_for};
pub(crate) use watch::{attend, watch};

/// How one exit is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExitState {
    /// Whether it works; `None`: nothing is known yet.
    pub(crate) works: Option<bool>,
    /// Unix seconds since when.
    pub(crate) since: i64,
    /// What is wrong, in words; empty while nothing is.
    pub(crate) words: String,
    /// Unix seconds of the last handshake.
    pub(crate) last_handshake: Option<i64>,
    /// Bytes received by it.
    pub(crate) rx_bytes: u64,
    /// Bytes sent by it.
    pub(crate) tx_bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    endpoints: BTreeMap<DomainName, IpAddr>,
    exits: BTreeMap<ExitName, ExitState>,
}

/// What is known of exits, shared by who finds it out, who decides by it and who tells it.
#[derive(Debug, Clone, Default)]
pub struct Exits(Arc<Mutex<State>>);

impl Exits {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain data behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How an exit is.
    pub(crate) fn of(&self, name: &ExitName) -> ExitState {
        self.lock().exits.get(name).cloned().unwrap_or_default()
    }
}
