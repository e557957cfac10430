//! `picctl time`

use pic_api::time::{Time, TimeClient, TimeSource};

use crate::exit::Exit;
use crate::out::Out;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::out::text::line;
use crate::time::{ago, spoken};
use crate::{Context, Outcome};

pub(super) async fn run(context: &Context) -> Outcome {
    let answer = context.client.time().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&words(&answer.value, &context.out))?;
    }
    Ok(Exit::Done)
}

fn words(time: &Time, out: &Out) -> String {
    let paint = out.paint;
    let state = match (time.serving, time.synchronised) {
        (true, true) => paint.good("served"),
        (true, false) => paint.warn("not known yet, so devices get none"),
        (false, _) => paint.bad("not served"),
    };
    let mut text = format!("time is {state}\n");
    if !time.words.is_empty() {
        text.push_str(&format!("{}\n", line(&time.words)));
    }
    if !time.serving {
        return text;
    }
    text.push_str(&facts(time).render(out));
    for (table, is_empty) in
        [(sources(&time.sources), time.sources.is_empty()), (clients(&time.clients), time.clients.is_empty())]
    {
        if !is_empty {
            text.push('\n');
            text.push_str(&table.render(out));
        }
    }
    text
}

fn facts(time: &Time) -> Table {
    let mut table = Table::pairs();
    if time.synchronised {
        table.pair("  source", time.source.as_deref().unwrap_or("its sources"));
        table.pair("  stratum", time.stratum.to_string());
        table.pair("  right to", format!("{} or better", seconds(time.uncertainty)));
        let direction = if time.host_offset > 0.0 { "ahead" } else { "behind" };
        let host = format!("{} {direction}", seconds(time.host_offset.abs()));
        table.pair("  host's clock", host);
        if let Some(measured) = &time.measured {
            table.pair("  measured", ago(measured));
        }
        if time.leap != "normal" {
            table.pair("  leap", &time.leap);
        }
    }
    let dropped = if time.dropped > 0 { format!(", {} not answered", time.dropped) } else { String::new() };
    table.pair("  asked", format!("{} times by {} devices{dropped}", time.asked, time.clients.len()));
    table
}

/// A length of time, in the unit that reads best.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float becomes the nearest whole number there is"
        )]
        s => spoken(s as i64),
    }
}

fn sources(sources: &[TimeSource]) -> Table {
    let mut table = Table::new(&["SOURCE", "NTS", "STATE", "STRATUM", "ANSWERED", "LAST", "OFFSET"]);
    for source in sources {
        let state: fn(Paint, &str) -> String = match source.state.as_str() {
            "selected" | "combined" => Paint::good,
            "false" | "unreachable" => Paint::bad,
            _ => Paint::dim,
        };
        let known = source.last.is_some();
        table.row([
            Cell::from(source.name.as_str()),
            if source.nts { "yes" } else { "no" }.into(),
            Cell::painted(&source.state, state),
            if known { source.stratum.to_string() } else { String::new() }.into(),
            format!("{} of 8", source.reached).into(),
            source.last.map(past).unwrap_or_default().into(),
            if known { signed(source.offset) } else { String::new() }.into(),
        ]);
    }
    table
}

fn signed(offset: f64) -> String {
    format!("{}{}", if offset < 0.0 { "-" } else { "+" }, seconds(offset.abs()))
}

fn past(seconds: u64) -> String {
    spoken(i64::try_from(seconds).unwrap_or(i64::MAX)) + " ago"
}

fn clients(clients: &[TimeClient]) -> Table {
    let mut table = Table::new(&["DEVICE", "ADDRESS", "ASKED", "NOT ANSWERED", "LAST"]);
    for client in clients {
        table.row([
            Cell::from(client.name.as_deref().unwrap_or_default()),
            client.address.to_string().into(),
            client.asked.to_string().into(),
            client.dropped.to_string().into(),
            past(client.last).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (length, words) in [
            (0.0, "0 µs"),
            (0.000_25, "250 µs"),
            (0.0123, "12.3 ms"),
            (3.0, "3.0 s"),
            (315_576_000.0, "3652 d"),
        ] {
            assert_eq!(seconds(length), words);
        }
        assert_eq!(signed(-0.5), "-500.0 ms");
    }
}
