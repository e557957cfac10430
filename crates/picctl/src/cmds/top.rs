//! `picctl top`

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use pic_api::usage::{Usage, UsageList};

use crate::exit::Exit;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::out::text::bytes;
use crate::{Context, Outcome};

/// Home of the cursor, and nothing behind it.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Arguments of `picctl top`.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Print once what is used now, and end. This is what happens anyway where no person reads.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// How many lines, the busiest first.
    #[arg(long, short = 'n', value_name = "N", default_value = "20")]
    lines: usize,
}

pub(super) async fn run(context: &Context, args: Top) -> Outcome {
    let mut before = context.client.usage().await?;
    if context.out.json {
        context.out.document(&before.json)?;
        return Ok(Exit::Done);
    }
    let is_once = args.once || !context.out.is_terminal();
    loop {
        tokio::time::sleep(Duration::from_secs(args.every)).await;
        let now = context.client.usage().await?;
        let table = table(&before.value, &now.value, args.lines).render(&context.out);
        if is_once {
            context.out.text(&table)?;
            return Ok(Exit::Done);
        }
        context.out.text(&format!("{CLEAR}{table}"))?;
        before = now;
    }
}

/// One line: a subject and the bytes that it sends and receives in a second.
struct Line<'u> {
    usage: &'u Usage,
    sends: u64,
    receives: u64,
}

fn lines<'u>(before: &UsageList, now: &'u UsageList) -> Vec<Line<'u>> {
    let known: BTreeMap<_, _> = before.items.iter().map(|one| ((&one.kind, &one.name), one)).collect();
    let milliseconds = now.read_at.saturating_sub(before.read_at).max(1);
    let rate = |now: u64, before: u64| {
        let rate = u128::from(now.saturating_sub(before)) * 1000 / u128::from(milliseconds);
        u64::try_from(rate).unwrap_or(u64::MAX)
    };
    let one = |usage: &'u Usage| {
        let was = known.get(&(&usage.kind, &usage.name));
        let sends = was.map_or(0, |was| rate(usage.sent.bytes, was.sent.bytes));
        let receives = was.map_or(0, |was| rate(usage.received.bytes, was.received.bytes));
        Line { usage, sends, receives }
    };
    let mut lines: Vec<_> = now.items.iter().map(one).collect();
    // The busiest first; among equals who used most.
    lines.sort_by_key(|line| std::cmp::Reverse((line.sends + line.receives, line.usage.month)));
    lines
}

/// What is left of a quota.
fn left(usage: &Usage) -> Cell {
    match (usage.left, &usage.quota) {
        (Some(_), Some(quota)) if usage.spent => Cell::painted(&format!("nothing of {quota}"), Paint::bad),
        (Some(left), Some(quota)) => format!("{} of {quota}", bytes(left)).into(),
        _ => "".into(),
    }
}

fn table(before: &UsageList, now: &UsageList, most: usize) -> Table {
    let mut table = Table::new(&["NAME", "SENDS", "RECEIVES", "TODAY", "MONTH", "LEFT"]);
    for Line { usage, sends, receives } in lines(before, now).into_iter().take(most) {
        let name = if usage.kind == "peer" {
            usage.name.clone()
        } else {
            format!("{} ({})", usage.name, usage.kind)
        };
        let rate = |rate: u64| Cell::from(format!("{}/s", bytes(rate)));
        table.row([
            Cell::from(name),
            rate(sends),
            rate(receives),
            bytes(usage.today).into(),
            bytes(usage.month).into(),
            left(usage),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use pic_api::usage::Traffic;

    fn list(read_at: u64, items: &[(&str, u64, u64)]) -> UsageList {
        let traffic = |bytes| Traffic { packets: 1, bytes };
        let one = |(name, sent, received): &(&str, u64, u64)| Usage {
            kind: "peer".to_owned(),
            name: (*name).to_owned(),
            sent: traffic(*sent),
            received: traffic(*received),
            today: sent + received,
            month: sent + received,
            quota: None,
            left: None,
            spent: false,
            rate: None,
        };
        UsageList {
            read_at,
            day_ends: String::new(),
            month_ends: String::new(),
            items: items.iter().map(one).collect(),
            total: items.len(),
            next: None,
        }
    }

    #[test]
    fn the_busiest_comes_first_with_its_rates() {
        let before = list(1000, &[("idle", 9000, 9000), ("busy", 0, 500)]);
        let now = list(3000, &[("idle", 9000, 9000), ("busy", 4000, 1500), ("new", 7, 7)]);
        let lines = lines(&before, &now);
        let shown: Vec<_> =
            lines.iter().map(|line| (line.usage.name.as_str(), line.sends, line.receives)).collect();
        assert_eq!(shown, [("busy", 2000, 500), ("idle", 0, 0), ("new", 0, 0)]);
    }
}
