//! `/api/usage`: what devices and LANs have used of the internet.

use pic_api::usage::{Traffic, Usage, UsageList};
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
    report.current.desired.as_ref().ok_or_else(Failure::no_cell)?;
    let refresh = tokio::task::spawn_blocking(move || shared.refresh(&report)).await;
    refresh.map_err(|_| Failure::internal("reading what was used ended in a panic"))?;
    let (read_at, (period, [day_ends, month_ends]), accounts) = call.api.usage.accounts();
    let one = |(subject, account): (String, usage::Account)| {
        let (kind, name) = subject.split_once(' ')?;
        Some(Usage {
            kind: kind.to_owned(),
            name: name.to_owned(),
            sent: traffic(account.sent),
            received: traffic(account.received),
            today: account.in_day(period),
            month: account.in_month(period),
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
