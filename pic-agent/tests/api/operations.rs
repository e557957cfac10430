//! Changes that are not waited for.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{Rig, wait_for};

#[test]
fn accepted_at_once_and_followed_to_the_end() {
    let rig = Rig::new();
    rig.hold(true);
    let answer = rig.post("/api/peers?wait=false", json!({ "name": "phone" }));
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.header("location"), Some("/api/operations/op-2"));
    assert_eq!(answer.json["operation"]["state"], "applying");
    assert_eq!(answer.json["peer"]["address"], "10.77.0.2");
    assert!(answer.json["config"].as_str().unwrap().contains("10.77.0.2/32"));
    assert_eq!(rig.get("/api/operations/op-2").json["state"], "applying");

    let mut stream = UnixStream::connect(&rig.paths.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
        .write_all(b"GET /api/operations/op-2/events HTTP/1.1\r\nHost: pic\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut states = Vec::new();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        if let Some(data) = line.strip_prefix("data: ") {
            let event: Value = serde_json::from_str(data).unwrap();
            states.push(event["state"].as_str().unwrap().to_owned());
            rig.hold(false);
        }
    }
    assert_eq!(states.first().map(String::as_str), Some("applying"));
    assert_eq!(states.last().map(String::as_str), Some("kept"));
    assert_eq!(rig.get("/api/peers").json["total"], 1);
}

#[test]
fn preferences_say_how_long_to_wait() {
    let rig = Rig::new();
    rig.hold(true);
    let prefer = [("Prefer", "respond-async")];
    let body = json!({ "name": "phone" }).to_string();
    assert_eq!(rig.send("POST", "/api/peers", &prefer, Some(&body)).status, 202);
    rig.hold(false);
    wait_for("the first", || rig.get("/api/operations/op-2").json["state"] == "kept");
    rig.hold(true);
    let prefer = [("Prefer", "wait=1")];
    let late = rig.send("DELETE", "/api/peers/phone", &prefer, None);
    assert_eq!((late.status, late.json["id"].as_str()), (202, Some("op-3")));
    rig.hold(false);
    wait_for("the second", || rig.get("/api/operations/op-3").json["state"] == "kept");
}

#[test]
fn a_refusal_is_told_even_when_nobody_wants_to_wait() {
    let rig = Rig::new();
    rig.post("/api/peers?wait=false", json!({ "name": "NO" })).problem(422, "invalid");
    rig.delete("/api/peers/nobody?wait=false").problem(404, "not-found");
}

#[test]
fn what_fails_later_is_told_later() {
    let mut rig = Rig::new();
    rig.refuse("set 1 peer");
    rig.hold(true);
    assert_eq!(rig.post("/api/peers?wait=false", json!({ "name": "phone" })).status, 202);
    rig.hold(false);
    wait_for("the end", || rig.get("/api/operations/op-2").json["state"] == "reverted");
    let words = rig.get("/api/operations/op-2").json["words"].as_str().unwrap().to_owned();
    assert!(words.contains("refused by the test"), "{words}");
    let events = rig.get("/api/operations/op-2/events").ok();
    assert!(events.text.contains("\"reverted\""), "{}", events.text);
    rig.restart();
    assert_eq!(rig.get("/api/operations/op-2").ok().json["words"], words);
}

#[test]
fn many_at_once_each_get_their_own() {
    let rig = Rig::new();
    std::thread::scope(|scope| {
        let add = |n: usize| {
            let rig = &rig;
            scope.spawn(move || rig.post("/api/peers?wait=false", json!({ "name": format!("p{n}") })))
        };
        let all: Vec<_> = (0..20).map(add).collect();
        for (n, answer) in all.into_iter().enumerate() {
            let answer = answer.join().unwrap().ok();
            assert_eq!(answer.json["peer"]["name"], format!("p{n}"));
            let id = answer.json["operation"]["id"].as_str().unwrap().to_owned();
            let diff = answer.json["operation"]["plan"]["diff"].as_str().unwrap().to_owned();
            assert!(diff.contains(&format!("\"p{n}\"")), "{id}: {diff}");
        }
    });
    wait_for("all", || rig.get("/api/peers").json["total"] == 20);
    let items = rig.get("/api/peers").json["items"].clone();
    let addresses: std::collections::BTreeSet<_> =
        items.as_array().unwrap().iter().map(|peer| peer["address"].to_string()).collect();
    assert_eq!(addresses.len(), 20);
}
