//! How the cell is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operation::Operation;
use crate::problem::FieldError;

/// Answer of `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, `degraded` or `starting`.
    pub status: String,
    /// Version of the agent.
    pub version: String,
}

/// Answer of `GET /api/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Worst of all domains.
    pub state: Health3,
    /// Version of the agent.
    pub version: String,
    /// The cell.
    pub cell: CellStatus,
    /// Generation in force.
    pub generation: u64,
    /// Whether `/etc/pic/cell.toml` was edited and not applied.
    pub edited: bool,
    /// What is wrong with the edited file, at most the first ten; while there is something, it cannot be applied, and the
    /// generation in force is the last good one.
    #[serde(default)]
    pub file_errors: Vec<FieldError>,
    /// Change under way or waiting, if any.
    pub pending: Option<Operation>,
    /// The last change, if it did not hold or was not confirmed, and was taken back.
    #[serde(default)]
    pub taken_back: Option<TakenBack>,
    /// Each part of the host.
    pub domains: Vec<DomainStatus>,
    /// WireGuard.
    pub wireguard: WireguardStatus,
    /// What strangers were not let begin, since the firewall was last loaded; null where it cannot be read.
    pub turned_away: Option<TurnedAway>,
    /// Lines that are shared fairly; none where no speed of the uplink is named.
    #[serde(default)]
    pub queues: Vec<Queue>,
    /// The last reconcile.
    pub last_reconcile: Option<Reconcile>,
    /// Seconds the agent runs.
    pub uptime_seconds: u64,
}

/// A change that was taken back, other than at somebody's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenBack {
    /// Its generation.
    pub generation: u64,
    /// When it was taken back, RFC 3339, UTC; null where that is not known.
    pub at: Option<String>,
    /// Who wanted it.
    pub author: String,
    /// What for.
    pub reason: String,
    /// Why it was taken back.
    pub words: String,
}

/// Overall state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health3 {
    /// As wanted.
    Ok,
    /// Works, with something to look at.
    Degraded,
    /// Not as wanted.
    Failed,
}

/// Identity and addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CellStatus {
    /// Name.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// Own address in the tunnel network.
    pub address: String,
    /// Own v6 address, unless v6 is off.
    pub address6: Option<String>,
    /// What peers dial.
    pub endpoint: Option<String>,
    /// Interface toward the internet.
    pub uplink: Option<String>,
}

/// One part of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DomainStatus {
    /// `link`, `wireguard`, `route`, `rule`, `firewall`, `queue`, `sysctl`, `file`, `unit`.
    pub domain: String,
    /// State.
    pub state: Health3,
    /// What is wrong, in words; empty when nothing is.
    pub words: String,
    /// How often it was repaired since the agent started: somebody else keeps changing it when this grows.
    pub repairs: u64,
}

/// WireGuard in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WireguardStatus {
    /// `kernel` or `userspace`.
    pub backend: String,
    /// Interface.
    pub interface: String,
    /// Port.
    pub port: u16,
    /// The cell's public key.
    pub public_key: String,
    /// Configured peers.
    pub peers: usize,
    /// Peers with a handshake in the last three minutes.
    pub peers_online: usize,
}

/// Connections that strangers began too often (`firewall.limit`, `firewall.limit_ssh`): their first packets, each time they
/// were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TurnedAway {
    /// At the ssh ports.
    pub ssh: u64,
    /// At everything else that the cell serves to outside.
    pub other: u64,
}

/// A line that is held to a rate and shared fairly (`uplink.upload`, `uplink.download`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Interface.
    pub interface: String,
    /// What it sends in a second, as `40mbit`.
    pub rate: String,
    /// `cake`; `htb` where the kernel has no CAKE; `none` where no queue of the cell's is in force.
    pub kind: String,
}

/// A finished reconcile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reconcile {
    /// When it ended, RFC 3339.
    pub at: String,
    /// Why it ran: `start`, `change`, `event`, `timer`, `time`, `look`, `bans`.
    pub because: String,
    /// How long it took.
    pub milliseconds: u64,
    /// Steps it made.
    pub steps: usize,
}

/// One finding of `GET /api/doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Stable name, as `clock` or `endpoint`.
    pub name: String,
    /// State.
    pub state: Health3,
    /// What was found.
    pub words: String,
    /// What to do; empty when nothing is.
    pub fix: String,
}

/// Answer of `GET /api/health/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthHistory {
    /// The last hundred changes since the agent started, newest first.
    pub items: Vec<HealthChange>,
}

/// The cell became better or worse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthChange {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// How it is since.
    pub state: Health3,
    /// What is wrong, in words; empty when nothing is.
    pub words: String,
}

/// Answer of `GET /api/services/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Services {
    /// The cell's services by name. The agent is none of them: it answers.
    pub items: Vec<Service>,
}

/// A service of the cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Name, as `pic-dns`.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Whether the cell needs it: `pic-wg` only where the kernel has no WireGuard.
    pub wanted: bool,
    /// Whether it runs.
    pub active: bool,
    /// `failed` when it is needed and does not run.
    pub state: Health3,
    /// The service manager's word, as `active` or `failed`.
    pub words: String,
}

/// Answer of `GET /api/services/active`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActiveServices {
    /// Names of the services that run.
    pub items: Vec<String>,
}
