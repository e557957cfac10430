//! What `doctor` says about IPv6 on the LANs: other routers, and the uplink's prefix.

use pic_api::status::{Check, Health3};
use pic_model::desired::Ipv6Choice;
use pic_model::snapshot::dhcp::{DhcpRequest, DhcpState, OtherRouter};
use pic_plan::compile::ResolvedLan;

use super::doctor::{check, good};
use crate::http::call::{Call, Cell};

/// Findings; none where the DHCP service does not answer, which is told elsewhere.
pub(super) async fn check_all(call: &Call, cell: &Cell) -> Vec<Check> {
    let Ok(state) = super::dhcp::state(call, DhcpRequest::Leases).await else { return Vec::new() };
    routers(&state).into_iter().chain(prefix(cell, &state)).collect()
}

/// Other routers on the LANs, whose devices may send them what they should send the cell.
fn routers(state: &DhcpState) -> Option<Check> {
    let one = |lan: &str, router: &OtherRouter| {
        let nets: Vec<_> = router.prefixes.iter().map(ToString::to_string).collect();
        let what = if router.default { "advertises itself as the router" } else { "advertises" };
        format!("{} {what} on LAN {lan} ({})", router.address, nets.join(", "))
    };
    let all = state.lans.iter().flat_map(|lan| lan.routers.iter().map(|router| one(&lan.name, router)));
    let all: Vec<_> = all.collect();
    let fix = "switch its router advertisements off; on a switch, RA guard keeps them to the cell's port";
    (!all.is_empty()).then(|| check("routers", Health3::Degraded, all.join("; "), fix))
}

/// The uplink's prefix: one that was lost, and LANs for which it has no room.
fn prefix(cell: &Cell, state: &DhcpState) -> Option<Check> {
    const NAME: &str = "prefix";
    let uplink = &state.uplink;
    let lans = ResolvedLan::all(&cell.desired, &cell.facts);
    let has_any = lans.iter().any(|lan| lan.more6.iter().any(|more| more.current));
    let without = lans.iter().filter(|lan| lan.lan.ipv6 == Ipv6Choice::Auto && lan.more6.is_empty());
    let without: Vec<&str> = without.map(|lan| lan.name).collect();
    if uplink.is_bad {
        let words = format!("the IPv6 prefix of {} is over: {}", uplink.interface, uplink.words);
        let fix = "ask the provider; devices go on with the cell's own IPv6";
        return Some(check(NAME, Health3::Degraded, words, fix));
    }
    if has_any && !without.is_empty() {
        let words = format!("the uplink's IPv6 prefix has no room for LAN {}", without.join(", "));
        let fix =
            "ask the provider for a shorter prefix (a /56), or write ipv6 = \"off\" where it is not needed";
        return Some(check(NAME, Health3::Degraded, words, fix));
    }
    (!uplink.interface.is_empty()).then(|| good(NAME, format!("{}: {}", uplink.interface, uplink.words)))
}
