//! `/api/history`: generations, their texts and what differs between them.

use std::time::Duration;

use pic_api::config::{ChangeOptions, Config};
use pic_api::history::{Diff, Generation, History};
use pic_engine::ledger::State;

use super::config::read_file;
use super::page::{self, Page};
use crate::http::call::Call;
use crate::http::change::{Wish, check_options};
use crate::http::late::Merging;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

pub(crate) async fn list(call: Call) -> Outcome {
    let (entries, state) = call.api.handle.history().await?;
    let in_force = call.api.handle.report().current.generation;
    let Page { entries, total, next } = page::of(&call, entries, usize::MAX)?;
    let items = entries.into_iter().map(|entry| Generation {
        number: entry.number,
        at: view::time(entry.at).unwrap_or_default(),
        author: entry.author,
        reason: entry.reason,
        current: entry.number == in_force,
        state: word(&state, entry.number).to_owned(),
    });
    let reply = Reply::json(&History { items: items.collect(), total, next: next.clone() })?;
    Ok(page::link(&call, "/api/history", next.as_deref(), reply))
}

/// What became of a generation.
pub(super) fn word(state: &State, number: u64) -> &'static str {
    match &state.pending {
        Some(pending) if pending.generation == number => "pending",
        _ if state.reverted.contains(&number) || number > state.current => "reverted",
        _ => "kept",
    }
}

pub(crate) async fn read(call: Call) -> Outcome {
    let number = call.number("n")?;
    let toml = call.api.handle.text(number).await??;
    let (entries, _) = call.api.handle.history().await?;
    let sum = entries.iter().find(|entry| entry.number == number).map_or("", |entry| &entry.sha256);
    let etag = format!("\"{number}-{}\"", sum.get(..16).unwrap_or_default());
    let config = Config { generation: number, toml, etag: etag.clone(), edited: false };
    Ok(Reply::json(&config)?.etag(&etag))
}

pub(crate) async fn rollback(call: Call) -> Outcome {
    let number = call.number("n")?;
    let options: ChangeOptions = call.json_or_default()?;
    check_options(&options)?;
    let text = call.api.handle.text(number).await??;
    let wish = Wish {
        options,
        merging: Merging::Text,
        ..Wish::new(format!("roll back to generation {number}"), move |_| Ok(text))
    };
    call.make(wish).await?.reply()
}

pub(crate) async fn diff(call: Call) -> Outcome {
    let (from, to) = (call.number("a")?, call.number("b")?);
    let (old, new) = (text(&call, from).await?, text(&call, to).await?);
    let name = |number| if number == 0 { "cell.toml".to_owned() } else { format!("generation {number}") };
    let diff = similar::TextDiff::configure().timeout(Duration::from_secs(1)).diff_lines(&old, &new);
    let diff = diff.unified_diff().context_radius(3).header(&name(from), &name(to)).to_string();
    Reply::json(&Diff { from, to, diff })
}

async fn text(call: &Call, number: u64) -> Outcome<String> {
    Ok(match number {
        0 => read_file(&call.api.cell_toml)?,
        _ => call.api.handle.text(number).await??,
    })
}
