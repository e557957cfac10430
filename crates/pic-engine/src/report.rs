//! What the engine tells about itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use pic_model::Desired;
use pic_model::key::PublicKey;
use pic_plan::plan::Domain;
use pic_plan::target::queue::ObservedQueue;
use pic_plan::target::resolver::ResolverState;
use pic_plan::target::wireguard::PeerLive;
use pic_plan::{Facts, Plan, Targets};

/// The state in force.
#[derive(Debug, Clone)]
pub struct Current {
    /// Its number; 0 before the first.
    pub generation: u64,
    /// Its `cell.toml`.
    pub text: Arc<str>,
    /// The same, read; `None` before the first.
    pub desired: Option<Arc<Desired>>,
    /// Strong tag of this state.
    pub etag: String,
}

/// How one part of the host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainReport {
    /// State.
    pub health: Health,
    /// What is wrong; empty when nothing is.
    pub words: String,
    /// Steps made outside of changes since the engine started.
    pub repairs: u64,
}

/// How a service of the cell is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReport {
    /// It must run.
    pub wanted: bool,
    /// It runs, or is on its way there.
    pub active: bool,
    /// The service manager's word.
    pub words: String,
}

/// State of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As wanted.
    Ok,
    /// Not as wanted, and nothing that a change is taken back for.
    Degraded,
    /// Not looked at because something before it failed.
    Blocked,
    /// Not as wanted.
    Failed,
}

/// A finished reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// Unix seconds at its end.
    pub at: i64,
    /// Why it ran.
    pub because: &'static str,
    /// Milliseconds.
    pub milliseconds: u64,
    /// Steps made.
    pub steps: usize,
}

/// A change under way or done.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Generation it makes.
    pub generation: u64,
    /// Where it is.
    pub state: OperationState,
    /// How it ended, in words.
    pub words: String,
    /// What it does.
    pub plan: Arc<Plan>,
    /// Changed lines.
    pub diff: Arc<str>,
    /// Digest of text and steps.
    pub plan_id: String,
    /// Steps done.
    pub done: usize,
    /// Boot time, in seconds, until which a confirmation is awaited.
    pub confirm_until: Option<u64>,
    /// Unix seconds when it came to where it is.
    pub at: i64,
}

/// The last change, which did not hold or was not confirmed: the state before it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// Its generation.
    pub generation: u64,
    /// Unix seconds when it was taken back; `None` where that was not written.
    pub at: Option<i64>,
    /// Who wanted it.
    pub author: String,
    /// What for.
    pub reason: String,
    /// Why it was taken back.
    pub words: String,
}

/// State of an [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// Computed, nothing touched.
    Planned,
    /// Steps are running.
    Applying,
    /// The host is read again.
    Verifying,
    /// Applied; reverts when nobody confirms.
    AwaitingConfirm,
    /// Done.
    Kept,
    /// The previous state is being put back.
    Reverting,
    /// The previous state is back.
    Reverted,
    /// Neither state was reached; the engine keeps trying.
    Failed,
}

/// Everything about the cell, published after each step of the loop.
#[derive(Debug, Clone)]
pub struct Report {
    /// State in force.
    pub current: Current,
    /// Text of the kept state: another one than the one in force only while a change waits.
    pub kept: Arc<str>,
    /// Whether the file was edited and not applied.
    pub edited: bool,
    /// Facts that the state in force was last compiled with. Holds keys: never printed whole.
    pub facts: Option<Arc<Facts>>,
    /// What the state in force compiles to with these facts; `None` while that is not known.
    pub targets: Option<Arc<Targets>>,
    /// Each domain.
    pub domains: BTreeMap<Domain, DomainReport>,
    /// Whom the host asks for names, as at the last look; `None` where that is not looked at.
    pub resolver: Option<ResolverState>,
    /// Queues of interfaces, as they were last seen.
    pub queues: BTreeMap<String, ObservedQueue>,
    /// Each service by its unit, as at the last look.
    pub services: Arc<BTreeMap<String, ServiceReport>>,
    /// Last change, under way or done.
    pub operation: Option<Operation>,
    /// The last change, if it was taken back and not at somebody's request.
    pub taken_back: Option<TakenBack>,
    /// Last reconcile.
    pub reconciled: Option<Reconciled>,
    /// What the peers did at the last look.
    pub live: Arc<BTreeMap<PublicKey, PeerLive>>,
}

impl Report {
    /// Worst of all domains.
    pub fn health(&self) -> Health {
        self.domains.values().map(|domain| domain.health).max().unwrap_or(Health::Ok)
    }
}
