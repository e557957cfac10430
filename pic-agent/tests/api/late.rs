//! Changes of something that is no longer what was seen: what they are told.

use serde_json::{Value, json};

use crate::rig::{CELL, Rig};

/// A change with a tag that was right before somebody added a phone.
fn late(change: impl FnOnce(&Rig, &str) -> Value) -> Value {
    let rig = Rig::with(Some(&format!("{CELL}\n[wireguard]\nmtu = 1400\n")));
    let tag = rig.get("/api/config").header("etag").unwrap().to_owned();
    rig.add_peer("phone");
    let told = change(&rig, &tag);
    let now = rig.get("/api/config").ok();
    assert_eq!(told["current"]["toml"], now.json["toml"], "{told}");
    assert_eq!(told["current_etag"].as_str(), now.header("etag"));
    if let Some(merged) = told["merged"]["toml"].as_str() {
        assert!(merged.contains("\"phone\"") && told["merged"]["diff"].as_str().unwrap().contains("@@"));
        // It is what may be sent next.
        let next = told["current_etag"].as_str().unwrap();
        let body = json!({ "toml": merged, "options": { "confirm_seconds": 0 } }).to_string();
        rig.send("PUT", "/api/config", &[("If-Match", next)], Some(&body)).ok();
        assert_eq!(rig.file(), merged);
    }
    told
}

fn refused(rig: &Rig, method: &str, path: &str, tag: &str, body: &Value) -> Value {
    let answer = rig.send(method, path, &[("If-Match", tag)], Some(&body.to_string()));
    answer.problem(412, "stale");
    answer.json
}

#[test]
fn a_whole_text_is_merged_with_what_came_between() {
    let told = late(|rig, tag| {
        let text = format!("{CELL}\n[wireguard]\nmtu = 1380\n");
        refused(rig, "PUT", "/api/config", tag, &json!({ "toml": text }))
    });
    assert!(told["merged"]["toml"].as_str().unwrap().contains("mtu = 1380"));
    // Both end with a table of their own.
    let told = late(|rig, tag| {
        let text = format!("{CELL}\n[wireguard]\nmtu = 1400\n\n[dns]\nupstreams = [\"192.0.2.9\"]\n");
        refused(rig, "POST", "/api/config/apply", tag, &json!({ "toml": text }))
    });
    assert!(told["merged"]["toml"].as_str().unwrap().contains("192.0.2.9"));
}

#[test]
fn what_contradicts_is_not_merged() {
    let told = late(|rig, tag| {
        let other = json!({ "set": { "wireguard.mtu": "1300" }, "options": { "confirm_seconds": 0 } });
        rig.send("PATCH", "/api/config", &[], Some(&other.to_string())).ok();
        let text = format!("{CELL}\n[wireguard]\nmtu = 1380\n");
        refused(rig, "PUT", "/api/config", tag, &json!({ "toml": text }))
    });
    assert_eq!(told["merged"], Value::Null);
    // A tag that was never given names no text to begin with.
    let told =
        late(|rig, _| refused(rig, "PUT", "/api/config", "\"1-0123456789abcdef\"", &json!({ "toml": CELL })));
    assert_eq!(told["merged"], Value::Null);
}

#[test]
fn an_edit_is_made_on_top() {
    let told = late(|rig, tag| {
        refused(rig, "PATCH", "/api/config", tag, &json!({ "set": { "wireguard.mtu": "1380" } }))
    });
    assert!(told["merged"]["toml"].as_str().unwrap().contains("mtu = 1380"));
}

#[test]
fn a_plan_that_is_no_longer_true_is_told_the_same() {
    let told = late(|rig, _| {
        rig.delete("/api/peers/phone").ok();
        let text = format!("{CELL}\n[wireguard]\nmtu = 1380\n");
        let plan = rig.post("/api/plans", json!({ "toml": text })).ok().json;
        rig.add_peer("phone");
        let answer =
            rig.send("POST", &format!("/api/plans/{}/apply", plan["id"].as_str().unwrap()), &[], None);
        answer.problem(412, "stale");
        answer.json
    });
    assert_eq!(told["needs"], "plan");
    assert!(told["merged"]["toml"].as_str().unwrap().contains("mtu = 1380"));
}

#[test]
fn a_device_is_shown_as_it_is() {
    let rig = Rig::new();
    rig.add_peer("phone");
    let tag = rig.get("/api/peers/phone").header("etag").unwrap().to_owned();
    rig.put("/api/peers/phone", json!({ "enabled": false })).ok();
    let told = refused(&rig, "PUT", "/api/peers/phone", &tag, &json!({ "allow": ["cell"] }));
    let now = rig.get("/api/peers/phone").ok();
    assert_eq!(told["current"], now.json);
    assert_eq!(told["current_etag"].as_str(), now.header("etag"));
    let diff = told["merged"]["diff"].as_str().unwrap();
    assert!(diff.contains("+allow") && !diff.contains("enabled\n-"), "{diff}");
    // The same request again with the tag that was told.
    let next = told["current_etag"].as_str().unwrap();
    rig.send("PUT", "/api/peers/phone", &[("If-Match", next)], Some("{\"allow\":[\"cell\"]}")).ok();
    assert_eq!(rig.get("/api/peers/phone").json["enabled"], false);
    let tag = [("If-Match", tag.as_str())];
    rig.delete("/api/peers/phone").ok();
    rig.send("DELETE", "/api/peers/phone", &tag, None).problem(404, "not-found");
}

/// Whole texts on paths of our own need a tag; edits and the paths of PIC do not.
#[test]
fn whoever_replaces_everything_says_what_was_seen() {
    let rig = Rig::new();
    let text = json!({ "toml": format!("{CELL}# new\n") });
    let answer = rig.post("/api/config/apply", text.clone());
    answer.problem(428, "if-match-required");
    assert_eq!(answer.json["needs"], "if-match");
    rig.post("/api/config/apply?plan=true", text.clone()).ok();
    rig.send("POST", "/api/config/apply", &[("If-Match", "*")], Some(&text.to_string())).ok();
    rig.send("POST", "/api/history/1/rollback", &[], None).problem(428, "if-match-required");
    rig.put("/api/config", text).ok();
    rig.send("POST", "/api/config/apply", &[], None).ok();
}
