//! Every shape of error.

use serde_json::json;

use crate::rig::{CELL, Rig};

#[test]
fn what_is_not_there() {
    let rig = Rig::new();
    for path in ["/", "/api", "/api/peers/", "/api/nothing", "/api/peers/a/b/c"] {
        rig.get(path).problem(404, "not-found");
    }
    for path in ["/api/peers/nobody", "/api/peers/NO%20NAME", "/api/peers/nobody/config", "/api/peers/..%2fx"]
    {
        let answer = rig.get(path);
        assert!(answer.problem(404, "not-found").contains("picctl peer list"), "{path}");
    }
    for path in [
        "/api/history/99",
        "/api/history/x",
        "/api/history/1/diff/99",
        "/api/operations/op-99",
        "/api/operations/x",
    ] {
        rig.get(path).problem(404, "not-found");
    }
    rig.delete("/api/peers/nobody").problem(404, "not-found");
    rig.post("/api/plans/abc/apply", json!({})).problem(404, "not-found");
    rig.send("POST", "/api/history/99/rollback", &[("If-Match", "*")], None).problem(404, "not-found");
}

#[test]
fn requests_that_make_no_sense() {
    let rig = Rig::new();
    let bad = |method: &str, path: &str, body: Option<&str>| {
        rig.send(method, path, &[], body).problem(400, "bad-request");
    };
    bad("POST", "/api/peers", None);
    bad("POST", "/api/peers", Some("{"));
    bad("POST", "/api/peers", Some("[]"));
    bad("POST", "/api/peers", Some("{\"name\":\"a\",\"colour\":\"red\"}"));
    bad("POST", "/api/peers", Some("{\"name\":\"a\"} x"));
    bad("PUT", "/api/config", Some("{}"));
    bad("PUT", "/api/config", Some("{\"toml\":\"\",\"options\":{\"hurry\":true}}"));
    bad("PATCH", "/api/config", Some("{\"set\":{\"a\":1}}"));
    bad("POST", "/api/config/apply", Some("{\"options\":{\"confirm_seconds\":-1}}"));
    bad("POST", "/api/config/apply", Some("{\"options\":{\"confirm_seconds\":99999999999}}"));
    bad("POST", "/api/confirm", Some("{\"all\":true}"));
    for query in ["limit=0", "limit=1001", "limit=x", "sort=age", "cursor=zz", "colour=red", "q=a&q=b"] {
        bad("GET", &format!("/api/peers?{query}"), None);
    }
    bad("GET", "/api/status?verbose=1", None);
    rig.add_peer("phone");
    bad("PUT", "/api/peers/phone", Some("{}"));
    bad("GET", "/api/peers/phone/config?tunnel=half", None);
    bad("DELETE", "/api/peers/phone?plan=yes", None);
    let other = rig.send("GET", "/api/status", &[("PIC-API", "2")], None);
    assert!(other.problem(400, "bad-request").contains("version 1"));
    let form = rig.send("POST", "/api/peers", &[("Content-Type", "text/plain")], Some("{\"name\":\"x\"}"));
    form.problem(415, "unsupported-media-type");
    bad("POST", "/api/revert", Some("{\"all\":1}"));
}

#[test]
fn desired_states_that_are_refused_say_everything() {
    let rig = Rig::new();
    let text = "[cell]\nname = \"NO\"\n[wireguard]\nport = 0\ncolour = 1\n";
    let answer = rig.put("/api/config", json!({ "toml": text }));
    answer.problem(422, "invalid");
    let errors = answer.json["errors"].as_array().unwrap();
    assert!(errors.len() >= 3, "{errors:?}");
    assert!(errors.iter().any(|e| e["pointer"] == "/cell/name" && e["line"] == 2), "{errors:?}");
    assert!(errors.iter().any(|e| e["code"] == "unknown-field"), "{errors:?}");
    assert_eq!(rig.generation(), 1);

    let answer = rig.post(
        "/api/peers",
        json!({
            "name": "a b\n\"$%", "public_key": "x", "allow": ["moon"], "expires": "yesterday"
        }),
    );
    answer.problem(422, "invalid");
    let pointers: Vec<_> =
        answer.json["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/name", "/public_key", "/allow/0", "/expires"]);
    rig.post("/api/peers", json!({ "name": "x".repeat(300) })).problem(422, "invalid");
    rig.post("/api/peers", json!({ "name": "a", "expires": "2001-01-01T00:00:00Z" })).problem(422, "invalid");
    rig.post("/api/peers", json!({ "name": "a", "address": "192.0.2.1" })).problem(422, "invalid");
    rig.add_peer("phone");
    let twice = rig.post("/api/peers", json!({ "name": "phone" }));
    twice.problem(422, "invalid");
    assert_eq!(twice.json["errors"][0]["code"], "duplicate");
    assert_eq!(twice.json["errors"][0]["line"], 0, "no line of a file that was never written");
    assert!(twice.json["errors"][0]["hint"].as_str().unwrap().contains("picctl peer remove phone"));
    assert_eq!(rig.file().matches("[[peer]]").count(), 1);
}

#[test]
fn bodies_have_a_limit() {
    let rig = Rig::new();
    let answer = rig.post("/api/peers", json!({ "name": "x".repeat(5 << 20) }));
    assert!(answer.problem(413, "too-large").contains("4194304"));
    let text = format!("{CELL}# {}\n", "x".repeat(5 << 20));
    rig.put("/api/config", json!({ "toml": text })).ok();
}

#[test]
fn without_a_cell_there_is_nothing_to_ask() {
    let rig = Rig::with(None);
    assert_eq!(rig.get("/health").json["status"], "ok");
    for path in ["/api/status", "/api/peers", "/api/export", "/api/wireguard/status"] {
        let answer = rig.get(path);
        assert!(answer.problem(428, "setup-required").contains("picctl apply"));
        assert_eq!(answer.json["needs"], "setup");
    }
    assert_eq!(rig.get("/api/config").json["generation"], 0);
    rig.post("/api/config/apply", json!({})).problem(404, "not-found");
    rig.write_file(CELL);
    // It closes the host, which its maker may be logged in to.
    let waiting = rig.post("/api/config/apply", json!({})).ok().json;
    assert_eq!(waiting["state"], "awaiting-confirm");
    assert!(waiting["plan"]["risks"][0].as_str().unwrap().contains("ssh"), "{waiting}");
    assert_eq!(rig.send("POST", "/api/confirm", &[], None).ok().json["state"], "kept");
    assert_eq!(rig.get("/api/status").json["cell"]["name"], "home");
}

#[test]
fn nonsense_on_the_wire_harms_nobody() {
    let rig = Rig::new();
    for bytes in [
        &b"\x16\x03\x01\x02"[..],
        b"GET / HTTP/9\r\n\r\n",
        b"GET /api/peers?\xff HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n",
    ] {
        let answer = rig.raw(bytes);
        assert!(answer.status == 0 || answer.status >= 400, "{answer:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    assert!(matches!(rig.raw(long.as_bytes()).status, 0 | 414 | 431));
    rig.get("/api/status").ok();
}
