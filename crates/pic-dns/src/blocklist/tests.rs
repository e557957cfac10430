use std::io::Write;

use pic_model::snapshot::dns::Blocklist;

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
        blocklists: vec![Blocklist { name: "ads".into(), path: path.to_str().unwrap().into() }],
        allow: allow.iter().map(|name| (*name).into()).collect(),
        ..DnsSnapshot::empty()
    };
    let lists = Blocklists::new(&snapshot, before);
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
    assert!(none.status()[0].error.is_some() && none.block(1, &wire("a.example")).is_none());
    put(&path, "a.example\n");
    none.follow();
    assert_eq!((none.status()[0].entries, &none.status()[0].error), (1, &None));
    put(&path, "a.example\nb.example\n");
    none.follow();
    assert!(none.block(1, &wire("b.example")).is_some());
    fs::remove_file(&path).unwrap();
    let next = lists(&path, &[], &none);
    assert!(next.block(1, &wire("b.example")).is_some(), "as it was");
    assert!(next.status()[0].error.is_some());
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
