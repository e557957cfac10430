//! `/health`, `/api/health/history`, `/api/status`, `/api/wireguard/status`.

use pic_api::status::{
    CellStatus, DomainStatus, Health, Health3, Reconcile, Status, TakenBack, TurnedAway, WireguardStatus,
};
use pic_drivers::nft;
use pic_engine::{Health as EngineHealth, OperationState, Report};
use pic_model::{Desired, address, chain};
use pic_plan::Facts;
use pic_plan::compile::{Network, TOO_OFTEN, TOO_OFTEN_SSH, client, is_active};
use pic_plan::marks::WIREGUARD_INTERFACE;

use super::{config, queues};
use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

/// A peer that shook hands within this time is online: WireGuard renews its keys every two minutes.
const ONLINE: i64 = 180;
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn health(call: &Call) -> Outcome {
    let status = match call.api.handle.report().health() {
        _ if !call.api.is_started() => "starting",
        EngineHealth::Ok => "ok",
        EngineHealth::Degraded | EngineHealth::Blocked | EngineHealth::Failed => "degraded",
    };
    Reply::json(&Health { status: status.to_owned(), version: VERSION.to_owned() })
}

/// When it became better or worse.
pub(crate) fn history(call: &Call) -> Outcome {
    Reply::json(&call.api.healths.all())
}

pub(crate) async fn status(call: Call) -> Outcome {
    call.freshen().await;
    let report = call.api.handle.report();
    let desired = report.current.desired.clone().ok_or_else(Failure::no_cell)?;
    let facts = report.facts.as_deref();
    let waits =
        |state| !matches!(state, OperationState::Kept | OperationState::Reverted | OperationState::Planned);
    let pending = report.operation.as_ref().filter(|operation| waits(operation.state));
    let domains: Vec<DomainStatus> = domains(&report);
    let edited = config::is_edited(&call.api.cell_toml, &report) || config::is_lost(&call.api.cell_toml);
    let file_errors = if edited { config::file_errors(&call.api.cell_toml).await } else { Vec::new() };
    let taken_back = report.taken_back.as_ref().filter(|_| pending.is_none()).map(taken_back);
    let worst = domains.iter().map(|domain| domain.state).max().unwrap_or(Health3::Ok);
    Reply::json(&Status {
        state: if edited { worst.max(Health3::Degraded) } else { worst },
        version: VERSION.to_owned(),
        cell: cell_status(&desired, facts),
        generation: report.current.generation,
        edited,
        file_errors,
        taken_back,
        pending: pending.map(|operation| call.api.operations.record(operation)),
        domains,
        wireguard: wireguard_status(&desired, facts, &report),
        turned_away: turned_away().await,
        queues: queues::queues(&report),
        last_reconcile: report.reconciled.as_ref().map(|last| Reconcile {
            at: view::time(last.at).unwrap_or_default(),
            because: last.because.to_owned(),
            milliseconds: last.milliseconds,
            steps: last.steps,
        }),
        uptime_seconds: call.api.begin.elapsed().as_secs(),
    })
}

pub(super) fn taken_back(change: &pic_engine::TakenBack) -> TakenBack {
    TakenBack {
        generation: change.generation,
        at: change.at.and_then(view::time),
        author: change.author.clone(),
        reason: change.reason.clone(),
        words: change.words.clone(),
    }
}

/// What the counters of the limits say.
pub(super) async fn turned_away() -> Option<TurnedAway> {
    let read = tokio::task::spawn_blocking(|| nft::Connection::new().counts()).await;
    let counts = read.ok()?.map_err(|error| tracing::debug!("{}", chain(&error))).ok()?;
    let packets = |why: &str| counts.get(why).map_or(0, |count| count.packets);
    Some(TurnedAway { ssh: packets(TOO_OFTEN_SSH), other: packets(TOO_OFTEN) })
}

pub(crate) async fn wireguard(call: Call) -> Outcome {
    call.freshen().await;
    let cell = call.cell()?;
    Reply::json(&wireguard_status(&cell.desired, Some(&cell.facts), &cell.report))
}

pub(crate) fn health3(health: EngineHealth) -> Health3 {
    match health {
        EngineHealth::Ok => Health3::Ok,
        EngineHealth::Degraded | EngineHealth::Blocked => Health3::Degraded,
        EngineHealth::Failed => Health3::Failed,
    }
}

fn domains(report: &Report) -> Vec<DomainStatus> {
    let one = |(domain, report): (&pic_plan::plan::Domain, &pic_engine::DomainReport)| DomainStatus {
        domain: domain.as_str().to_owned(),
        state: health3(report.health),
        words: report.words.clone(),
        repairs: report.repairs,
    };
    report.domains.iter().map(one).collect()
}

/// Where the host could not be read, the file alone has to do.
fn cell_status(desired: &Desired, facts: Option<&Facts>) -> CellStatus {
    let network = facts.map(|facts| Network::new(desired, facts));
    let found = facts.and_then(|facts| facts.uplink.as_ref()).map(|uplink| &uplink.interface);
    CellStatus {
        name: desired.cell.name.to_string(),
        zone: desired.cell.name.zone(),
        address: address::cell_v4(desired.wireguard.ipv4).to_string(),
        address6: network.and_then(|network| network.cell6()).map(|address| address.to_string()),
        endpoint: facts.and_then(|facts| client::endpoint(desired, facts)),
        uplink: desired.uplink.interface.as_ref().or(found).map(ToString::to_string),
    }
}

fn wireguard_status(desired: &Desired, facts: Option<&Facts>, report: &Report) -> WireguardStatus {
    let now = crate::host::now();
    let online = |seen: Option<i64>| seen.is_some_and(|at| now - at < ONLINE);
    let active = desired.peers.values().filter(|peer| is_active(peer, now));
    let backend = match facts.map(|facts| facts.kernel_wireguard) {
        Some(true) => "kernel",
        Some(false) => "userspace",
        None => "unknown",
    };
    WireguardStatus {
        backend: backend.to_owned(),
        interface: WIREGUARD_INTERFACE.to_owned(),
        port: desired.wireguard.port,
        public_key: facts.map(|facts| facts.private_key.public().to_string()).unwrap_or_default(),
        peers: desired.peers.len(),
        peers_online: active
            .filter(|peer| online(report.live.get(&peer.public_key).and_then(|live| live.last_handshake)))
            .count(),
    }
}
