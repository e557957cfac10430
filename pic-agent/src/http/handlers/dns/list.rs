//! One page of records, in order, from a cursor that names the last one seen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pic_api::dns::{DnsRecord, DnsRecordList};

use super::names;
use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::handlers::page::link;
use crate::http::reply::{Outcome, Reply};

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// What orders records, and where a page ended.
type Place = (String, String, String);

pub(crate) async fn list(call: Call) -> Outcome {
    let limit = match call.query.get("limit").map(|text| text.parse::<usize>()) {
        None => LIMIT,
        Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
        Some(_) => return Err(Failure::bad(format!("limit is a number from 1 to {LIMIT_MAX}"))),
    };
    let after = call.query.get("cursor").map(|text| decode(text)).transpose()?;
    let q = call.query.get("q").map(|q| q.to_ascii_lowercase()).unwrap_or_default();
    let cell = call.cell()?;
    // Many records are a matter of some milliseconds, which other requests need not wait for.
    let leases = call.api.dhcp_socket.with_file_name("names.json");
    let page = move || page(names::all(&cell, &leases), &q, after.as_ref(), limit);
    let page =
        tokio::task::spawn_blocking(page).await.map_err(|error| Failure::internal(error.to_string()))?;
    let reply = Reply::json(&page)?;
    Ok(link(&call, "/api/dns/records", page.next.as_deref(), reply))
}

fn page(mut items: Vec<DnsRecord>, q: &str, after: Option<&Place>, limit: usize) -> DnsRecordList {
    items.retain(|record| q.is_empty() || record.name.contains(q) || record.value.contains(q));
    items.sort_by_cached_key(place);
    let total = items.len();
    if let Some(after) = after {
        items.retain(|record| place(record) > *after);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| encode(&place(last)));
    DnsRecordList { items, total, next }
}

fn place(record: &DnsRecord) -> Place {
    // The audience tells records apart that are else the same.
    let audience = record.audience.as_ref().map(|list| list.join(",")).unwrap_or_default();
    (record.name.clone(), record.rtype.clone(), format!("{} {audience}", record.value))
}

fn encode(place: &Place) -> String {
    // Plain data always serialises.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

fn decode(text: &str) -> Outcome<Place> {
    let read = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.ok_or_else(|| Failure::bad("cursor is not one that this list has given; begin without one"))
}
