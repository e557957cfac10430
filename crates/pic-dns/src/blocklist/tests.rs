use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use pic_model::snapshot::dns::Blocklist;

use super::table::Table;
use super::*;

fn wire(text: &str) -> Vec<u8> {
    name::from_text(text).unwrap()
}

fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    File::create(&new).unwrap().write_all(text.as_bytes()).unwrap();
    fs::rename(new, path).unwrap();
}

fn lists(path: &Path, allow: &[&str], before: &Blocklists) -> Blocklists {
    let snapshot = DnsSnapshot {
        blocklists: vec![Blocklist { name: "ads".into(), source: path.to_str().unwrap().into(), when: None }],
        allow: allow.iter().map(|name| (*name).into()).collect(),
        ..DnsSnapshot::empty()
    };
    let lists = Blocklists::new(&snapshot, before, Timestamp::UNIX_EPOCH);
    lists.follow();
    lists
}

#[test]
fn every_kind_of_line() {
    let text = "# hosts\n127.0.0.1 localhost\n0.0.0.0 ads.example.com two.example.net # both\n:: six.example\n\
        ! adblock\n[Adblock Plus]\n||track.example^\n@@||ok.track.example^\n||page.example^$third-party\n/banner/\n\
        plain.example\n*.star.example\n.dot.example.\ntwo words\n\u{fc}.example\n";
    let parsed = read(text.as_bytes()).unwrap();
    assert_eq!((parsed.blocked.len(), parsed.allowed.len(), parsed.skipped), (7, 1, 5));
    assert!(read(&b"a.b\n".repeat(10)[..]).is_ok());
}

#[test]
fn blocks_names_and_what_is_beneath() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    put(&path, "ads.example\n||x.ads.example^\n@@||fine.ads.example^\n");
    let all = lists(&path, &["good.ads.example"], &Blocklists::default());
    let blocks = |name: &str| all.block(1, &wire(name)).is_some();
    for name in ["ads.example", "a.b.ads.example", "x.ads.example"] {
        assert!(blocks(name), "{name}");
    }
    for name in
        ["example", "bads.example", "fine.ads.example", "good.ads.example", "a.good.ads.example", "cell"]
    {
        assert!(!blocks(name), "{name}");
    }
    assert!(all.block(2, &wire("ads.example")).is_none(), "not for this client");
    let deep = format!("{}ads.example", "a.".repeat(100));
    assert!(blocks(&deep));
}

#[test]
fn follows_its_file_and_keeps_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let none = lists(&path, &[], &Blocklists::default());
    assert!(
        none.status(Timestamp::UNIX_EPOCH)[0].error.is_some() && none.block(1, &wire("a.example")).is_none()
    );
    put(&path, "a.example\n");
    none.follow();
    assert_eq!(
        (none.status(Timestamp::UNIX_EPOCH)[0].entries, &none.status(Timestamp::UNIX_EPOCH)[0].error),
        (1, &None)
    );
    put(&path, "a.example\nb.example\n");
    none.follow();
    assert!(none.block(1, &wire("b.example")).is_some());
    fs::remove_file(&path).unwrap();
    let next = lists(&path, &[], &none);
    assert!(next.block(1, &wire("b.example")).is_some(), "as it was");
    assert!(next.status(Timestamp::UNIX_EPOCH)[0].error.is_some());
}

/// One list, twice: always for some, at night for others.
#[test]
fn schedules_are_kept_however_the_clock_jumps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    put(&path, "games.example\n");
    let rule = |name: &str, when: Option<&str>| Blocklist {
        name: name.into(),
        source: path.to_str().unwrap().into(),
        when: when.map(|text| text.parse().unwrap()),
    };
    let snapshot = DnsSnapshot {
        blocklists: vec![rule("always", None), rule("nights", Some("mon-fri 20:00-07:00"))],
        timezone: Some("Europe/Paris".into()),
        ..DnsSnapshot::empty()
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    // A Wednesday; Paris is two hours ahead.
    let lists = Blocklists::new(&snapshot, &Blocklists::default(), at("2027-06-02T17:59:59Z"));
    lists.follow();
    let blocks =
        |wanted| lists.block(lists.active(wanted), &wire("games.example")).map(|rule| rule.name.as_str());
    assert_eq!((blocks(0b01), blocks(0b10)), (Some("always"), None));
    for (now, blocked) in [
        ("2027-06-02T18:00:00Z", true),
        ("2097-06-05T12:00:00Z", false),
        ("1999-12-31T22:00:00Z", true),
        ("1970-01-01T08:00:00Z", false),
        ("2027-06-03T04:59:59Z", true),
        ("2027-06-03T05:00:00Z", false),
    ] {
        lists.keep_time(at(now));
        assert_eq!(blocks(0b10).is_some(), blocked, "{now}");
        assert_eq!(blocks(0b11), Some("always"));
    }
    let status = lists.status(at("2027-06-03T05:00:00Z"));
    let nights = &status[1];
    assert_eq!(nights.when.as_deref(), Some("Monday to Friday from 20:00 to 07:00 the next day"));
    assert_eq!((nights.active, nights.changes.as_deref()), (false, Some("2027-06-03T18:00:00Z")));
    assert!(Arc::ptr_eq(&lists.rules[0].list, &lists.rules[1].list), "read once");
}

#[test]
fn a_million_names_are_small() {
    let hashes: Vec<u64> =
        (0..1_000_000).filter_map(|n| table::hash(&wire(&format!("h{n}.example")))).collect();
    let table = Table::new(&hashes);
    assert!(std::mem::size_of_val(&*hashes) <= 8_000_000);
    assert!((0..1_000).all(|n| table.has_any(&table::Hashes::of(&wire(&format!("x.h{n}.example"))))));
    assert!((0..1_000).all(|n| !table.has_any(&table::Hashes::of(&wire(&format!("x.g{n}.example"))))));
}
