//! What the name server says about itself and its answers.

use std::net::IpAddr;

use pic_api::dns::{
    DnsAnswer, DnsAnswerRecord, DnsBlocklist, DnsFlushed, DnsStats, DnsTlsState, DnsUpstream, DnssecState,
};
use pic_model::dns::{Origin, RecordType};
use pic_model::name::PeerName;
use pic_model::snapshot::dns::{self as service, DnsRequest, DnsStatus};
use pic_plan::compile::Network;

use crate::http::call::{Call, Cell};
use crate::http::dns_control;
use crate::http::failure::{Failure, no_peer};
use crate::http::reply::{Outcome, Reply};

pub(crate) async fn query(call: Call) -> Outcome {
    let cell = call.cell()?;
    let text = |name: &str| call.query.get(name).map(String::as_str);
    let Some(name) = text("name") else { return Err(Failure::bad("name says what to ask for")) };
    let rtype: RecordType =
        text("type").unwrap_or("A").parse().map_err(|error| Failure::bad(format!("type: {error}")))?;
    let zone = cell.desired.cell.name.zone();
    // As a resolver's search list would: one label is a name of the cell, all else is full.
    let name = Origin { zone: &zone, strict: false }.target(name);
    let name = name.map_err(|error| Failure::bad(format!("name: {error}")))?;
    let client = client(&cell, text("as"))?;
    let request = DnsRequest::Query { name: name.as_str().to_owned(), rtype: rtype.number(), source: client };
    let answer: service::DnsAnswer = dns_control::ask(&call.api.dns_control, &request).await?;
    let record = |record: service::DnsAnswerRecord| DnsAnswerRecord {
        name: record.name,
        rtype: record.rtype,
        ttl: record.ttl,
        value: record.value,
    };
    Reply::json(&DnsAnswer {
        name: name.to_string(),
        rtype: rtype.to_string(),
        client: client.to_string(),
        rcode: answer.rcode,
        records: answer.records.into_iter().map(record).collect(),
        view: answer.view,
        why: answer.why,
        microseconds: answer.microseconds,
    })
}

/// Address of whoever asks: a peer by its name, anybody by address, else the cell's own host.
fn client(cell: &Cell, who: Option<&str>) -> Outcome<IpAddr> {
    let Some(who) = who else {
        return Ok(Network::new(&cell.desired, &cell.facts).cell4.into());
    };
    if let Ok(address) = who.parse() {
        return Ok(address);
    }
    let missing = || Failure::not_found(no_peer(&who.chars().take(80).collect::<String>()));
    let name: PeerName = who.parse().map_err(|_| missing())?;
    cell.desired.peers.get(&name).map(|peer| peer.address.into()).ok_or_else(missing)
}

pub(crate) async fn stats(call: Call) -> Outcome {
    let status: DnsStatus = dns_control::ask(&call.api.dns_control, &DnsRequest::Status).await?;
    let counters = status.counters;
    let upstream = |u: service::DnsUpstreamStatus| DnsUpstream {
        address: u.address.to_string(),
        healthy: u.healthy,
        unsigned: u.unsigned,
    };
    let dnssec = |state: service::DnssecStatus| DnssecState {
        anchor_error: state.anchor_error,
        clock_in_doubt: state.clock_doubt.is_some(),
    };
    let list = |list: service::DnsBlocklistStatus| DnsBlocklist {
        name: list.name,
        entries: list.entries,
        error: list.error,
        fetched: list.fetched,
        active: list.active,
        when: list.when,
        changes: list.changes,
    };
    Reply::json(&DnsStats {
        listening: status.listening.iter().map(ToString::to_string).collect(),
        not_listening: status
            .not_listening
            .iter()
            .map(|one| format!("{}: {}", one.address, one.error))
            .collect(),
        snapshot_error: status.snapshot_error,
        upstreams: status.upstreams.into_iter().map(upstream).collect(),
        dnssec: status.dnssec.map(dnssec),
        tls: status.tls.map(|state| DnsTlsState { ready: state.ready, error: state.error }),
        blocklists: status.blocklists.into_iter().map(list).collect(),
        cache_entries: status.cache_entries,
        zone: counters.zone,
        cached: counters.cached,
        forwarded: counters.forwarded,
        failed: counters.failed,
        authentic: counters.authentic,
        bogus: counters.bogus,
        blocked: counters.blocked,
        refused: counters.refused,
        malformed: counters.malformed,
        dropped: counters.dropped,
        limited: counters.limited,
    })
}

pub(crate) async fn flush(call: Call) -> Outcome {
    let name = call.query.get("name").cloned();
    let flushed: service::DnsFlushed =
        dns_control::ask(&call.api.dns_control, &DnsRequest::Flush { name }).await?;
    Reply::json(&DnsFlushed { entries: flushed.entries })
}
