//! One page of peers, in order, from a cursor that names the last one seen: a page stays right while peers come and
//! go, and the last page costs as much as the first.

use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pic_api::peer::PeerList;
use pic_model::desired::Peer;
use pic_model::name::PeerName;
use serde::{Deserialize, Serialize};

use super::super::page::link;
use super::filter::Filter;
use crate::http::call::{Call, Cell};
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::view::Peers;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// Order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Sort {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "last_handshake")]
    Seen,
    #[serde(rename = "-last_handshake")]
    SeenDown,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    sort: Sort,
    seen: Option<i64>,
    name: PeerName,
}

impl Cursor {
    fn encode(&self) -> String {
        // Plain data always serialises.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str, sort: Sort) -> Outcome<Self> {
        let read =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        read.filter(|cursor| cursor.sort == sort)
            .ok_or_else(|| Failure::bad("cursor is not one that this list has given; begin without one"))
    }
}

pub(crate) async fn list(call: Call) -> Outcome {
    let limit = limit(&call)?;
    let sort = sort(&call)?;
    let filter = Filter::read(&call)?;
    let after = call.query.get("cursor").map(|text| Cursor::decode(text, sort)).transpose()?;
    call.freshen().await;
    let cell = call.cell()?;
    let peers = Peers::new(&cell);
    let (mut page, total) = page(&cell, &peers, &filter, sort, after.as_ref(), limit + 1);
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|(name, peer)| Cursor {
        sort,
        seen: peers.last_handshake(peer),
        name: (*name).clone(),
    });
    let next = next.map(|cursor| cursor.encode());
    let items = page.iter().map(|(name, peer)| peers.view(name, peer)).collect();
    let reply = Reply::json(&PeerList { items, total, next: next.clone() })?;
    Ok(link(&call, "/api/peers", next.as_deref(), reply))
}

fn limit(call: &Call) -> Outcome<usize> {
    let Some(text) = call.query.get("limit") else { return Ok(LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Failure::bad(format!("limit is a number from 1 to {LIMIT_MAX}")))
}

fn sort(call: &Call) -> Outcome<Sort> {
    match call.query.get("sort").map(String::as_str) {
        None | Some("name") => Ok(Sort::Name),
        Some("-name") => Ok(Sort::NameDown),
        Some("last_handshake") => Ok(Sort::Seen),
        Some("-last_handshake") => Ok(Sort::SeenDown),
        Some(_) => Err(Failure::bad("sort is name, -name, last_handshake or -last_handshake")),
    }
}

type Found<'a> = Vec<(&'a PeerName, &'a Peer)>;

/// The peers of a page, and how many match in all.
fn page<'a>(
    cell: &'a Cell,
    peers: &Peers<'_>,
    filter: &Filter,
    sort: Sort,
    after: Option<&Cursor>,
    limit: usize,
) -> (Found<'a>, usize) {
    let fits = |(name, peer): &(&PeerName, &Peer)| filter.fits(peers, name, peer);
    let all = &cell.desired.peers;
    let total = if filter.is_empty() { all.len() } else { all.iter().filter(fits).count() };
    let found = match sort {
        Sort::Name => {
            let from = after.map_or(Bound::Unbounded, |cursor| Bound::Excluded(&cursor.name));
            all.range::<PeerName, _>((from, Bound::Unbounded)).filter(fits).take(limit).collect()
        }
        Sort::NameDown => {
            let to = after.map_or(Bound::Unbounded, |cursor| Bound::Excluded(&cursor.name));
            all.range::<PeerName, _>((Bound::Unbounded, to)).rev().filter(fits).take(limit).collect()
        }
        Sort::Seen | Sort::SeenDown => {
            by_handshake(all.iter().filter(fits).collect(), peers, sort, after, limit)
        }
    };
    (found, total)
}

/// Peers that were never seen are older than all others.
fn by_handshake<'a>(
    mut found: Found<'a>,
    peers: &Peers<'_>,
    sort: Sort,
    after: Option<&Cursor>,
    limit: usize,
) -> Found<'a> {
    found.sort_by_key(|(name, peer)| (peers.last_handshake(peer), *name));
    if sort == Sort::SeenDown {
        found.reverse();
    }
    if let Some(cursor) = after {
        let last = (cursor.seen, &cursor.name);
        found.retain(|(name, peer)| {
            let key = (peers.last_handshake(peer), *name);
            if sort == Sort::SeenDown { key < last } else { key > last }
        });
    }
    found.truncate(limit);
    found
}
