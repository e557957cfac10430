//! Who asked the name server for what, as far as the owner has it kept, and how much.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pic_api::dns::{DnsClient, DnsClients, DnsLog, DnsLogEntry, DnsTally, DnsView};
use pic_model::name::PeerName;
use pic_model::snapshot::dns::{self as service, DnsRequest};
use pic_plan::compile::Network;

use crate::http::call::{Call, Cell};
use crate::http::dns_control;
use crate::http::failure::{Failure, no_peer};
use crate::http::reply::{Outcome, Reply};

/// What the name server gives at once.
const LIMIT_MAX: usize = 1_000;
const LIMIT: usize = 100;

pub(crate) async fn log(call: Call) -> Outcome {
    let cell = call.cell()?;
    let clients = call.query.get("client").map(|who| addresses(&cell, who)).transpose()?.unwrap_or_default();
    let after = call.query.get("after").map(|text| text.parse()).transpose();
    let after = after.map_err(|_| Failure::bad("after is the number that the last answer gave as next"))?;
    let request = DnsRequest::Log { clients, after, limit: limit(&call)? };
    let log: service::DnsLog = dns_control::ask(&call.api.dns_control, &request).await?;
    let names = names(&cell);
    let entry = |entry: service::DnsLogEntry| DnsLogEntry {
        number: entry.number,
        at: entry.at,
        device: names.get(&entry.client).cloned(),
        client: entry.client.to_string(),
        view: entry.view,
        name: entry.name,
        rtype: entry.rtype,
        result: entry.treated.as_str().to_owned(),
        rcode: entry.rcode,
        transport: entry.transport,
        microseconds: entry.microseconds,
    };
    Reply::json(&DnsLog {
        kept: log.size,
        next: log.next,
        items: log.entries.into_iter().map(entry).collect(),
    })
}

pub(crate) async fn clients(call: Call) -> Outcome {
    let cell = call.cell()?;
    let request = DnsRequest::Clients { limit: limit(&call)? };
    let told: service::DnsClients = dns_control::ask(&call.api.dns_control, &request).await?;
    let names = names(&cell);
    let client = |client: service::DnsClientTally| DnsClient {
        device: names.get(&client.address).cloned(),
        address: client.address.to_string(),
        view: client.view,
        idle: client.idle,
        tally: tally(client.tally),
    };
    Reply::json(&DnsClients {
        items: told.clients.into_iter().map(client).collect(),
        total: told.known,
        others: tally(told.others),
        views: told.views.into_iter().map(|v| DnsView { name: v.name, tally: tally(v.tally) }).collect(),
    })
}

fn limit(call: &Call) -> Outcome<usize> {
    match call.query.get("limit").map(|text| text.parse::<usize>()) {
        None => Ok(LIMIT),
        Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Failure::bad(format!("limit is a number from 1 to {LIMIT_MAX}"))),
    }
}

fn tally(tally: service::DnsTally) -> DnsTally {
    let service::DnsTally { local, cached, forwarded, blocked, failed, refused } = tally;
    DnsTally { local, cached, forwarded, blocked, failed, refused }
}

/// Addresses that a device may ask from, or the one that is meant.
fn addresses(cell: &Cell, who: &str) -> Outcome<Vec<IpAddr>> {
    if let Ok(address) = who.parse::<IpAddr>() {
        return Ok(vec![address.to_canonical()]);
    }
    let of_name = names(cell).into_iter().filter(|(_, name)| name == who).map(|(address, _)| address);
    let all: Vec<IpAddr> = of_name.collect();
    let is_peer = who.parse::<PeerName>().is_ok_and(|name| cell.desired.peers.contains_key(&name));
    if all.is_empty() && !is_peer {
        return Err(Failure::not_found(no_peer(&who.chars().take(80).collect::<String>())));
    }
    Ok(all)
}

/// Names of devices whose addresses the cell gave them.
fn names(cell: &Cell) -> BTreeMap<IpAddr, String> {
    let network = Network::new(&cell.desired, &cell.facts);
    let peers = cell.desired.peers.iter().flat_map(|(name, peer)| {
        let addresses = [Some(IpAddr::V4(peer.address)), network.peer6(peer).map(IpAddr::V6)];
        addresses.into_iter().flatten().map(|address| (address, name.to_string()))
    });
    let kept = cell.desired.reservations.iter();
    let kept = kept.filter_map(|kept| Some((IpAddr::V4(kept.address), kept.name.as_ref()?.to_string())));
    kept.chain(peers).collect()
}
