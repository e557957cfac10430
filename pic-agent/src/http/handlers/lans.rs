//! `/api/lans`: LANs with the networks that they have at this moment.

use ipnet::IpNet;
use pic_api::lan::{DelegatedPrefix, Lan, LanList, LanNetwork};
use pic_model::address;
use pic_model::desired::Ipv6Choice;
use pic_model::snapshot::dhcp::{DhcpRequest, DhcpState, HeldPrefix};
use pic_plan::Facts;
use pic_plan::compile::ResolvedLan;

use crate::http::call::Call;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

pub(crate) async fn list(call: Call) -> Outcome {
    // Networks are known also while the DHCP service does not answer; times are not.
    let state = super::dhcp::state(&call, DhcpRequest::Leases).await.ok();
    let cell = call.cell()?;
    let held = state.as_ref().map_or(&[][..], |state| &state.uplink.prefixes);
    let lans = ResolvedLan::all(&cell.desired, &cell.facts);
    let now = crate::host::now();
    Reply::json(&LanList {
        items: lans
            .iter()
            .filter(|found| found.lan.app.is_none())
            .map(|found| lan(found, held, &cell.facts))
            .collect(),
        uplink: words(state.as_ref()),
        prefixes: held.iter().map(|held| delegated(held, now)).collect(),
    })
}

fn words(state: Option<&DhcpState>) -> String {
    match state.map(|state| &state.uplink) {
        None => "the DHCP service does not answer".to_owned(),
        Some(uplink) if uplink.interface.is_empty() => uplink.words.clone(),
        Some(uplink) => format!("{}: {}", uplink.interface, uplink.words),
    }
}

fn lan(found: &ResolvedLan<'_>, held: &[HeldPrefix], facts: &Facts) -> Lan {
    let stays = |address: IpNet, source: &str| LanNetwork {
        address: address.to_string(),
        source: source.to_owned(),
        via: None,
        preferred_until: None,
        valid_until: None,
        current: true,
    };
    let own6 = if found.lan.ipv6 == Ipv6Choice::Auto { "own" } else { "written" };
    let own =
        found.cell_addresses().map(|net| stays(net, if net.addr().is_ipv4() { "written" } else { own6 }));
    let more = found.more6.iter().map(|more| {
        let times = held.iter().find(|held| held.prefix.contains(&more.net)).filter(|_| !more.lasting);
        LanNetwork {
            address: format!("{}/{}", address::cell_v6(more.net), more.net.prefix_len()),
            source: if more.lasting { "routed" } else { "delegated" }.to_owned(),
            via: None,
            preferred_until: times.map(|held| time(held.preferred_until)),
            valid_until: times.map(|held| time(held.valid_until)),
            current: more.current,
        }
    });
    // How long a router has it is between that and the DHCP service.
    let given = found
        .routed(facts)
        .map(|routed| LanNetwork { via: Some(routed.via), ..stays(IpNet::V6(routed.prefix), "given") });
    let networks = own.chain(more).chain(given).collect();
    Lan { name: found.name.to_owned(), interface: found.device.clone(), networks }
}

fn delegated(held: &HeldPrefix, now: i64) -> DelegatedPrefix {
    DelegatedPrefix {
        prefix: held.prefix.to_string(),
        preferred_until: time(held.preferred_until),
        valid_until: time(held.valid_until),
        current: i64::try_from(held.preferred_until).is_ok_and(|until| until > now),
    }
}

fn time(seconds: u64) -> String {
    i64::try_from(seconds).ok().and_then(view::time).unwrap_or_default()
}
