//! Changes of the whole configuration: plans, tags, idempotency, confirmation, history.

use serde_json::json;

use crate::rig::{CELL, Rig, is_root, wait_for};

const RISKY: &str = "# mine\n[cell]\nname = \"home\"\n[wireguard]\nport = 4444\n";

#[test]
fn a_plan_changes_nothing_and_applies_exactly() {
    let rig = Rig::new();
    let text = format!("{CELL}[dns]\nupstreams = [\"192.0.2.9\"]\n");
    let plan = rig.post("/api/plans", json!({ "toml": text })).ok().json;
    assert!(plan["total"].as_u64().unwrap() > 0 && plan["diff"].as_str().unwrap().contains("+[dns]"));
    assert_eq!((rig.generation(), rig.file().as_str()), (1, CELL));
    let same = rig.put("/api/config?plan=true", json!({ "toml": text })).ok().json;
    assert_eq!(same["id"], plan["id"]);
    let preferred = rig.send(
        "PUT",
        "/api/config",
        &[("Prefer", "return=plan")],
        Some(&json!({ "toml": text }).to_string()),
    );
    assert_eq!(preferred.ok().json["id"], plan["id"]);

    let apply = format!("/api/plans/{}/apply", plan["id"].as_str().unwrap());
    let done = rig.send("POST", &apply, &[], None).ok();
    assert_eq!((done.json["state"].as_str(), done.json["generation"].as_u64()), (Some("kept"), Some(2)));
    assert_eq!(done.header("location"), Some("/api/operations/op-2"));
    assert_eq!(rig.file(), text);
}

#[test]
fn a_plan_outlives_a_restart() {
    let mut rig = Rig::new();
    let text = format!("{CELL}[dns]\nupstreams = [\"192.0.2.9\"]\n");
    let plan = rig.post("/api/plans", json!({ "toml": text })).ok().json;
    rig.restart();
    let apply = format!("/api/plans/{}/apply", plan["id"].as_str().unwrap());
    rig.send("POST", &apply, &[], None).ok();
    assert_eq!(rig.file(), text);
    rig.send("POST", "/api/plans/..%2F..%2Fcell.toml/apply", &[], None).problem(404, "not-found");
}

#[test]
fn a_plan_that_is_no_longer_true_is_refused() {
    let rig = Rig::new();
    let text = format!("{CELL}[dns]\nupstreams = [\"192.0.2.9\"]\n");
    let plan = rig.post("/api/plans", json!({ "toml": text })).ok().json;
    rig.disturb(|host| host.nft = None);
    wait_for("the repair", || rig.host().nft.is_some());
    rig.add_peer("phone");
    let apply = format!("/api/plans/{}/apply", plan["id"].as_str().unwrap());
    rig.send("POST", &apply, &[], None).problem(412, "stale");
    assert!(rig.file().contains("phone"));
}

#[test]
fn tags_stop_lost_updates() {
    let rig = Rig::new();
    let read = rig.get("/api/config").ok();
    let tag = read.header("etag").unwrap().to_owned();
    assert_eq!(read.json["etag"], tag);
    assert_eq!(rig.send("GET", "/api/config", &[("If-None-Match", &tag)], None).status, 304);
    rig.add_peer("phone");
    assert_eq!(rig.send("GET", "/api/config", &[("If-None-Match", &tag)], None).status, 200);
    let body = json!({ "toml": format!("{CELL}# other\n") }).to_string();
    rig.send("PUT", "/api/config", &[("If-Match", &tag)], Some(&body)).problem(412, "stale");
    let tag = rig.get("/api/config").header("etag").unwrap().to_owned();
    rig.send("PUT", "/api/config", &[("If-Match", &tag)], Some(&body)).ok();
    assert!(!rig.file().contains("phone"));
}

/// Every change looks at the tags it is given; what cannot look at them says so.
#[test]
fn tags_are_heeded_wherever_they_are_given() {
    let rig = Rig::new();
    let old = rig.get("/api/config").header("etag").unwrap().to_owned();
    let text = format!("{CELL}[dns]\nupstreams = [\"192.0.2.9\"]\n");
    let plan = rig.post("/api/plans", json!({ "toml": text })).ok().json;
    let apply = format!("/api/plans/{}/apply", plan["id"].as_str().unwrap());
    let phone = json!({ "name": "phone" }).to_string();
    let stale = [("If-Match", "\"9-0123456789abcdef\"")];
    for (path, body) in [
        (apply.as_str(), None),
        ("/api/config/discard", None),
        ("/api/config/apply", None),
        ("/api/history/1/rollback", None),
        ("/api/peers", Some(phone.as_str())),
        ("/api/wireguard/peers", Some(phone.as_str())),
        ("/api/confirm", None),
    ] {
        rig.send("POST", path, &stale, body).problem(412, "stale");
    }
    assert_eq!((rig.generation(), rig.file().as_str()), (1, CELL));
    for (method, path) in [("GET", "/api/config"), ("POST", "/api/revert"), ("POST", "/api/plans")] {
        rig.send(method, path, &stale, None).problem(400, "bad-request");
    }
    rig.send("POST", "/api/peers", &[("If-None-Match", "*")], Some(&phone)).problem(400, "bad-request");

    // One of several, over several lines, and a weak one that counts for nothing.
    let weak = format!("W/{old}");
    rig.send("POST", &apply, &[("If-Match", &weak)], None).problem(412, "stale");
    rig.send("POST", &apply, &[("If-Match", "unquoted")], None).problem(400, "bad-request");
    rig.send("POST", &apply, &[("If-Match", &format!("\"x,y\", {old}"))], None).ok();
    let tag = rig.get("/api/config").header("etag").unwrap().to_owned();
    rig.send("POST", "/api/peers", &[("If-Match", "\"x\""), ("If-Match", &tag)], Some(&phone)).ok();
    rig.send("DELETE", "/api/peers/phone", &[("If-Match", &tag)], None).problem(412, "stale");
    rig.send("DELETE", "/api/peers/phone", &[("If-Match", &format!("{tag}, *"))], None)
        .problem(400, "bad-request");
}

/// A confirmation with a tag is of the state that was seen.
#[test]
fn only_the_state_that_was_seen_is_confirmed() {
    let rig = Rig::new();
    let before = rig.get("/api/config").header("etag").unwrap().to_owned();
    rig.put("/api/config", json!({ "toml": RISKY })).ok();
    rig.send("POST", "/api/confirm", &[("If-Match", &before)], None).problem(412, "stale");
    let tag = rig.get("/api/config").header("etag").unwrap().to_owned();
    assert_eq!(rig.send("POST", "/api/confirm", &[("If-Match", &tag)], None).ok().json["state"], "kept");
}

#[test]
fn settings_by_path() {
    let rig = Rig::new();
    let patch = |body: serde_json::Value| rig.send("PATCH", "/api/config", &[], Some(&body.to_string()));
    let done = patch(json!({ "set": { "firewall.open": "[\"tcp/443\"]" } })).ok().json;
    assert_eq!(done["state"], "kept");
    assert!(rig.file().starts_with("# mine\n") && rig.file().contains("tcp/443"), "{}", rig.file());
    patch(json!({ "set": { "firewall.colour": "1" } })).problem(422, "invalid");
    patch(json!({ "set": { "a b": "1" } })).problem(422, "invalid");
    let back =
        patch(json!({ "set": { "firewall.open": null }, "options": { "confirm_seconds": 0 } })).ok().json;
    assert_eq!(back["state"], "kept");
    assert!(!rig.file().contains("tcp/443"));
}

#[test]
fn an_edited_file_waits_to_be_applied_or_discarded() {
    let rig = Rig::new();
    let text = format!("{CELL}# edited\n[dns]\nupstreams = [\"192.0.2.9\"]\n");
    rig.write_file(&text);
    assert_eq!(rig.get("/api/config").json["edited"], true);
    assert!(rig.get("/api/config/pending").ok().json["diff"].as_str().unwrap().contains("+# edited"));
    rig.post("/api/peers", json!({ "name": "phone" })).problem(409, "conflict");
    assert!(rig.get("/api/history/1/diff/0").ok().json["diff"].as_str().unwrap().contains("+# edited"));
    let gone = rig.post("/api/config/discard", json!({})).ok().json;
    assert_eq!((gone["state"].as_str(), rig.file().as_str()), (Some("kept"), CELL));
    assert_eq!(rig.get("/api/config").json["edited"], false);
    rig.write_file(&text);
    assert_eq!(rig.send("POST", "/api/config/apply", &[], None).ok().json["generation"], 2);
    assert_eq!(rig.file(), text);
    rig.write_file("version = 1\nnonsense\n");
    // The file is asked, and not the engine, which looks at it once in a while.
    let status = rig.get("/api/status").ok().json;
    assert_eq!(status["edited"], true);
    assert_eq!(
        (status["generation"].as_u64(), status["file_errors"][0]["line"].as_u64()),
        (Some(2), Some(2))
    );
    let doctor = rig.get("/api/doctor").ok();
    assert!(
        doctor.text.contains("cell.toml:2:") && doctor.text.contains("generation 2, the last good one"),
        "{}",
        doctor.text
    );
    rig.write_file("nonsense");
    rig.send("POST", "/api/config/apply", &[], None).problem(422, "invalid");
    assert_eq!(rig.file(), "nonsense");
}

#[test]
fn a_lost_file_is_told_and_comes_back() {
    let rig = Rig::new();
    rig.write_file("");
    let status = rig.get("/api/status").ok().json;
    assert_eq!((status["state"].as_str(), status["edited"].as_bool()), (Some("degraded"), Some(true)));
    let doctor = rig.get("/api/doctor").ok();
    assert!(doctor.text.contains("is lost; what it said is in force"), "{}", doctor.text);
    rig.post("/api/config/discard", json!({})).ok();
    assert_eq!(rig.file(), CELL);
    assert_eq!(rig.get("/api/status").ok().json["edited"], false);
}

#[test]
fn a_risky_change_waits_for_its_confirmation() {
    let rig = Rig::new();
    let body = json!({ "toml": RISKY, "options": { "reason": "new port" } });
    let waiting = rig.put("/api/config", body).ok().json;
    assert_eq!(waiting["state"], "awaiting-confirm");
    assert!((50..=60).contains(&waiting["deadline_in"].as_u64().unwrap()));
    assert!(!waiting["plan"]["risks"].as_array().unwrap().is_empty());
    assert_eq!(rig.get("/api/status").json["pending"]["id"], "op-2");
    assert_eq!(rig.file(), CELL);
    assert_eq!(rig.get("/api/config").json["edited"], false);
    rig.post("/api/peers", json!({ "name": "phone" })).problem(409, "awaiting-confirmation");
    let wrong = rig.post("/api/confirm", json!({ "generation": 7 }));
    assert!(wrong.status >= 400, "{}", wrong.text);
    assert_eq!(rig.post("/api/confirm", json!({ "generation": 2 })).ok().json["state"], "kept");
    assert_eq!(rig.file(), RISKY);
    rig.send("POST", "/api/confirm", &[], None).problem(409, "conflict");
    let newest = &rig.get("/api/history").json["items"][0];
    assert_eq!((newest["reason"].as_str(), newest["state"].as_str()), (Some("new port"), Some("kept")));
    assert!(is_root(&newest["author"]), "{newest}");
}

#[test]
fn silence_and_a_request_take_it_back() {
    let mut rig = Rig::new();
    rig.put("/api/config", json!({ "toml": RISKY })).ok();
    assert_eq!(rig.send("POST", "/api/revert", &[], None).ok().json["state"], "reverted");
    assert!(rig.get("/api/status").ok().json["taken_back"].is_null(), "whoever asked for it knows");
    assert_eq!(rig.get("/api/config").json["toml"], CELL);
    rig.put("/api/config", json!({ "toml": RISKY, "options": { "confirm_seconds": 1 } })).ok();
    wait_for("the window's end", || rig.get("/api/operations/op-3").json["state"] == "reverted");
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 51820);
    assert_eq!(rig.get("/api/history").json["items"][0]["state"], "reverted");
    // It is told until something else is kept, also by an agent that was not there.
    let taken_back = |rig: &Rig| rig.get("/api/status").ok().json["taken_back"].clone();
    let said = taken_back(&rig);
    assert!(said["generation"] == 3 && is_root(&said["author"]), "{said}");
    assert!(said["words"].as_str().unwrap().contains("nobody confirmed") && said["at"].is_string(), "{said}");
    assert!(rig.get("/api/doctor").ok().text.contains("generation 3"));
    rig.restart();
    assert_eq!(taken_back(&rig), said);
    rig.post("/api/config/discard", json!({})).ok();
    assert!(taken_back(&rig).is_null(), "whoever asks for the state in force knows that it is");
    rig.restart();
    rig.add_peer("phone");
    assert!(taken_back(&rig).is_null());
}

#[test]
fn a_window_survives_a_restart() {
    let mut rig = Rig::new();
    rig.put("/api/config", json!({ "toml": RISKY })).ok();
    rig.restart();
    assert_eq!(rig.get("/api/operations/op-2").ok().json["state"], "awaiting-confirm");
    assert_eq!(rig.get("/api/history").json["items"][0]["state"], "pending");
    assert_eq!(rig.send("POST", "/api/confirm", &[], None).ok().json["state"], "kept");
    rig.restart();
    let kept = rig.get("/api/operations/op-2").ok().json;
    assert_eq!((kept["state"].as_str(), kept["words"].as_str()), (Some("kept"), Some("done")));
    assert!(!kept["plan"]["risks"].as_array().unwrap().is_empty(), "{kept}");
}

#[test]
fn a_change_that_does_not_hold_is_taken_back() {
    let rig = Rig::new();
    rig.refuse("set 1 peer");
    let answer = rig.post("/api/peers", json!({ "name": "phone" }));
    assert!(answer.problem(500, "reverted").contains("generation 1"), "{}", answer.text);
    assert_eq!(rig.get("/api/operations/op-2").ok().json["state"], "reverted");
    assert_eq!(rig.get("/api/status").ok().json["taken_back"]["generation"], 2);
    assert_eq!(rig.get("/api/peers").json["total"], 0);
    rig.refuse("nothing at all");
    rig.add_peer("phone");
}

#[test]
fn back_to_a_generation() {
    let rig = Rig::new();
    rig.add_peer("phone");
    rig.add_peer("laptop");
    let why = json!({ "reason": "no laptop" }).to_string();
    rig.send("POST", "/api/history/2/rollback", &[], Some(&why)).problem(428, "if-match-required");
    rig.send("POST", "/api/history/2/rollback?plan=true", &[], Some(&why)).ok();
    let tag = rig.get("/api/config").header("etag").unwrap().to_owned();
    let back = rig.send("POST", "/api/history/2/rollback", &[("If-Match", &tag)], Some(&why)).ok().json;
    assert_eq!(back["generation"], 4);
    assert_eq!(rig.get("/api/peers").json["total"], 1);
    let read = rig.get("/api/history/2").ok();
    assert_eq!(read.json["toml"], rig.file());
    assert!(read.header("etag").is_some());
    assert!(
        rig.get("/api/history/2/diff/3").ok().json["diff"].as_str().unwrap().contains("+name = \"laptop\"")
    );
    let items = rig.get("/api/history?limit=2").ok().json["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
    assert_eq!((items[0]["reason"].as_str(), items[0]["current"].as_bool()), (Some("no laptop"), Some(true)));
}

#[test]
fn history_comes_in_pages() {
    let rig = Rig::new();
    for name in ["a", "b", "c", "d"] {
        rig.add_peer(name);
    }
    for (sort, want) in [("-number", [5, 4, 3, 2, 1]), ("number", [1, 2, 3, 4, 5])] {
        let mut numbers = Vec::new();
        let mut path = format!("/api/history?limit=2&sort={sort}");
        loop {
            let page = rig.get(&path).ok();
            assert_eq!(page.json["total"], 5);
            numbers.extend(
                page.json["items"].as_array().unwrap().iter().map(|item| item["number"].as_u64().unwrap()),
            );
            let Some(link) = page.header("link") else { break };
            path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
        }
        assert_eq!(numbers, want, "{sort}");
    }
    assert_eq!(rig.get("/api/history").ok().json["items"].as_array().unwrap().len(), 5);
    for bad in ["limit=0", "limit=x", "sort=age", "cursor=3", "cursor=-x", "sort=number&cursor=-3"] {
        rig.get(&format!("/api/history?{bad}")).problem(400, "bad-request");
    }
}

#[test]
fn the_same_request_twice_is_done_once() {
    let mut rig = Rig::new();
    let key = [("Idempotency-Key", "k1")];
    let body = json!({ "name": "phone" }).to_string();
    let first = rig.send("POST", "/api/peers", &key, Some(&body)).ok();
    let again = rig.send("POST", "/api/peers", &key, Some(&body)).ok();
    assert_eq!(again.status, first.status);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json["peer"], first.json["peer"]);
    assert!(first.json["config"].as_str().unwrap().contains("\nPrivateKey = "));
    assert_eq!(again.json["config"], "", "a repetition is kept on disk, and is no place for keys");
    assert_eq!(rig.get("/api/peers").json["total"], 1);
    rig.restart();
    let later = rig.send("POST", "/api/peers", &key, Some(&body)).ok();
    assert_eq!((later.status, &later.text), (first.status, &again.text), "also after a restart");
    assert_eq!(later.header("etag"), first.header("etag"));
    assert_eq!(rig.get("/api/peers").json["total"], 1);
    let other = json!({ "name": "laptop" }).to_string();
    rig.send("POST", "/api/peers", &key, Some(&other)).problem(422, "invalid");
    let failed = [("Idempotency-Key", "k2")];
    rig.send("POST", "/api/peers", &failed, Some("{")).problem(400, "bad-request");
    rig.send("POST", "/api/peers", &failed, Some(&other)).ok();
    rig.send("POST", "/api/peers", &[("Idempotency-Key", &"x".repeat(300))], Some(&body))
        .problem(400, "bad-request");
}
