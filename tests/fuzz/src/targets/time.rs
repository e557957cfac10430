//! What the time service reads: its snapshot, and what chronyd tells.

use std::path::Path;

use pic_model::snapshot::time::CLIENTS;
use pic_time::{render, report, snapshot};

pub(super) fn snapshot(input: &[u8]) {
    let Ok(snapshot) = snapshot::KIND.parse(Path::new("time.json"), input) else { return };
    let Ok(text) = render::config(render::TEMPLATE, &snapshot, Path::new("/run/chrony"), Path::new("/state"))
    else {
        return;
    };
    // A line for each value, and none that a value made.
    let lines = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(lines("server "), snapshot.sources.len(), "a source is more or less than a line");
    assert_eq!(lines("allow "), snapshot.clients.len(), "a network is more or less than a line");
}

pub(super) fn report(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(tracking) = report::tracking(&text) {
        assert!(tracking.offset.is_finite() && tracking.root_delay.is_finite(), "no number");
        assert!(tracking.synchronised || tracking.source.is_none(), "a source without the time");
    }
    for source in report::sources(&text, &text) {
        assert!(source.name.bytes().all(|byte| byte.is_ascii_graphic()), "a name that cannot be printed");
    }
    assert!(report::clients(&text).len() <= CLIENTS, "more clients than are told");
    let _ = report::served(&text);
}
