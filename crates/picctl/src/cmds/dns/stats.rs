//! `picctl dns stats` and `picctl dns flush`

use pic_api::dns::{DnsBlocklist, DnsStats};

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

pub(super) async fn stats(context: &Context) -> Outcome {
    let answer = context.client.dns_stats().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&words(context, &answer.value))?;
    }
    Ok(Exit::Done)
}

fn words(context: &Context, stats: &DnsStats) -> String {
    let mut table = Table::new(&["WHAT", "VALUE"]);
    let numbers = [
        ("answered from the zones", stats.zone),
        ("answered from the cache", stats.cached),
        ("asked upstream", stats.forwarded),
        ("without success", stats.failed),
        ("proven authentic (DNSSEC)", stats.authentic),
        ("forged or broken (DNSSEC)", stats.bogus),
        ("blocked by a list", stats.blocked),
        ("refused", stats.refused),
        ("not readable", stats.malformed),
        ("dropped", stats.dropped),
        ("asked too often from outside", stats.limited),
    ];
    for (what, number) in numbers {
        table.row([Cell::from(what), number.to_string().into()]);
    }
    table.row([Cell::from("answers in the cache"), stats.cache_entries.to_string().into()]);
    for address in &stats.listening {
        table.row([Cell::from("listening"), address.as_str().into()]);
    }
    for failure in &stats.not_listening {
        table.row([Cell::from("NOT listening"), failure.as_str().into()]);
    }
    for list in &stats.blocklists {
        let state = list.error.as_ref().map(|error| format!("; NOT read anew: {error}")).unwrap_or_default();
        table.row([
            Cell::from("blocklist"),
            format!("{}: {} names{}{state}", list.name, list.entries, schedule(list)).into(),
        ]);
    }
    for upstream in &stats.upstreams {
        let state = match (upstream.healthy, upstream.unsigned) {
            (false, _) => " (does not answer)",
            (true, true) => " (cannot do DNSSEC: set another, or dns.dnssec = false)",
            (true, false) => "",
        };
        table.row([Cell::from("upstream"), format!("{}{state}", upstream.address).into()]);
    }
    table.row([Cell::from("DNSSEC"), dnssec(stats).into()]);
    if let Some(state) = &stats.tls {
        let words = match (&state.error, state.ready) {
            (Some(error), true) => {
                format!("the certificate from before, as the newest is of no use: {error}")
            }
            (Some(error), false) => format!("NOT answered: {error}"),
            (None, true) => "answered".to_owned(),
            (None, false) => "the certificate is not there yet".to_owned(),
        };
        table.row([Cell::from("clients by TLS"), words.into()]);
    }
    if let Some(error) = &stats.snapshot_error {
        table.row([Cell::from("newest state not served"), error.as_str().into()]);
    }
    table.render(&context.out)
}

fn dnssec(stats: &DnsStats) -> String {
    let Some(state) = &stats.dnssec else { return "off".to_owned() };
    match &state.anchor_error {
        Some(error) => format!("dns.trust_anchor is NOT used: {error}"),
        None if state.clock_in_doubt => {
            "on, but dates are not looked at: this machine's clock is in doubt".to_owned()
        }
        None => "on".to_owned(),
    }
}

/// When a list counts, and whether that is now.
fn schedule(list: &DnsBlocklist) -> String {
    let Some(when) = &list.when else { return String::new() };
    let now = if list.active { "counts now" } else { "does not count now" };
    let until = list.changes.as_ref().map(|at| format!(", until {at}")).unwrap_or_default();
    format!(", {when} ({now}{until})")
}

pub(super) async fn flush(context: &Context, name: Option<&str>) -> Outcome {
    let answer = context.client.dns_flush(name).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&format!("{} answers forgotten\n", answer.value.entries))?;
    }
    Ok(Exit::Done)
}
