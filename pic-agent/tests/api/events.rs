//! Streams of what happens, and the list of operations.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::document::document;
use crate::rig::{CELL, Rig, is_root, wait_for};
use crate::schema::faults;

const RISKY: &str = "# mine\n[cell]\nname = \"home\"\n[wireguard]\nport = 4444\n";

/// An open stream.
struct Stream {
    lines: std::io::Lines<BufReader<UnixStream>>,
    head: String,
}

impl Stream {
    fn open(rig: &Rig, headers: &str) -> Self {
        let mut stream = UnixStream::connect(&rig.paths.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /api/events HTTP/1.1\r\nHost: pic\r\n{headers}\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut head = String::new();
        for line in lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()) {
            head.push_str(&line);
            head.push('\n');
        }
        Self { lines, head }
    }

    /// Id and data of the next event, which is as documented.
    fn next(&mut self) -> (String, Value) {
        let mut id = String::new();
        for line in self.lines.by_ref().map(Result::unwrap) {
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let event: Value = serde_json::from_str(data).unwrap();
                let schema = json!({ "$ref": "#/components/schemas/Event" });
                assert_eq!(faults(&document(), &schema, &event), [""; 0], "{event}");
                return (id, event);
            }
        }
        panic!("the stream has ended");
    }

    /// The next event of a kind.
    fn find(&mut self, kind: &str) -> (String, Value) {
        loop {
            let (id, event) = self.next();
            if event["kind"] == kind {
                return (id, event);
            }
        }
    }
}

#[test]
fn everything_that_happens_is_told() {
    let mut rig = Rig::new();
    let mut stream = Stream::open(&rig, "");
    assert!(stream.head.contains("200 OK") && stream.head.contains("text/event-stream"), "{}", stream.head);
    let (first, status) = stream.next();
    assert_eq!((status["kind"].as_str(), status["generation"].as_u64()), (Some("status"), Some(1)));
    rig.add_peer("phone");
    assert_eq!(stream.find("generation").1["generation"], 2);
    loop {
        let (_, operation) = stream.find("operation");
        assert_eq!(operation["id"], "op-2");
        if operation["state"] == "kept" {
            break;
        }
    }
    rig.disturb(|host| host.nft = None);
    assert_eq!(stream.find("repair").1["domain"], "firewall");
    rig.refuse("load firewall");
    rig.disturb(|host| host.nft = None);
    let (last, bad) = stream.find("status");
    assert_eq!(bad["state"], "failed");

    // Going on where one ended, without a gap.
    let mut again = Stream::open(&rig, &format!("Last-Event-ID: {first}\r\n"));
    let mut ids = Vec::new();
    while ids.last() != Some(&last) {
        ids.push(again.next().0);
    }
    let number = |id: &String| id.rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
    assert!(ids.iter().map(number).eq(number(&first) + 1..=number(&last)), "{ids:?}");
    // What cannot go on says so.
    for id in ["0-1", "nonsense", &last.replace('-', "-9")] {
        assert_eq!(Stream::open(&rig, &format!("Last-Event-ID: {id}\r\n")).next().1["kind"], "reset", "{id}");
    }
    rig.refuse("nothing at all");
    rig.restart();
    assert_eq!(Stream::open(&rig, &format!("Last-Event-ID: {last}\r\n")).next().1["kind"], "reset");
}

#[test]
fn nobody_takes_all_streams() {
    let rig = Rig::new();
    let mut open: Vec<_> = (0..8).map(|_| Stream::open(&rig, "")).collect();
    let answer = rig.get("/api/events");
    answer.problem(429, "too-many");
    assert!(answer.header("retry-after").is_some());
    rig.get("/api/operations/op-1/events").problem(429, "too-many");
    rig.get("/api/status").ok();
    // A reader that went away is noticed at the next event.
    drop(open.pop());
    rig.add_peer("phone");
    wait_for("a place", || rig.get("/api/operations/op-1/events").status == 200);
}

#[test]
fn operations_are_listed_in_pages() {
    let rig = Rig::new();
    rig.add_peer("a");
    rig.refuse("set 1 peer");
    rig.post("/api/peers", json!({ "name": "b" })).problem(500, "reverted");
    rig.refuse("nothing at all");
    rig.put("/api/config", json!({ "toml": rig.file().replace(CELL, RISKY) })).ok();
    let list = |query: &str| rig.get(&format!("/api/operations{query}")).ok();
    let states = |query: &str| -> Vec<(u64, String)> {
        let items = list(query).json["items"].clone();
        let one =
            |item: &Value| (item["generation"].as_u64().unwrap(), item["state"].as_str().unwrap().to_owned());
        items.as_array().unwrap().iter().map(one).collect()
    };
    let s = str::to_owned;
    let all = [(4, s("awaiting-confirm")), (3, s("reverted")), (2, s("kept")), (1, s("kept"))];
    assert_eq!(states(""), all);
    assert_eq!(states("?filter[state]=reverted"), all[1..2]);
    assert_eq!(states("?filter[state]=awaiting-confirm"), all[..1]);
    assert_eq!(states("?filter[state]=kept&sort=number&limit=1"), all[3..]);
    assert_eq!(states("?filter[author]=nobody"), []);
    assert_eq!(states("?q=PEER%20A"), all[2..3]);
    let page = list("?limit=3");
    assert_eq!(page.json["total"], 4);
    let link = page.header("link").unwrap().trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(rig.get(&link).ok().json["items"][0]["id"], "op-1");
    let first = &page.json["items"][0];
    assert!(is_root(&first["author"]) && first["percent"] == 100, "{first}");
    assert!(first["deadline_in"].as_u64().unwrap() <= 60);
    for bad in ["filter[state]=odd", "limit=0", "cursor=x", "sort=age", "colour=red"] {
        rig.get(&format!("/api/operations?{bad}")).problem(400, "bad-request");
    }

    let cancelled = rig.send("POST", "/api/operations/op-4/cancel", &[], None).ok();
    assert_eq!(cancelled.json["state"], "reverted");
    assert_eq!(cancelled.json["result"]["kept"], false);
    for id in ["op-4", "op-2"] {
        rig.send("POST", &format!("/api/operations/{id}/cancel"), &[], None).problem(409, "conflict");
    }
    rig.send("POST", "/api/operations/op-9/cancel", &[], None).problem(404, "not-found");
}

#[test]
fn a_simple_client_waits_for_the_end() {
    let rig = Rig::new();
    rig.hold(true);
    assert_eq!(rig.post("/api/peers?wait=false", json!({ "name": "phone" })).status, 202);
    let now = rig.get("/api/operations/op-2").ok().json;
    assert_eq!((now["state"].as_str(), &now["result"]), (Some("applying"), &Value::Null));
    assert!(now["phase"].is_string() && now["percent"].as_u64().unwrap() < 100, "{now}");
    rig.send("POST", "/api/operations/op-2/cancel", &[], None).problem(409, "conflict");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| rig.send("GET", "/api/operations/op-2", &[("Prefer", "wait=20")], None));
        rig.hold(false);
        let end = waiting.join().unwrap().ok().json;
        assert_eq!((end["state"].as_str(), end["result"]["kept"].as_bool()), (Some("kept"), Some(true)));
        let log = end["log_tail"].as_array().unwrap();
        assert!(log.last().unwrap().as_str().unwrap().ends_with("Z kept: done"), "{log:?}");
    });
}
