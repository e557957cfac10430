//! Leases, as the DHCP service tells them, with what the agent knows beside.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pic_api::dhcp::{LanStatus, Lease, LeaseList, OtherRouter, Relay};
use pic_model::snapshot::dhcp::{
    self, DhcpLanState, DhcpRequest, DhcpState, LeaseState, Relay as Relayed, Wire,
};

use super::names;
use crate::host::dhcp::ask;
use crate::host::vendors::{self, Prefix};
use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

/// States that a lease may be in.
const STATES: [&str; 5] = ["bound", "offered", "expired", "released", "declined"];

pub(crate) async fn leases(call: Call) -> Outcome {
    let filter = Filter::read(&call)?;
    let state = state(&call, DhcpRequest::Leases).await?;
    Reply::json(&list(&call, state, filter).await?)
}

pub(crate) async fn release(call: Call) -> Outcome {
    let text = call.parameter("address").to_owned();
    let missing = || Failure::not_found("there is no lease of this address; see `picctl dhcp leases`");
    let address: IpAddr = text.parse().map_err(|_| missing())?;
    let state = state(&call, DhcpRequest::Release { address }).await?;
    if !state.done {
        return Err(missing());
    }
    Reply::json(&list(&call, state, Filter { q: Some(text), ..Filter::default() }).await?)
}

/// Without a LAN no DHCP service runs, and there are no leases.
pub(in super::super) async fn state(call: &Call, request: DhcpRequest) -> Outcome<DhcpState> {
    if call.cell()?.desired.lans.is_empty() {
        return Ok(DhcpState::default());
    }
    let socket = call.api.dhcp_socket.clone();
    let asked = tokio::task::spawn_blocking(move || ask(&socket, &request)).await;
    asked.map_err(|_| Failure::internal("asking the DHCP service failed"))?.map_err(Failure::unavailable)
}

/// Which leases a list shows.
#[derive(Debug, Default)]
struct Filter {
    q: Option<String>,
    lan: Option<String>,
    state: Option<String>,
    reserved: Option<bool>,
    limit: Option<usize>,
    after: Option<IpAddr>,
}

impl Filter {
    fn read(call: &Call) -> Outcome<Self> {
        let get = |name: &str| call.query.get(name).cloned();
        let state = get("filter[state]");
        if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
            return Err(Failure::bad(format!("filter[state] is one of {}", STATES.join(", "))));
        }
        let limit = get("limit").map(|text| {
            let limit = text.parse().ok().filter(|limit| *limit > 0);
            limit.ok_or_else(|| Failure::bad("limit is a number from 1"))
        });
        let after = get("cursor").map(|text| {
            text.parse()
                .map_err(|_| Failure::bad("cursor is not one that this list has given; begin without one"))
        });
        Ok(Self {
            q: get("q").map(|q| q.to_ascii_lowercase()),
            lan: get("filter[lan]"),
            state,
            reserved: call.choice("filter[reserved]")?,
            limit: limit.transpose()?,
            after: after.transpose()?,
        })
    }

    fn fits(&self, lease: &Lease) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let has = |text: &Option<String>, q: &str| {
            text.as_ref().is_some_and(|text| text.to_ascii_lowercase().contains(q))
        };
        is(&self.lan, &lease.lan)
            && is(&self.state, &lease.state)
            && self.reserved.is_none_or(|reserved| lease.reserved == reserved)
            && self.q.as_deref().is_none_or(|q| {
                lease.ip.to_string().contains(q)
                    || lease.prefixes.iter().any(|prefix| prefix.contains(q))
                    || [&lease.hostname, &lease.says, &lease.mac, &lease.vendor]
                        .iter()
                        .any(|text| has(text, q))
            })
    }
}

async fn list(call: &Call, state: DhcpState, filter: Filter) -> Outcome<LeaseList> {
    let names = names::of(&state.leases, &call.cell()?.desired);
    let makers: BTreeSet<Prefix> =
        state.leases.iter().filter_map(|lease| vendors::prefix(lease.mac?)).collect();
    let vendors = tokio::task::spawn_blocking(move || vendors::of(&makers)).await;
    let vendors = vendors.map_err(|_| Failure::internal("reading the list of vendors failed"))?;
    let mut items: Vec<_> = state.leases.iter().map(|one| lease(one, &names, &vendors)).collect();
    items.retain(|lease| filter.fits(lease));
    items.sort_by_key(|lease| lease.ip);
    let total = items.len();
    items.retain(|lease| filter.after.is_none_or(|after| lease.ip > after));
    let limit = filter.limit.unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.ip.to_string());
    Ok(LeaseList { items, total, next, lans: state.lans.iter().map(lan).collect() })
}

fn lan(lan: &DhcpLanState) -> LanStatus {
    LanStatus {
        name: lan.name.clone(),
        serving: lan.serving,
        why_not: lan.why_not.clone(),
        rival: lan.rival.map(|rival| rival.to_string()),
        size: lan.size,
        routers: lan.routers.iter().map(router).collect(),
    }
}

fn lease(lease: &LeaseState, names: &BTreeMap<IpAddr, String>, vendors: &BTreeMap<Prefix, String>) -> Lease {
    let time = |seconds| view::time(seconds).unwrap_or_default();
    let says = lease.says.as_ref().map(|(name, _)| name.clone());
    // One that is gone has no name in DNS any more, and is still known by it.
    let hostname =
        names.get(&lease.address).cloned().or_else(|| lease.hostname.clone()).or_else(|| says.clone());
    Lease {
        lan: lease.lan.clone(),
        ip: lease.address,
        prefixes: lease.prefixes.iter().map(ToString::to_string).collect(),
        mac: lease.mac.map(|mac| mac.to_string()),
        vendor: lease.mac.and_then(vendors::prefix).and_then(|prefix| vendors.get(&prefix).cloned()),
        client_id: lease.client_id.as_ref().map(ToString::to_string),
        duid: lease.duid.as_ref().map(|duid| bytes(&duid.0)),
        others: lease.others.clone(),
        says: says.filter(|says| Some(says) != hostname.as_ref()),
        hostname,
        relay: lease.relay.as_ref().map(relay),
        state: lease.state.clone(),
        expires: time(lease.expires),
        first_seen: time(lease.first_seen),
        last_seen: time(lease.last_seen),
        reserved: lease.reserved,
    }
}

fn router(router: &dhcp::OtherRouter) -> OtherRouter {
    OtherRouter {
        address: router.address,
        default: router.default,
        prefixes: router.prefixes.iter().map(ToString::to_string).collect(),
    }
}

fn relay(relay: &Relayed) -> Relay {
    Relay {
        ip: relay.address,
        circuit_id: relay.circuit_id.as_ref().map(words),
        remote_id: relay.remote_id.as_ref().map(words),
    }
}

/// Printable text as it is, anything else as bytes.
fn words(wire: &Wire) -> String {
    match std::str::from_utf8(&wire.0) {
        Ok(text) if !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic()) => {
            text.to_owned()
        }
        _ => bytes(&wire.0),
    }
}

/// Bytes as `cell.toml` has them.
fn bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
