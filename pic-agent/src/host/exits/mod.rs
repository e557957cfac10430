//! Exits on this host: providers' files, where providers are, and whether each exit works.
//!
//! ```text
//! folder: files -> facts            watch: names -> endpoints, probes -> alive or dead -> facts, and the engine is woken
//! ```
//! The agent decides only which exit is used; that nothing leaves in clear holds without it.

mod folder;
pub(crate) mod leaks;
mod openvpn;
mod told;
mod watch;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pic_model::Desired;
use pic_model::name::{DomainName, ExitName};
use pic_model::snapshot::dns::{DnsKnocked, DnsProbe, DnsRequest};
use pic_plan::Facts;

use crate::http::dns_control;

pub(crate) use folder::{ExitFolder, credentials_for, keep, name_for, name_for_openvpn};
pub(crate) use leaks::LeakReport;
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
    /// How far one that takes its time has come, 0 to 100.
    pub(crate) percent: Option<u8>,
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
    /// What the last test for leaks found.
    leaks: BTreeMap<ExitName, Arc<LeakReport>>,
}

/// What is known of exits, shared by who finds it out, who decides by it and who tells it.
#[derive(Debug, Clone, Default)]
pub struct Exits {
    state: Arc<Mutex<State>>,
    /// Whose turn it is to test for leaks: there is one table for it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Exits {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain data behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How an exit is.
    pub(crate) fn of(&self, name: &ExitName) -> ExitState {
        self.lock().exits.get(name).cloned().unwrap_or_default()
    }

    /// What the last test for leaks found, if there was one.
    pub(crate) fn leaks_of(&self, name: &ExitName) -> Option<Arc<LeakReport>> {
        self.lock().leaks.get(name).cloned()
    }

    /// Tests one exit for leaks; real packets are counted for `time`. Those of our own are sent by the name server.
    pub(crate) async fn test_leaks(
        &self,
        desired: &Arc<Desired>,
        facts: &Arc<Facts>,
        name: &ExitName,
        time: Duration,
        names: &Path,
    ) -> Option<Arc<LeakReport>> {
        let _turn = self.turn.lock().await;
        let (desired, facts, wanted) = (Arc::clone(desired), Arc::clone(facts), name.clone());
        let (names, runtime) = (names.to_owned(), tokio::runtime::Handle::current());
        let knock = move |at: DnsProbe| {
            let request = DnsRequest::Knock { at };
            let knocked = dns_control::ask::<DnsKnocked>(&names, &request);
            let knocked = runtime.block_on(knocked).map_err(|failure| failure.detail)?;
            knocked.error.map_or(Ok(()), Err)
        };
        let test = tokio::task::spawn_blocking(move || leaks::test(&desired, &facts, &wanted, time, &knock));
        let found = Arc::new(test.await.ok()??);
        self.lock().leaks.insert(name.clone(), Arc::clone(&found));
        Some(found)
    }
}
