//! Blocklists as clients meet them: on schedules, and however many aliases stand in front of a name.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::path::Path;
use std::time::Duration;

use jiff::civil::Time;
use jiff::{Timestamp, ToSpan};
use kit::{Service, fresh_address, snapshot, wait_for};
use pic_model::snapshot::dns::{
    Blocklist, DnsRequest, DnsSnapshot, Host, Record, RecordData, Upstream, View, Zone,
};

fn view(blocklists: Vec<u16>) -> View {
    View {
        name: "kids".into(),
        clients: vec!["127.0.0.0/8".parse().unwrap()],
        cell: true,
        internet: true,
        private: false,
        blocklists,
        exit: None,
        egress: vec![],
    }
}

fn list(dir: &Path, name: &str, text: &str, when: Option<String>) -> Blocklist {
    let path = dir.join(name);
    kit::write(&path, text);
    let when = when.map(|text| text.parse().unwrap());
    Blocklist { name: name.into(), source: path.to_str().unwrap().into(), when }
}

/// A server of the names that are blocked: `games.example`, `ads.example`, and `www.shop.example`, an alias of the latter.
fn outside() -> Service {
    let mut world = snapshot(fresh_address(), vec![]);
    let host = |name: &str| Host { name: name.into(), addresses: vec![[192, 0, 2, 7].into()], views: None };
    let alias = pic_model::dns::Name::absolute("x.ads.example").unwrap().wire();
    let hex = alias.iter().map(|byte| format!("{byte:02x}")).collect();
    let data = RecordData::Raw { rtype: 5, hex };
    let record = Record { name: "www.shop.example".into(), ttl: 60, data, views: None };
    world.zones = vec![
        Zone { name: "ads.example".into(), ttl: 60, hosts: vec![host("x")], records: vec![] },
        Zone { name: "games.example".into(), ttl: 60, hosts: vec![host("")], records: vec![] },
        Zone { name: "shop.example".into(), ttl: 60, hosts: vec![host("pay")], records: vec![record] },
    ];
    world.reverse = vec![];
    Service::start(&world, &[])
}

fn home(outside: &Service, lists: Vec<Blocklist>) -> DnsSnapshot {
    let mut home = snapshot(fresh_address(), vec![Upstream::Plain { address: outside.at }]);
    home.views = vec![view((0..).take(lists.len()).collect())];
    home.blocklists = lists;
    home
}

#[test]
fn an_alias_of_a_blocked_name_is_blocked() {
    let dir = tempfile::tempdir().unwrap();
    let outside = outside();
    let mut home = home(&outside, vec![list(dir.path(), "ads", "||ads.example^\n", None)]);
    home.views[0].clients = vec!["127.0.0.2/32".parse().unwrap()];
    let service = Service::start(&home, &[]);
    let free = || service.dig(&["+short", "www.shop.example"]);
    let kid = |name: &str| service.dig(&["-b", "127.0.0.2", name]);
    wait_for(10, || kid("ads.example").contains("NXDOMAIN").then_some(()));
    for _ in 0..2 {
        let blocked = kid("www.shop.example");
        assert!(blocked.contains("NXDOMAIN") && blocked.contains("blocked by a list"), "{blocked}");
        assert!(!blocked.contains("192.0.2.7"), "{blocked}");
        assert_eq!(free(), "x.ads.example.\n192.0.2.7\n", "asked, then cached");
    }
    assert!(kid("pay.shop.example").contains("192.0.2.7"));
    let ask = |name: &str| {
        let source = "127.0.0.2".parse().unwrap();
        service.control(&DnsRequest::Query { name: name.into(), rtype: 1, source })["why"].to_string()
    };
    let why = ask("www.shop.example");
    assert!(why.contains("alias of x.ads.example") && why.contains("the list ads"), "{why}");
}

/// `HH:MM` of UTC, so many minutes from now.
fn clock(minutes: i64) -> (Time, String) {
    let at = Timestamp::now().checked_add((60 * minutes).seconds()).unwrap();
    let time = at.to_zoned(jiff::tz::TimeZone::UTC).time();
    (time, time.strftime("%H:%M").to_string())
}

#[test]
fn lists_come_and_go_at_their_minute_and_no_question_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let outside = outside();
    // The next minute, unless it is too near to get ready.
    let wait = if clock(0).0.second() > 45 { 2 } else { 1 };
    let (begin, turn, end) = (clock(-60).1, clock(wait).1, clock(60).1);
    let until = list(dir.path(), "until", "ads.example\n", Some(format!("daily {begin}-{turn}")));
    let from = list(dir.path(), "from", "games.example\n", Some(format!("daily {turn}-{end}")));
    let home = home(&outside, vec![until, from]);
    let blocked = |service: &Service, name: &str| {
        let answer = service.dig(&[name]);
        assert!(answer.contains("status: N"), "a question was lost: {answer}");
        answer.contains("blocked by a list")
    };
    let service = Service::start(&home, &[]);
    wait_for(10, || blocked(&service, "x.ads.example").then_some(()));
    assert!(!blocked(&service, "games.example"));
    let ask = |name: &str| {
        let source = "127.0.0.1".parse().unwrap();
        service.control(&DnsRequest::Query { name: name.into(), rtype: 1, source })["why"].to_string()
    };
    let why = ask("x.ads.example");
    assert!(why.contains(&format!("the list until, which counts every day from {begin} to {turn}")), "{why}");
    let why = ask("games.example");
    assert!(why.contains("not blocked now by the list from") && why.contains(&turn), "{why}");
    wait_for(150, || {
        let turned = blocked(&service, "games.example") && !blocked(&service, "x.ads.example");
        std::thread::park_timeout(Duration::from_millis(100));
        turned.then_some(())
    });
    // The same after its own restart, with nobody to tell it.
    drop(service);
    let service = Service::start(&DnsSnapshot { listen: vec![fresh_address()], ..home }, &[]);
    wait_for(10, || blocked(&service, "games.example").then_some(()));
    assert!(!blocked(&service, "x.ads.example"));
}

#[test]
fn a_new_list_counts_for_what_is_in_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let outside = outside();
    let home = home(&outside, vec![list(dir.path(), "ads", "other.example\n", None)]);
    let service = Service::start(&home, &[]);
    wait_for(10, || service.dig(&["other.example"]).contains("blocked by a list").then_some(()));
    for name in ["games.example", "www.shop.example", "pay.shop.example"] {
        for _ in 0..3 {
            assert!(service.dig(&["+short", name]).contains("192.0.2.7"), "{name}");
        }
    }
    // A name that was found clean, and one whose alias was.
    kit::write(&dir.path().join("ads"), "games.example\nads.example\n");
    wait_for(10, || service.dig(&["games.example"]).contains("blocked by a list").then_some(()));
    assert!(service.dig(&["www.shop.example"]).contains("blocked by a list"));
    assert!(service.dig(&["+short", "pay.shop.example"]).contains("192.0.2.7"));
    kit::write(&dir.path().join("ads"), "other.example\n");
    wait_for(10, || service.dig(&["+short", "games.example"]).contains("192.0.2.7").then_some(()));
}
