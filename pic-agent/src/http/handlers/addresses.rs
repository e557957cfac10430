//! What `doctor` says about the addresses that the cell hands out.

use pic_api::status::{Check, Health3};
use pic_model::snapshot::dhcp::{DhcpRequest, DhcpState, LeaseState};

use super::doctor::{check, good};
use crate::http::call::{Call, Cell};

/// Of a pool, so much in use is too much, in percent.
const CROWDED: usize = 90;

/// One finding; none where no addresses are handed out.
pub(super) async fn check_all(call: &Call, cell: &Cell) -> Option<Check> {
    cell.desired.dhcp().next()?;
    let state = match super::dhcp::state(call, DhcpRequest::Leases).await {
        Ok(state) => state,
        Err(failure) => {
            return Some(check("addresses", Health3::Failed, failure.detail, "see `picctl logs`"));
        }
    };
    let wrong =
        idle(cell, &state).or_else(|| disk(&state)).or_else(|| rivals(&state)).or_else(|| crowded(&state));
    let bound = state.leases.iter().filter(|lease| lease.state == "bound").count();
    Some(wrong.unwrap_or_else(|| good("addresses", format!("{bound} leases on {} LANs", state.lans.len()))))
}

/// Networks that should hand out addresses, and do not.
fn idle(cell: &Cell, state: &DhcpState) -> Option<Check> {
    let wanted = |name: &str| cell.desired.dhcp().any(|(lan, _)| lan.as_str() == name);
    let idle = state.lans.iter().filter(|lan| wanted(&lan.name));
    let idle: Vec<String> =
        idle.filter_map(|lan| Some(format!("LAN {}: {}", lan.name, lan.why_not.as_ref()?))).collect();
    (!idle.is_empty())
        .then(|| check("addresses", Health3::Degraded, idle.join("; "), "see `picctl dhcp leases`"))
}

fn disk(state: &DhcpState) -> Option<Check> {
    let error = state.disk.as_ref()?;
    let words = format!("leases cannot be written, so only known devices get their addresses: {error}");
    Some(check("addresses", Health3::Failed, words, "make room under /var/lib/pic/dhcp"))
}

/// Networks where another server has begun to answer.
fn rivals(state: &DhcpState) -> Option<Check> {
    let found = state.lans.iter().filter_map(|lan| Some(format!("{} on LAN {}", lan.rival?, lan.name)));
    let found: Vec<String> = found.collect();
    let words = format!("another DHCP server answers: {}; devices may listen to it", found.join(", "));
    (!found.is_empty())
        .then(|| check("addresses", Health3::Degraded, words, "find that server and switch it off"))
}

/// Networks that will soon have no address left.
fn crowded(state: &DhcpState) -> Option<Check> {
    let crowded = state.lans.iter().filter_map(|lan| {
        let of = |lease: &&LeaseState| lease.lan == lan.name && !lease.reserved && lease.address.is_ipv4();
        let used = state
            .leases
            .iter()
            .filter(of)
            .filter(|lease| matches!(lease.state.as_str(), "bound" | "declined"));
        let (used, size) = (used.count(), usize::try_from(lan.size).ok()?);
        (size > 0 && used * 100 >= size * CROWDED).then(|| format!("{used} of {size} on LAN {}", lan.name))
    });
    let crowded: Vec<String> = crowded.collect();
    let fix = "write a larger pool or a shorter lease into lan.dhcp";
    (!crowded.is_empty()).then(|| {
        check("addresses", Health3::Degraded, format!("few are left: {} in use", crowded.join(", ")), fix)
    })
}
