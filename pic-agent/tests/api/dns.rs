//! Records, and a name server that is away.

use serde_json::json;

use crate::rig::{CELL, Rig};

const LAN: &str = r#"[[lan]]
name = "lan"
interface = "eth1"
ipv4 = "192.168.40.1/24"
[lan.dhcp]
pool = "192.168.40.100-192.168.40.199"
[[reservation]]
lan = "lan"
mac = "02:00:00:00:00:09"
address = "192.168.40.9"
name = "nas"
[[service]]
name = "films"
host = "nas"
ports = ["tcp/8096"]
[[peer]]
name = "phone"
public_key = "acGpJzgmoRovBgQWrDLvssEWzgH+4LO+Yqcv42+E6Ck="
[[grant]]
from = ["phone"]
to = ["films"]
"#;
const LEASES: &str = r#"{"version":1,"names":[
    {"name":"tablet","otherwise":"tablet-000001","addresses":["192.168.40.101"]},
    {"name":"films","otherwise":"films-000002","addresses":["192.168.40.102"]},
    {"name":"far","otherwise":"far-3","addresses":["198.51.100.7"]}]}"#;

#[test]
fn the_list_is_what_the_zone_holds() {
    let rig = Rig::with(Some(&format!("{CELL}{LAN}")));
    let names = rig.paths.dhcp_run().join("names.json");
    std::fs::create_dir_all(rig.paths.dhcp_run()).unwrap();
    pic_drivers::files::write_atomic(&names, LEASES.as_bytes(), 0o644).unwrap();
    let list = rig.get("/api/dns/records").ok().json;
    let line = |record: &serde_json::Value| {
        let text = |name: &str| record[name].as_str().unwrap().to_owned();
        let shown = record["for"]
            .as_array()
            .map(|all| all.iter().map(|one| one.as_str().unwrap()).collect::<Vec<_>>());
        format!("{} {} {} {shown:?}", text("name"), text("value"), text("source"))
    };
    let lines: Vec<_> =
        list["items"].as_array().unwrap().iter().filter(|one| one["type"] == "A").map(line).collect();
    assert_eq!(
        lines,
        [
            "films-000002.home.cell 192.168.40.102 lease Some([\"lan\"])",
            "films.home.cell 192.168.40.9 service Some([\"peers-1\", \"lan\"])",
            "home.cell 10.77.0.1 cell None",
            "nas.home.cell 192.168.40.9 reservation Some([\"peers-1\", \"lan\"])",
            "phone.home.cell 10.77.0.2 peer Some([\"phone\"])",
            "tablet.home.cell 192.168.40.101 lease Some([\"lan\"])",
        ]
    );
    pic_drivers::files::write_atomic(&names, b"{}", 0o644).unwrap();
    assert_eq!(rig.get("/api/dns/records?q=tablet").ok().json["total"], 0);
}

#[test]
fn records_from_birth_to_end() {
    let rig = Rig::new();
    let add = |body: serde_json::Value| rig.post("/api/dns/records", body);
    add(json!({ "name": "printer", "type": "a", "value": "192.168.40.20" })).ok();
    add(json!({ "name": "Printer.home.cell.", "type": "TXT", "value": "on the desk", "ttl": 5 })).ok();
    rig.add_peer("phone");
    add(json!({ "name": "@", "type": "MX", "value": "10 mail.example.org", "for": ["phone"] })).ok();
    assert!(rig.file().starts_with(CELL), "comments stay");
    let list = rig.get("/api/dns/records?q=home.cell").ok().json;
    let names: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| format!("{} {}", r["name"].as_str().unwrap(), r["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        names,
        [
            "home.cell A",
            "home.cell AAAA",
            "home.cell MX",
            "phone.home.cell A",
            "phone.home.cell AAAA",
            "printer.home.cell A",
            "printer.home.cell TXT"
        ]
    );
    assert_eq!(list["items"][2]["for"], json!(["phone"]));
    let first = rig.get("/api/dns/records?limit=3").ok().json;
    let cursor = first["next"].as_str().unwrap();
    let second = rig.get(&format!("/api/dns/records?limit=3&cursor={cursor}")).ok().json;
    assert_eq!(second["items"][0]["name"], "phone.home.cell");
    rig.get("/api/dns/records?cursor=x").problem(400, "bad-request");
    rig.get("/api/dns/records?limit=0").problem(400, "bad-request");

    rig.delete("/api/dns/records?name=printer&type=TXT&value=on%20the%20desk").ok();
    rig.delete("/api/dns/records?name=printer&type=TXT").problem(404, "not-found");
    rig.delete("/api/dns/records?name=printer").ok();
    rig.delete("/api/dns/records").problem(400, "bad-request");
    rig.delete("/api/dns/records?name=printer&value=x").problem(400, "bad-request");
    assert_eq!(rig.get("/api/dns/records?q=printer").json["total"], 0);
    assert_eq!(rig.get("/api/history").json["items"][0]["reason"], "remove record printer");
    assert_eq!(rig.get("/api/export").ok().json["dns"]["record"][0]["type"], "MX");
}

#[test]
fn every_problem_of_a_record_at_once() {
    let rig = Rig::new();
    let answer =
        rig.post("/api/dns/records", json!({ "name": "www.example.org.", "type": "A", "value": "here" }));
    answer.problem(422, "invalid");
    let pointers: Vec<_> =
        answer.json["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/name", "/value"]);
    rig.post("/api/dns/records", json!({ "name": "x", "type": "SPF", "value": "x" })).problem(422, "invalid");
    rig.add_peer("phone");
    for (name, rtype, value) in
        [("phone", "A", "192.0.2.1"), ("@", "CNAME", "x.example"), ("x", "NS", "nowhere.example")]
    {
        rig.post("/api/dns/records", json!({ "name": name, "type": rtype, "value": value }))
            .problem(422, "invalid");
    }
    rig.post("/api/dns/records", json!({ "name": "x", "type": "CNAME", "value": "y" })).ok();
    rig.post("/api/dns/records", json!({ "name": "x", "type": "TXT", "value": "y" })).problem(422, "invalid");
    // A device does not take the name of a record.
    rig.post("/api/dns/records", json!({ "name": "nas", "type": "A", "value": "192.0.2.9" })).ok();
    rig.post("/api/peers", json!({ "name": "nas" })).problem(422, "invalid");
}

#[test]
fn an_import_is_whole_or_nothing() {
    let rig = Rig::new();
    let records = |values: &[&str]| {
        let all: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(n, value)| json!({ "name": format!("h{n}"), "type": "A", "value": value }))
            .collect();
        rig.post("/api/dns/records/import", json!({ "records": all }))
    };
    let before = rig.generation();
    records(&["192.0.2.1", "nowhere"]).problem(422, "invalid");
    records(&[]).problem(400, "bad-request");
    assert_eq!(rig.generation(), before);
    records(&["192.0.2.1", "192.0.2.2"]).ok();
    assert_eq!(rig.generation(), before + 1, "one generation for all");
    assert_eq!(rig.get("/api/dns/records?q=192.0.2").json["total"], 2);
}

#[test]
fn a_name_server_that_is_away_is_told() {
    let rig = Rig::new();
    for path in ["/api/dns/stats", "/api/dns/query?name=home.cell", "/api/dns/log", "/api/dns/clients"] {
        let answer = rig.get(path);
        assert!(answer.problem(503, "unavailable").contains("does not answer"), "{path}");
    }
    rig.get("/api/dns/query").problem(400, "bad-request");
    rig.get("/api/dns/query?name=a..b").problem(400, "bad-request");
    rig.get("/api/dns/query?name=x&as=nobody").problem(404, "not-found");
    rig.get("/api/dns/query?name=x&type=AXFR").problem(400, "bad-request");
    rig.get("/api/dns/log?client=nobody").problem(404, "not-found");
    rig.get("/api/dns/log?after=x").problem(400, "bad-request");
    for path in ["/api/dns/log?limit=0", "/api/dns/clients?limit=1001"] {
        rig.get(path).problem(400, "bad-request");
    }
}
