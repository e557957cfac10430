//! Pages of lists: of generations, in order of their numbers, from a cursor that names the last one seen; and of lists that
//! are short and seldom change, from a cursor that counts.

use axum::http::HeaderName;
use pic_engine::ledger::Entry;

use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};

/// Entries of a page.
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) total: usize,
    /// Cursor of the next page.
    pub(super) next: Option<String>,
}

/// The page that a call asks for, of entries that come newest first; `usual` is its size where none is asked for.
pub(super) fn of(call: &Call, mut entries: Vec<Entry>, usual: usize) -> Outcome<Page> {
    let limit = match call.query.get("limit") {
        Some(text) => text.parse().ok().filter(|limit| *limit > 0),
        None => Some(usual),
    };
    let limit = limit.ok_or_else(|| Failure::bad("limit is a number from 1"))?;
    let is_down = match call.query.get("sort").map(String::as_str) {
        None | Some("-number") => true,
        Some("number") => false,
        Some(_) => return Err(Failure::bad("sort is number or -number")),
    };
    let total = entries.len();
    if !is_down {
        entries.reverse();
    }
    if let Some(text) = call.query.get("cursor") {
        let after = read(text, is_down)?;
        entries.retain(|entry| if is_down { entry.number < after } else { entry.number > after });
    }
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more).map(|entry| entry.number);
    let next = last.map(|number| if is_down { format!("-{number}") } else { number.to_string() });
    Ok(Page { entries, total, next })
}

/// A cursor is good for the order it was made in.
fn read(text: &str, is_down: bool) -> Outcome<u64> {
    let number = if is_down { text.strip_prefix('-') } else { Some(text) };
    let number = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    number
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Failure::bad("cursor is not one that this list has given; begin without one"))
}

/// Names the next page in `Link` (RFC 8288).
pub(super) fn link(call: &Call, path: &str, next: Option<&str>, reply: Reply) -> Reply {
    let Some(next) = next else { return reply };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(call.query.iter().filter(|(name, _)| *name != "cursor"));
    query.append_pair("cursor", next);
    let link = format!("<{path}?{}>; rel=\"next\"", query.finish());
    reply.header(HeaderName::from_static("link"), &link)
}

/// Entries of a page of a short list where none is asked for.
const USUAL: usize = 100;

/// The part of a short list that a call asks for.
pub(super) struct Window {
    limit: usize,
    after: usize,
}

impl Window {
    /// At most `most` entries, from `limit` and `cursor` of the query.
    pub(super) fn of(call: &Call, most: usize) -> Outcome<Self> {
        let number = |name: &str| call.query.get(name).map(|text| text.parse::<usize>());
        let limit = match number("limit") {
            None => USUAL,
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => return Err(Failure::bad(format!("limit is a number from 1 to {most}"))),
        };
        match number("cursor") {
            None => Ok(Self { limit, after: 0 }),
            Some(Ok(after)) => Ok(Self { limit, after }),
            Some(Err(_)) => {
                Err(Failure::bad("cursor is not one that this list has given; begin without one"))
            }
        }
    }

    /// Leaves only that part; how many there were, and the cursor of the next page.
    pub(super) fn cut<T>(&self, items: &mut Vec<T>) -> (usize, Option<String>) {
        let total = items.len();
        items.drain(..self.after.min(total));
        let next = (items.len() > self.limit).then(|| (self.after + self.limit).to_string());
        items.truncate(self.limit);
        (total, next)
    }
}
