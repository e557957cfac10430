//! The document is true: a real answer of every route, as the document says it is.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use pic_model::snapshot::dhcp;
use pic_model::snapshot::dns::{DnsCounters, DnsTally};
use pic_plan::target::link::HostLink;
use serde_json::{Value, json};

use crate::document::document;
use crate::rig::{Answer, CELL, Rig};
use crate::schema::faults;

const RISKY: &str = "# mine\n[cell]\nname = \"home\"\n[wireguard]\nport = 4444\n";

/// Asks, and holds the answers against the document.
struct Witness {
    rig: Rig,
    document: Value,
    seen: BTreeSet<(String, String)>,
}

impl Witness {
    /// `path` is the real one with each parameter as `{name=value}`.
    fn ask(
        &mut self,
        status: u16,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let (template, real) = both(path);
        let body = body.map(|body| body.to_string());
        let answer = self.rig.send(method, &real, headers, body.as_deref());
        assert_eq!(answer.status, status, "{method} {real}: {}", answer.text);
        let template = template.split('?').next().unwrap().to_owned();
        let route = &self.document["paths"][&template][method.to_lowercase()];
        assert!(route.is_object(), "{method} {template} is not documented");
        for (name, _) in headers {
            assert!(knows(route, name), "{method} {template} does not tell that it takes {name}");
        }
        let told = route["responses"].get(status.to_string());
        let told = told.unwrap_or_else(|| panic!("{method} {template} does not tell of {status}"));
        for name in ["ETag", "Location", "Link"] {
            let is_told = told["headers"].get(name).is_some();
            let may_lack = name == "Link" || (name == "Location" && answer.json.get("steps").is_some());
            assert!(
                answer.header(name).is_some() == is_told || (is_told && may_lack),
                "{method} {template} {status} {name}"
            );
        }
        self.body(&format!("{method} {template} {status}"), told, &answer);
        self.seen.insert((method.to_owned(), template));
        answer
    }

    fn body(&self, what: &str, told: &Value, answer: &Answer) {
        let Some(content) = told.get("content") else { return assert_eq!(answer.text, "", "{what}") };
        let kind = answer.header("content-type").unwrap();
        let schema = &content[kind]["schema"];
        assert!(schema.is_object(), "{what} does not tell of {kind}");
        let values = if kind == "text/event-stream" {
            let data = answer.text.lines().filter_map(|line| line.strip_prefix("data: "));
            data.map(|data| serde_json::from_str(data).unwrap()).collect()
        } else {
            vec![answer.json.clone()]
        };
        assert!(!values.is_empty(), "{what}");
        for value in values {
            assert_eq!(faults(&self.document, schema, &value), [""; 0], "{what}: {value}");
        }
    }

    fn get(&mut self, path: &str) {
        let tag = self.ask(200, "GET", path, &[], None).header("etag").map(str::to_owned);
        // What changes by the second cannot be asked for twice.
        if let Some(tag) = tag.filter(|_| !path.starts_with("/api/status")) {
            self.ask(304, "GET", path, &[("If-None-Match", &tag)], None);
        }
    }
}

fn knows(route: &Value, header: &str) -> bool {
    route["parameters"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["name"] == header && one["in"] == "header"))
}

/// A path as the document has it, and as it is asked for.
fn both(path: &str) -> (String, String) {
    let (mut template, mut real) = (String::new(), String::new());
    for part in path.split_inclusive('}') {
        match part.split_once('{') {
            Some((before, inside)) => {
                let (name, value) = inside.trim_end_matches('}').split_once('=').unwrap();
                template.push_str(&format!("{before}{{{name}}}"));
                real.push_str(&format!("{before}{value}"));
            }
            None => {
                template.push_str(part);
                real.push_str(part);
            }
        }
    }
    (template, real)
}

#[test]
fn every_route_answers_as_documented() {
    let mut witness = Witness { rig: Rig::new(), document: document(), seen: BTreeSet::new() };
    peers(&mut witness);
    groups(&mut witness);
    policy(&mut witness);
    exits(&mut witness);
    config(&mut witness);
    reads(&mut witness);
    lans(&mut witness);
    names(&mut witness);
    // What it looks at is the kernel of the machine: asked in namespaces, by `t1_leaks`.
    witness.seen.insert(("POST".to_owned(), "/api/exits/{name}/test".to_owned()));
    // Streams without an end are read in `events`.
    witness.seen.insert(("GET".to_owned(), "/api/events".to_owned()));
    let told = witness.document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
    });
    let unseen: Vec<_> = told.filter(|route| !witness.seen.contains(route)).collect();
    assert_eq!(unseen, [], "routes without an answer here");
}

fn peers(witness: &mut Witness) {
    let named = |name: &str| Some(json!({ "name": name }));
    witness.ask(200, "POST", "/api/peers?plan=true", &[], named("phone"));
    witness.ask(201, "POST", "/api/peers", &[("Idempotency-Key", "k")], named("phone"));
    witness.ask(202, "POST", "/api/peers", &[("Prefer", "respond-async")], named("laptop"));
    witness.ask(201, "POST", "/api/wireguard/peers", &[("If-Match", "*")], named("tv"));
    let off = || Some(json!({ "enabled": false }));
    witness.ask(200, "PUT", "/api/peers/{name=tv}?plan=true", &[("If-Match", "*")], off());
    witness.ask(200, "PUT", "/api/peers/{name=tv}", &[], off());
    witness.ask(200, "DELETE", "/api/peers/{name=tv}?plan=true", &[], None);
    witness.ask(200, "DELETE", "/api/peers/{name=tv}", &[], None);
}

fn groups(witness: &mut Witness) {
    witness.ask(200, "POST", "/api/groups", &[], Some(json!({ "name": "kids" })));
    witness.ask(200, "PUT", "/api/peers/{name=phone}", &[], Some(json!({ "groups": ["kids"] })));
    witness.get("/api/groups");
    witness.get("/api/groups/{name=kids}");
    witness.ask(200, "DELETE", "/api/groups/{name=kids}", &[], None);
}

fn policy(witness: &mut Witness) {
    let service = json!({ "name": "files", "host": "phone", "ports": ["tcp/445"] });
    witness.ask(200, "POST", "/api/services", &[], Some(service));
    witness.get("/api/services");
    let grant = || Some(json!({ "from": ["laptop"], "to": ["files"], "when": "daily 08:00-20:00" }));
    let plan = witness.ask(200, "POST", "/api/grants?plan=true", &[], grant()).json;
    assert_eq!(plan["grants"].as_array().map(Vec::len), Some(1), "{plan}");
    witness.ask(200, "POST", "/api/grants", &[], grant());
    witness.get("/api/grants");
    witness.get("/api/who?to=files");
    witness.ask(200, "DELETE", "/api/grants?from=laptop&to=files", &[], None);
    witness.ask(200, "DELETE", "/api/services/{name=files}", &[], None);
    let forward = json!({ "listen": "tcp/8443", "to": "phone:443" });
    witness.ask(200, "POST", "/api/forwards", &[], Some(forward));
    witness.get("/api/forwards");
    witness.ask(200, "DELETE", "/api/forwards?listen=tcp/8443", &[], None);
    let ban = json!({ "address": "192.0.2.7", "seconds": 60, "reason": "knocks" });
    witness.ask(200, "POST", "/api/bans", &[], Some(ban));
    witness.get("/api/bans");
    witness.get("/api/usage");
    witness.ask(200, "DELETE", "/api/bans?address=192.0.2.7", &[], None);
}

fn exits(witness: &mut Witness) {
    let file = "[Interface]\nPrivateKey = ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ=\nAddress = 10.64.1.2\n[Peer]\n\
                PublicKey = ZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWU=\nAllowedIPs = 0.0.0.0/0\nEndpoint = 192.0.2.7:51820\n";
    let new = |config: &str| Some(json!({ "name": "nl", "config": config }));
    witness.ask(200, "POST", "/api/exits?plan=true", &[], new(file));
    witness.ask(200, "POST", "/api/exits", &[], new(file));
    let hostile = file.replace("[Peer]", "PostUp = id\n[Peer]");
    let hostile = new(&hostile).map(|body| body.to_string());
    let refused = witness.rig.send("POST", "/api/exits", &[], hostile.as_deref());
    assert_eq!(refused.status, 422);
    assert!(refused.json.to_string().contains("line 4") && !refused.json.to_string().contains("ZGRk"));
    witness.ask(200, "PUT", "/api/peers/{name=phone}", &[], Some(json!({ "exit": ["nl", "direct"] })));
    witness.get("/api/exits");
    witness.get("/api/exits/{name=nl}");
    let shown = witness.ask(200, "GET", "/api/exits/{name=nl}", &[], None);
    assert!(shown.json["users"] == json!(["peer phone"]) && !shown.json.to_string().contains("ZGRk"));
    let used = witness.rig.send("DELETE", "/api/exits/nl", &[], None);
    assert_eq!(used.status, 409);
    assert!(used.json["detail"].as_str().is_some_and(|detail| detail.contains("peer phone")));
    witness.ask(200, "PUT", "/api/exits/{name=nl}", &[], Some(json!({ "enabled": false })));
    witness.ask(200, "PUT", "/api/peers/{name=phone}", &[], Some(json!({ "exit": [] })));
    witness.ask(200, "DELETE", "/api/exits/{name=nl}", &[], None);
}

fn config(witness: &mut Witness) {
    let new = json!({ "toml": format!("{}# seen\n", witness.rig.file()) });
    let plan = witness.ask(200, "POST", "/api/plans", &[], Some(new.clone())).json;
    let path = format!("/api/plans/{{id={}}}/apply", plan["id"].as_str().unwrap());
    witness.ask(200, "POST", &path, &[], None);
    witness.ask(200, "PUT", "/api/config", &[("Prefer", "return=plan")], Some(new.clone()));
    witness.ask(200, "PUT", "/api/config", &[], Some(new));
    let set = json!({ "set": { "firewall.open": "[\"tcp/443\"]" }, "options": { "confirm_seconds": 0 } });
    witness.ask(200, "PATCH", "/api/config", &[], Some(set));
    witness.get("/api/config/pending");
    witness.ask(200, "POST", "/api/config/discard", &[], None);
    witness.ask(200, "POST", "/api/config/apply?plan=true", &[], Some(json!({ "toml": CELL })));
    for end in ["/api/confirm", "/api/revert", "cancel"] {
        let risky = json!({ "toml": RISKY });
        witness.ask(200, "POST", "/api/config/apply", &[("If-Match", "*")], Some(risky));
        witness.ask(200, "GET", "/api/status", &[], None);
        let id = witness.rig.generation();
        let cancel = format!("/api/operations/{{id=op-{id}}}/cancel");
        witness.ask(200, "POST", if end == "cancel" { &cancel } else { end }, &[], None);
        witness.ask(
            200,
            "POST",
            "/api/history/{n=2}/rollback",
            &[("If-Match", "*")],
            Some(json!({ "confirm_seconds": 0 })),
        );
    }
}

/// A service that answers each line with what `reply` makes of it.
fn service(socket: &Path, reply: impl Fn(&str) -> Value + Send + 'static) {
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut line) = (stream.unwrap(), String::new());
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            writeln!(stream, "{}", reply(&line)).unwrap();
        }
    });
}

fn names(witness: &mut Witness) {
    service(&witness.rig.paths.dns_control(), |line| {
        let request: Value = serde_json::from_str(line).unwrap();
        match request["ask"].as_str().unwrap() {
            "query" => {
                let record = json!({ "name": "home.cell.", "rtype": "A", "ttl": 60, "value": "10.77.0.1" });
                json!({ "rcode": "NOERROR", "records": [record], "view": "host", "why": ["it is there"],
                    "microseconds": 7 })
            }
            "flush" => json!({ "entries": 3 }),
            "log" => {
                json!({ "size": 9, "next": 1, "entries": [{ "number": 1, "at": "2026-11-30T10:00:00.000Z",
                "client": "10.77.0.2", "view": "peers", "name": "home.cell", "rtype": "A", "treated": "local",
                "rcode": "NOERROR", "transport": "udp", "microseconds": 7 }] })
            }
            "clients" => json!({ "clients": [{ "address": "10.77.0.2", "view": "peers", "idle": 1,
                "tally": DnsTally::default() }], "known": 1, "others": DnsTally::default(),
                "views": [{ "name": "peers", "tally": DnsTally::default() }] }),
            _ => json!({ "version": 1, "generation": 1, "snapshot_error": null, "listening": [],
                "not_listening": [], "upstreams": [], "cache_entries": 0, "blocklists": [],
                "counters": DnsCounters::default() }),
        }
    });
    let nas = || json!({ "name": "nas", "type": "A", "value": "192.0.2.7" });
    witness.ask(200, "POST", "/api/dns/records", &[], Some(nas()));
    let all = json!({ "records": [{ "name": "tape", "type": "A", "value": "192.0.2.8" }] });
    witness.ask(200, "POST", "/api/dns/records/import", &[], Some(all));
    witness.get("/api/dns/records");
    witness.ask(200, "DELETE", "/api/dns/records?name=nas", &[], None);
    witness.get("/api/dns/query?name=home.cell");
    witness.get("/api/dns/log?client=10.77.0.2&after=0");
    witness.get("/api/dns/clients");
    witness.get("/api/why?from=internet&to=cell:22");
    witness.get("/api/tests");
    witness.get("/api/dns/stats");
    witness.ask(200, "POST", "/api/dns/flush", &[], None);
}

/// Leases come from a DHCP service that says yes to everything.
fn lans(witness: &mut Witness) {
    service(&witness.rig.paths.dhcp_run().join("control.sock"), |_| {
        let lan = json!({ "name": "lan", "serving": true, "why_not": null, "size": 100 });
        json!({ "version": dhcp::VERSION, "done": true, "lans": [lan], "leases": [] })
    });
    witness.rig.disturb(|host| {
        host.host_links.insert("eth1".to_owned(), HostLink::default());
    });
    let lan = "[[lan]]\nname = \"lan\"\ninterface = \"eth1\"\nipv4 = \"192.168.40.1/24\"\n";
    let new =
        json!({ "toml": format!("{}\n{lan}", witness.rig.file()), "options": { "confirm_seconds": 0 } });
    witness.ask(200, "POST", "/api/config/apply", &[("If-Match", "*")], Some(new));
    witness.get("/api/dhcp/leases");
    witness.get("/api/lans");
    witness.get("/api/apps");
    witness.ask(200, "DELETE", "/api/dhcp/leases/{address=192.168.40.7}", &[], None);
    let kept = json!({ "mac": "00:11:22:33:44:55", "ip": "192.168.40.9", "hostname": "nas" });
    witness.ask(200, "POST", "/api/dhcp/reservations", &[], Some(kept));
    witness.get("/api/dhcp/reservations");
    witness.ask(200, "DELETE", "/api/dhcp/reservations/{which=nas}", &[], None);
}

/// The time service tells of a source and a device.
fn time(witness: &Witness) {
    let status = json!({
        "version": 1, "serving": true, "trouble": null, "asked": 2, "dropped": 0,
        "tracking": {
            "synchronised": true, "source": "time.example.org", "stratum": 2, "offset": 0.25, "frequency": 1.5,
            "root_delay": 0.02, "root_dispersion": 0.001, "reference_time": 1_767_225_600.5, "leap": "normal",
        },
        "sources": [{
            "name": "time.example.org", "nts": true, "state": "selected", "stratum": 1, "reached": 8, "last": 3, "offset": 0.0,
        }],
        "clients": [{ "address": "10.77.0.9", "asked": 2, "dropped": 0, "last": 7 }],
    });
    let path = witness.rig.paths.time_status();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    pic_drivers::files::write_atomic(&path, status.to_string().as_bytes(), 0o644).unwrap();
}

fn reads(witness: &mut Witness) {
    time(witness);
    for path in [
        "/health",
        "/openapi.json",
        "/api/config",
        "/api/doctor",
        "/api/export",
        "/api/health/history",
        "/api/history",
        "/api/history/{n=1}",
        "/api/history/{a=1}/diff/{b=2}",
        "/api/operations",
        "/api/operations/{id=op-2}",
        "/api/operations/{id=op-2}/events",
        "/api/peers?limit=1",
        "/api/peers/{name=phone}",
        "/api/peers/{name=phone}/config",
        "/api/services/active",
        "/api/services/status",
        "/api/status",
        "/api/time",
        "/api/wireguard/peers",
        "/api/wireguard/status",
    ] {
        witness.get(path);
    }
}
