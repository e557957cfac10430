//! The text format, version 0.0.4: what it is, its type, then one line for each set of labels.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pic_model::snapshot::dns::{DnsStatus, DnsTreated};

use crate::server::Server;

/// Everything that is told.
pub(super) fn of(status: &DnsStatus, server: &Server) -> String {
    let mut text = Text::default();
    questions(&mut text, server);
    service(&mut text, status);
    // One that is asked for several zones stands there several times.
    let upstreams: BTreeMap<_, _> = status.upstreams.iter().map(|one| (one.address, one.healthy)).collect();
    for (address, healthy) in upstreams {
        text.value(&[("address", address.to_string())], UP, number(healthy));
    }
    for list in &status.blocklists {
        text.value(&[("list", list.name.clone())], NAMES, list.entries);
    }
    for list in &status.blocklists {
        text.value(&[("list", list.name.clone())], ACTIVE, number(list.active && list.error.is_none()));
    }
    text.out
}

/// Name, type, and what it is.
type Metric = (&'static str, &'static str, &'static str);

const BUILD: Metric = ("pic_dns_build_info", "gauge", "Version of the program.");
const QUESTIONS: Metric = ("pic_dns_questions_total", "counter", "Questions by how they were treated.");
const FAILURES: Metric = (
    "pic_dns_upstream_failures_total",
    "counter",
    "Questions sent upstream without success; they are among those forwarded.",
);
const DNSSEC: Metric =
    ("pic_dns_dnssec_total", "counter", "Answers of upstreams by what DNSSEC made of them.");
const VIEWS: Metric = (
    "pic_dns_view_questions_total",
    "counter",
    "Questions by the client's view and by how they were treated.",
);
const CACHE: Metric = ("pic_dns_cache_entries", "gauge", "Answers held in the cache.");
const GENERATION: Metric = ("pic_dns_snapshot_ok", "gauge", "Whether the newest snapshot is the one served.");
const LISTENING: Metric = ("pic_dns_listening", "gauge", "Whether an address is listened on.");
const UP: Metric = ("pic_dns_upstream_up", "gauge", "Whether an upstream's last answer came in time.");
const NAMES: Metric = ("pic_dns_blocklist_names", "gauge", "Names on a blocklist.");
const ACTIVE: Metric =
    ("pic_dns_blocklist_active", "gauge", "Whether a blocklist counts now and is up to date.");

fn questions(text: &mut Text, server: &Server) {
    let counters = server.counters.snapshot();
    text.value(&[("version", env!("CARGO_PKG_VERSION").to_owned())], BUILD, 1);
    for (result, count) in [
        ("local", counters.zone),
        ("cached", counters.cached),
        ("forwarded", counters.forwarded),
        ("blocked", counters.blocked),
        ("refused", counters.refused),
        ("malformed", counters.malformed),
        ("dropped", counters.dropped),
        ("limited", counters.limited),
    ] {
        text.value(&[("result", result.to_owned())], QUESTIONS, count);
    }
    text.value(&[], FAILURES, counters.failed);
    for (proof, count) in [("secure", counters.authentic), ("bogus", counters.bogus)] {
        text.value(&[("proof", proof.to_owned())], DNSSEC, count);
    }
    for view in server.world.load().policy.tallies() {
        let tally = view.tally.snapshot();
        for treated in DnsTreated::ALL {
            let labels = [("view", view.name.clone()), ("result", treated.as_str().to_owned())];
            text.value(&labels, VIEWS, tally.of(treated));
        }
    }
}

fn service(text: &mut Text, status: &DnsStatus) {
    text.value(&[], CACHE, status.cache_entries);
    text.value(&[], GENERATION, number(status.snapshot_error.is_none()));
    let failed = status.not_listening.iter().map(|failure| (failure.address, false));
    for (address, open) in status.listening.iter().map(|address| (*address, true)).chain(failed) {
        text.value(&[("address", address.to_string())], LISTENING, number(open));
    }
}

fn number(holds: bool) -> u8 {
    u8::from(holds)
}

#[derive(Default)]
struct Text {
    out: String,
    last: &'static str,
}

impl Text {
    /// One line. Those of one metric come one after the other.
    fn value(&mut self, labels: &[(&str, String)], metric: Metric, value: impl std::fmt::Display) {
        let (name, kind, help) = metric;
        if self.last != name {
            self.last = name;
            let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "{name}{labels} {value}");
    }
}

/// A label's value may hold anything once these are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_metric_share_their_head() {
        let mut text = Text::default();
        text.value(&[("address", "a\"b\\c\nd".to_owned())], UP, 1);
        text.value(&[], UP, 0);
        text.value(&[], CACHE, 7);
        assert_eq!(
            text.out,
            "# HELP pic_dns_upstream_up Whether an upstream's last answer came in time.\n\
             # TYPE pic_dns_upstream_up gauge\n\
             pic_dns_upstream_up{address=\"a\\\"b\\\\c\\nd\"} 1\n\
             pic_dns_upstream_up 0\n\
             # HELP pic_dns_cache_entries Answers held in the cache.\n\
             # TYPE pic_dns_cache_entries gauge\n\
             pic_dns_cache_entries 7\n"
        );
    }
}
