//! Methods, forms and pages of answers, as programs of others ask for them.

use std::path::Path;

use serde_json::Value;

use crate::peers::many;
use crate::rig::Rig;

#[test]
fn head_and_options() {
    let rig = Rig::new();
    let head = rig.send("HEAD", "/api/status", &[], None);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert!(head.header("etag").is_some());
    let events = rig.send("HEAD", "/api/operations/op-1/events", &[], None);
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    for (path, allow) in [
        ("/api/peers", "GET, POST, HEAD, OPTIONS"),
        ("/api/peers/nobody", "GET, PUT, DELETE, HEAD, OPTIONS"),
        ("/api/confirm", "POST, OPTIONS"),
    ] {
        let options = rig.send("OPTIONS", path, &[], None);
        assert_eq!((options.status, options.header("allow"), options.text.as_str()), (204, Some(allow), ""));
        let brew = rig.send("BREW", path, &[], None);
        brew.problem(405, "method-not-allowed");
        assert_eq!(brew.header("allow"), Some(allow));
    }
}

#[test]
fn an_answer_has_the_form_that_was_asked_for() {
    let rig = Rig::with(Some(&many(3)));
    let ask = |path: &str, accept: &str| rig.send("GET", path, &[("Accept", accept)], None);
    for accept in ["application/json", "*/*", "text/html, */*;q=0.1", "application/*", "nonsense"] {
        assert_eq!(ask("/api/status", accept).header("content-type"), Some("application/json"), "{accept}");
    }
    for accept in ["text/html", "application/x-ndjson", "*/*;q=0", "application/json;q=0.0"] {
        assert!(ask("/api/status", accept).problem(406, "not-acceptable").contains("application/json"));
    }
    ask("/api/operations/op-1/events", "application/json").problem(406, "not-acceptable");
    let lines = "application/x-ndjson";
    assert_eq!(ask("/api/peers", lines).header("content-type"), Some(lines));
    assert_eq!(ask("/api/peers", "application/x-ndjson, */*;q=0.5").header("content-type"), Some(lines));
    assert_eq!(ask("/api/peers", "*/*").header("content-type"), Some("application/json"));
    ask("/api/peers?colour=red", lines).problem(400, "bad-request");
    ask("/api/peers?limit=0", lines).problem(400, "bad-request");
    rig.send("PUT", "/api/config", &[("Accept", "text/html")], Some("{}")).problem(406, "not-acceptable");
}

#[test]
fn lists_are_exported_whole() {
    let rig = Rig::with(Some(&many(2500)));
    let lines = |path: &str| -> Vec<Value> {
        let answer = rig.send("GET", path, &[("Accept", "application/x-ndjson")], None).ok();
        // As it is sent, in chunks whose sizes stand between.
        let lines = answer.text.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = lines("/api/peers?sort=-name");
    assert_eq!((all.len(), all[0]["name"].as_str()), (2500, Some("peer-02499")));
    assert_eq!(all[2499], rig.get("/api/peers/peer-00000").json);
    assert_eq!(lines("/api/peers?limit=7").len(), 7);
    assert_eq!(lines("/api/peers?q=peer-0001").len(), 10);
    assert_eq!(lines("/api/history").len(), 1);
    assert_eq!(lines("/api/wireguard/peers").len(), 2500);
    assert!(lines("/api/dns/records").len() > 5000);
    assert_eq!(lines("/api/dhcp/leases").len() + lines("/api/dhcp/reservations").len(), 0);
}

/// Every code has its section, and there is no section of none.
#[test]
fn every_code_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let text = std::fs::read_to_string(path).unwrap();
    let anchors: Vec<_> = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let codes: Vec<_> = pic_api::problem::Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(anchors.len(), codes.len());
    for code in pic_api::problem::Code::ALL {
        let row = text.lines().find(|line| line.contains(&format!("id=\"{}\"", code.as_str())));
        let row = row.unwrap_or_else(|| panic!("{} is not explained", code.as_str()));
        assert!(row.contains(&format!("`{}` | {} |", code.as_str(), code.status())), "{row}");
    }
}
