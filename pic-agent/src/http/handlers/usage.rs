//! `/api/usage`: what devices and LANs have used of the internet.

use pic_api::usage::{Traffic, Usage, UsageList};
use pic_model::name::PeerName;
use pic_model::usage;

use super::page::{Window, link};
use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

const LIMIT_MAX: usize = 20_000;

pub(crate) async fn list(call: Call) -> Outcome {
    let window = Window::of(&call, LIMIT_MAX)?;
    let q = call.query.get("q").map(String::as_str).unwrap_or_default();
    let (report, shared) = (call.api.handle.report(), call.api.usage.clone());
    let desired = report.current.desired.clone().ok_or_else(Failure::no_cell)?;
    let spent = call.api.usage.spent();
    let refresh = tokio::task::spawn_blocking(move || shared.refresh(&report)).await;
    refresh.map_err(|_| Failure::internal("reading what was used ended in a panic"))?;
    let (read_at, (period, [day_ends, month_ends]), accounts) = call.api.usage.accounts();
    let one = |(subject, account): (String, usage::Account)| {
        let (kind, name) = subject.split_once(' ')?;
        let peer = name.parse().ok().filter(|_| kind == "peer");
        let peer = peer.and_then(|name: PeerName| desired.peers.get_key_value(&name));
        let quota = peer.and_then(|(_, peer)| desired.quota_of(peer));
        Some(Usage {
            kind: kind.to_owned(),
            name: name.to_owned(),
            sent: traffic(account.sent),
            received: traffic(account.received),
            today: account.in_day(period),
            month: account.in_month(period),
            quota: quota.map(|quota| quota.to_string()),
            left: quota.map(|quota| account.left_of(quota, period)),
            spent: peer.is_some_and(|(name, _)| spent.contains(name)),
            rate: peer.and_then(|(_, peer)| desired.rate_of(peer)).map(|rate| rate.to_string()),
        })
    };
    let mut items: Vec<Usage> =
        accounts.into_iter().filter_map(one).filter(|one| one.name.contains(q)).collect();
    let (total, next) = window.cut(&mut items);
    let time = |at| view::time(at).unwrap_or_default();
    let page = UsageList {
        read_at: u64::try_from(read_at.as_millis()).unwrap_or(u64::MAX),
        day_ends: time(day_ends),
        month_ends: time(month_ends),
        items,
        total,
        next,
    };
    Ok(link(&call, "/api/usage", page.next.as_deref(), Reply::json(&page)?))
}

fn traffic(of: usage::Traffic) -> Traffic {
    Traffic { packets: of.packets, bytes: of.bytes }
}
