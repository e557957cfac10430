//! `picctl status`

use pic_api::status::{DomainStatus, Health3, Queue, Status, TakenBack};

use crate::exit::{Exit, place};
use crate::out::paint::{self, Paint};
use crate::out::table::{Cell, Table};
use crate::out::text::{count, line};
use crate::out::{Out, operation};
use crate::time::{ago, spoken};
use crate::{Context, Outcome};

pub(super) async fn run(context: &Context) -> Outcome {
    let answer = context.client.status().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&words(&answer.value, &context.out))?;
    }
    Ok(Exit::Done)
}

fn words(status: &Status, out: &Out) -> String {
    let paint = out.paint;
    let state = paint.state(status.state, paint::word(status.state));
    let mut text = format!("{} is {state}\n", paint.bold(&line(&status.cell.zone)));
    text.push_str(&facts(status).render(out));
    let bad: Vec<_> = status.domains.iter().filter(|d| d.state != Health3::Ok || d.repairs > 0).collect();
    if !bad.is_empty() {
        text.push('\n');
        text.push_str(&domains(&bad).render(out));
    }
    if let Some(change) = &status.taken_back {
        text.push_str(&format!("\n{}", taken_back(change, status.generation, paint)));
    }
    if status.edited {
        text.push_str(&format!("\n{}", edited(status, paint)));
    }
    if let Some(pending) = &status.pending {
        text.push_str(&format!("\n{}\n", operation::words(pending, out)));
    }
    text
}

/// A change that is not in force, though somebody wanted it: what, when, why, what to do.
fn taken_back(change: &TakenBack, current: u64, paint: Paint) -> String {
    let generation = change.generation;
    let at = change.at.as_deref().map(|at| format!(" {}", ago(at))).unwrap_or_default();
    let reason = if change.reason.is_empty() { String::new() } else { format!(", {}", line(&change.reason)) };
    format!(
        "{} generation {generation} (by {}{reason}) was taken back{at}: {}.\nWhat it would have changed: `picctl diff \
         {current} {generation}`. To try it again: `picctl rollback {generation}`.\n",
        paint.bad("Not kept:"),
        line(&change.author),
        line(&change.words).trim_end_matches('.')
    )
}

/// A file that differs from what is in force: to be applied, or to be mended first.
fn edited(status: &Status, paint: Paint) -> String {
    const FILE: &str = "/etc/pic/cell.toml";
    if status.file_errors.is_empty() {
        return format!("{FILE} was edited and not applied: see `picctl plan`, then `picctl apply`.\n");
    }
    let errors: String = status.file_errors.iter().map(|error| place(FILE, error) + "\n").collect();
    format!(
        "{} {FILE} was edited and cannot be applied. Generation {}, the last good one, stays in force.\n{errors}Mend it, then \
         `picctl plan` and `picctl apply`; or take the edits back: `picctl config discard`.\n",
        paint.bad("Wrong:"),
        status.generation
    )
}

fn facts(status: &Status) -> Table {
    let (cell, wireguard) = (&status.cell, &status.wireguard);
    let mut table = Table::pairs();
    let address6 = cell.address6.as_ref().map(|a| format!(", {a}")).unwrap_or_default();
    table.pair("  address", format!("{}{address6}", cell.address));
    table.pair("  endpoint", cell.endpoint.as_deref().unwrap_or("not known yet: set wireguard.endpoint"));
    table.pair("  uplink", cell.uplink.as_deref().unwrap_or("none: no default route"));
    let backend = match wireguard.backend.as_str() {
        "userspace" => "userspace, as this kernel has no WireGuard",
        other => other,
    };
    table.pair("  wireguard", format!("{} on udp/{} ({backend})", wireguard.interface, wireguard.port));
    table.pair("  key", &wireguard.public_key);
    table.pair("  peers", format!("{}, {} online", wireguard.peers, wireguard.peers_online));
    if let Some(away) = status.turned_away.filter(|away| away.ssh + away.other > 0) {
        table.pair(
            "  turned away",
            format!("{} at ssh, {} elsewhere, for beginning too often", away.ssh, away.other),
        );
    }
    if !status.queues.is_empty() {
        table.pair("  queues", queues(&status.queues));
    }
    table.pair("  generation", status.generation.to_string());
    if let Some(last) = &status.last_reconcile {
        let steps = count(last.steps, "step");
        table.pair(
            "  checked",
            format!("{} because of {}: {steps} in {} ms", ago(&last.at), last.because, last.milliseconds),
        );
    }
    let uptime = i64::try_from(status.uptime_seconds).unwrap_or(i64::MAX);
    table.pair("  agent", format!("{}, for {}", status.version, spoken(uptime)));
    table
}

/// Those of one kind together.
fn queues(queues: &[Queue]) -> String {
    let kinds = [("cake", "CAKE"), ("htb", "HTB, the kernel has no CAKE"), ("none", "not in force")];
    let of_kind = |(kind, words): (&str, &str)| {
        let those = queues.iter().filter(|queue| queue.kind == kind);
        let those: Vec<_> =
            those.map(|queue| format!("{} {}", line(&queue.interface), line(&queue.rate))).collect();
        (!those.is_empty()).then(|| format!("{} ({words})", those.join(", ")))
    };
    kinds.into_iter().filter_map(of_kind).collect::<Vec<_>>().join("; ")
}

fn domains(domains: &[&DomainStatus]) -> Table {
    let mut table = Table::new(&["PART", "STATE", "REPAIRS", "WORDS"]);
    for domain in domains {
        table.row([
            Cell::from(&domain.domain),
            Cell::painted(paint::word(domain.state), by_state(domain.state)),
            domain.repairs.to_string().into(),
            Cell::from(&domain.words),
        ]);
    }
    table
}

/// The colour of a state, as a table wants it.
pub(super) fn by_state(state: Health3) -> fn(Paint, &str) -> String {
    match state {
        Health3::Ok => Paint::good,
        Health3::Degraded => Paint::warn,
        Health3::Failed => Paint::bad,
    }
}
