//! `/health`, `/api/status`, `/api/wireguard/status`.

use pic_api::status::{CellStatus, DomainStatus, Health, Health3, Reconcile, Status, WireguardStatus};
use pic_engine::{Health as EngineHealth, OperationState, Report};
use pic_plan::compile::{Network, client, is_active};
use pic_plan::marks::WIREGUARD_INTERFACE;

use crate::http::call::{Call, Cell};
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

/// A peer that shook hands within this time is online: WireGuard renews its keys every two minutes.
const ONLINE: i64 = 180;
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn health(call: &Call) -> Outcome {
    let status = match call.api.handle.report().health() {
        _ if !call.api.is_started() => "starting",
        EngineHealth::Ok => "ok",
        EngineHealth::Blocked | EngineHealth::Failed => "degraded",
    };
    Reply::json(&Health { status: status.to_owned(), version: VERSION.to_owned() })
}

pub(crate) async fn status(call: Call) -> Outcome {
    call.freshen().await;
    let cell = call.cell()?;
    let report = &cell.report;
    let waits = |state| !matches!(state, OperationState::Kept | OperationState::Reverted | OperationState::Planned);
    let pending = report.operation.as_ref().filter(|operation| waits(operation.state));
    let domains: Vec<DomainStatus> = domains(report);
    let edited = report.edited;
    let worst = domains.iter().map(|domain| domain.state).max().unwrap_or(Health3::Ok);
    Reply::json(&Status {
        state: if edited { worst.max(Health3::Degraded) } else { worst },
        version: VERSION.to_owned(),
        cell: cell_status(&cell),
        generation: report.current.generation,
        edited,
        pending: pending.map(|operation| call.api.operations.record(operation)),
        domains,
        wireguard: wireguard_status(&cell),
        last_reconcile: report.reconciled.as_ref().map(|last| Reconcile {
            at: view::time(last.at).unwrap_or_default(),
            because: last.because.to_owned(),
            milliseconds: last.milliseconds,
            steps: last.steps,
        }),
        uptime_seconds: call.api.begin.elapsed().as_secs(),
    })
}

pub(crate) async fn wireguard(call: Call) -> Outcome {
    call.freshen().await;
    Reply::json(&wireguard_status(&call.cell()?))
}

pub(super) fn health3(health: EngineHealth) -> Health3 {
    match health {
        EngineHealth::Ok => Health3::Ok,
        EngineHealth::Blocked => Health3::Degraded,
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

fn cell_status(cell: &Cell) -> CellStatus {
    let network = Network::new(&cell.desired, &cell.facts);
    let uplink = cell.desired.uplink.interface.as_ref();
    let uplink = uplink.or(cell.facts.uplink.as_ref().map(|uplink| &uplink.interface));
    CellStatus {
        name: cell.desired.cell.name.to_string(),
        zone: cell.desired.cell.name.zone(),
        address: network.cell4.to_string(),
        address6: network.cell6().map(|address| address.to_string()),
        endpoint: client::endpoint(&cell.desired, &cell.facts),
        uplink: uplink.map(ToString::to_string),
    }
}

fn wireguard_status(cell: &Cell) -> WireguardStatus {
    let now = crate::host::now();
    let online = |seen: Option<i64>| seen.is_some_and(|at| now - at < ONLINE);
    let active = cell.desired.peers.values().filter(|peer| is_active(peer, now));
    WireguardStatus {
        backend: if cell.facts.kernel_wireguard { "kernel" } else { "userspace" }.to_owned(),
        interface: WIREGUARD_INTERFACE.to_owned(),
        port: cell.desired.wireguard.port,
        public_key: cell.facts.private_key.public().to_string(),
        peers: cell.desired.peers.len(),
        peers_online: active
            .filter(|peer| online(cell.report.live.get(&peer.public_key).and_then(|live| live.last_handshake)))
            .count(),
    }
}
