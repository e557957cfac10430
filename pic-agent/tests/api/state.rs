//! Reading: status, doctor, export.

use serde_json::{Value, json};

use crate::rig::{Rig, wait_for};

#[test]
fn how_the_cell_is() {
    let rig = Rig::new();
    let health = rig.get("/health").ok();
    assert_eq!(health.json["status"], "ok");
    assert_eq!(health.header("pic-api"), Some("1"));
    assert_eq!(health.header("cache-control"), Some("no-store"));
    rig.add_peer("phone");
    let status = rig.get("/api/status").ok().json;
    assert_eq!(status["state"], "ok");
    assert_eq!(status["cell"]["zone"], "home.cell");
    assert_eq!(status["cell"]["endpoint"], "203.0.113.7:51820");
    assert_eq!(status["cell"]["uplink"], "eth0");
    assert_eq!(status["generation"], 2);
    assert_eq!(status["domains"].as_array().unwrap().len(), 12);
    assert_eq!(status["wireguard"]["backend"], "kernel");
    assert_eq!((&status["wireguard"]["peers"], &status["wireguard"]["peers_online"]), (&json!(1), &json!(0)));
    assert_eq!(status["pending"], json!(null));
    assert_eq!(rig.get("/api/wireguard/status").ok().json, status["wireguard"]);
}

#[test]
fn what_was_repaired_is_counted() {
    let rig = Rig::new();
    for _ in 0..3 {
        rig.disturb(|host| host.nft = None);
        wait_for("the repair", || rig.host().nft.is_some());
    }
    let repairs = || {
        let status = rig.get("/api/status").ok().json;
        let found = status["domains"].as_array().unwrap().iter().find(|d| d["domain"] == "firewall").cloned();
        found.unwrap()["repairs"].as_u64().unwrap()
    };
    wait_for("the count", || repairs() == 3);
    let checks = rig.get("/api/doctor").ok().json;
    assert!(checks.as_array().unwrap().iter().any(|c| c["name"] == "repairs" && c["state"] == "degraded"));
}

#[test]
fn what_fails_shows() {
    let rig = Rig::new();
    rig.refuse("load firewall");
    rig.disturb(|host| host.nft = None);
    wait_for("the failure", || rig.get("/health").json["status"] == "degraded");
    let status = rig.get("/api/status").ok().json;
    assert_eq!(status["state"], "failed");
    let words = status["domains"].to_string();
    assert!(words.contains("refused by the test"), "{words}");
    let checks = rig.get("/api/doctor").ok().json;
    let firewall = checks.as_array().unwrap().iter().find(|c| c["name"] == "firewall").unwrap().clone();
    assert_eq!(
        (firewall["state"].as_str(), firewall["fix"].as_str()),
        (Some("failed"), Some("see `picctl logs`"))
    );
}

#[test]
fn when_it_became_worse_and_better() {
    let rig = Rig::new();
    let states = || {
        let items = rig.get("/api/health/history").ok().json["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["ok"]);
    rig.refuse("load firewall");
    rig.disturb(|host| host.nft = None);
    wait_for("the failure", || states() == ["failed", "ok"]);
    let failed = rig.get("/api/health/history").json["items"][0].clone();
    assert!(failed["words"].as_str().unwrap().contains("refused by the test"), "{failed}");
    assert!(failed["at"].as_str().unwrap().ends_with('Z'), "{failed}");
    rig.refuse("nothing at all");
    rig.disturb(|_| {});
    wait_for("the repair", || states() == ["ok", "failed", "ok"]);
}

#[test]
fn which_services_run() {
    let rig = Rig::new();
    let dns = || rig.get("/api/services/status").ok().json["items"][0].clone();
    let active = json!({
        "name": "pic-dns", "unit": "pic-dns.service", "wanted": true, "active": true, "state": "ok", "words": "active"
    });
    assert_eq!(dns(), active);
    assert_eq!(rig.get("/api/services/active").ok().json["items"], json!(["pic-dns", "pic-time"]));
    // A plan does not change what is wanted now.
    rig.post("/api/plans", json!({ "toml": "[cell]\nname = \"office\"\n" })).ok();
    assert_eq!(dns(), active);
    rig.refuse("start pic-dns");
    rig.disturb(|host| host.units.clear());
    wait_for("the failure", || dns()["state"] == "failed");
    assert_eq!((dns()["active"].as_bool(), dns()["words"].as_str()), (Some(false), Some("not there")));
    assert_eq!(rig.get("/api/services/active").ok().json["items"], json!([]));
}

#[test]
fn everything_with_its_defaults() {
    let rig = Rig::new();
    rig.add_peer("phone");
    let all = rig.get("/api/export").ok();
    assert_eq!(all.json["wireguard"]["port"], 51820);
    assert_eq!(all.json["peer"][0]["address"], "10.77.0.2");
    assert_eq!(all.json["uplink"]["interface"], "auto");
    assert!(all.json["wireguard"]["ipv6"].as_str().unwrap().starts_with("fd"));
    let tag = all.header("etag").unwrap().to_owned();
    assert_eq!(rig.send("GET", "/api/export", &[("If-None-Match", &tag)], None).status, 304);
}

/// With what is only written, what is also computed, and lists whose entries have names or none.
const ALL: &str = r#"version = 1
[cell]
name = "home"
[uplink]
upload = "38mbit"
download = "190mbit"
[[exit]]
name = "nl"
kind = "socks5"
proxy = "203.0.113.9:1080"
[[group]]
name = "kids"
exit = ["nl"]
[[egress]]
to = ["video.example"]
exit = ["nl"]
[dns]
host = true
[[dns.record]]
name = "printer"
type = "A"
value = "192.168.40.20"
[[dns.record]]
name = "printer"
type = "TXT"
value = "upstairs"
ttl = 300
[[peer]]
name = "phone"
public_key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
exit = ["nl"]
[[service]]
name = "files"
host = "phone"
ports = ["tcp/445"]
[[grant]]
from = ["kids"]
to = ["files"]
[[forward]]
listen = "tcp/8443"
to = "phone:443"
"#;

#[test]
fn all_that_is_written_is_exported() {
    let rig = Rig::with(Some(ALL));
    let all = rig.get("/api/export").ok().json;
    let missing = missing("", &toml_edit::de::from_str(ALL).unwrap(), &all);
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(
        (&all["peer"][0]["address"], &all["uplink"]["interface"]),
        (&json!("10.77.0.2"), &json!("auto"))
    );
    assert_eq!(
        (all["dns"]["record"][0]["ttl"].is_null(), &all["dns"]["record"][1]["ttl"]),
        (true, &json!(300))
    );
}

/// Paths that stand in the one and not in the other; entries of lists are found by their names.
fn missing(at: &str, written: &Value, all: &Value) -> Vec<String> {
    match (written, all) {
        (Value::Object(written), Value::Object(all)) => {
            let lacks = |(key, value): (&String, &Value)| match all.get(key) {
                Some(there) => missing(&format!("{at}.{key}"), value, there),
                None => vec![format!("{at}.{key}")],
            };
            written.iter().flat_map(lacks).collect()
        }
        (Value::Array(written), Value::Array(all)) => {
            let lacks = |value: &Value| {
                // Records have their whole names.
                let is_same = |name: &str| name.split('.').next() == value["name"].as_str();
                let same = all.iter().filter(|there| there["name"].as_str().is_none_or(is_same));
                let least = same.map(|there| missing(at, value, there)).min_by_key(Vec::len);
                least.unwrap_or_else(|| vec![at.to_owned()])
            };
            written.iter().flat_map(lacks).collect()
        }
        _ => Vec::new(),
    }
}

/// Whoever asks again and again is told in a few bytes that nothing is new.
#[test]
fn every_answer_has_a_tag_for_pollers() {
    let rig = Rig::new();
    rig.add_peer("phone");
    for path in [
        "/health",
        "/api/config",
        "/api/doctor",
        "/api/export",
        "/api/health/history",
        "/api/history",
        "/api/history/1",
        "/api/history/1/diff/2",
        "/api/operations/op-2",
        "/api/peers",
        "/api/peers/phone",
        "/api/services/status",
        "/api/wireguard/peers",
        "/api/wireguard/status",
    ] {
        let tag = rig.get(path).ok().header("etag").unwrap_or_else(|| panic!("{path} has no tag")).to_owned();
        for given in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = rig.send("GET", path, &[("If-None-Match", &given)], None);
            assert_eq!(
                (again.status, again.header("etag"), again.text.as_str()),
                (304, Some(tag.as_str()), ""),
                "{path}"
            );
        }
        assert_eq!(rig.send("GET", path, &[("If-None-Match", "\"x\"")], None).status, 200, "{path}");
    }
    let tags =
        || ["/api/peers", "/api/peers/phone"].map(|path| rig.get(path).header("etag").unwrap().to_owned());
    let before = tags();
    rig.put("/api/peers/phone", json!({ "enabled": false })).ok();
    assert!(tags().iter().zip(&before).all(|(now, before)| now != before));
    // What holds a key is not to be kept by anybody.
    assert_eq!(rig.get("/api/peers/phone/config").ok().header("etag"), None);
}

#[test]
fn the_socket_is_for_root_and_its_group() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new();
    assert_eq!(std::fs::metadata(&rig.paths.socket).unwrap().permissions().mode() & 0o777, 0o660);
}
