//! `picctl dns`: what is asked of the agent, and how its answers look.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use kit::{Agent, answers};
use pic_api::dns::{
    DnsAnswer, DnsAnswerRecord, DnsClient, DnsClients, DnsFlushed, DnsLog, DnsLogEntry, DnsRecord,
    DnsRecordList, DnsTally, DnsView, RecordSource,
};
use pic_api::operation::State;
use pic_api::problem::Code;

const ADD: &str = "POST /api/dns/records?wait=false";
const IMPORT: &str = "POST /api/dns/records/import?wait=false";

fn record(name: &str, rtype: &str, value: &str, audience: Option<Vec<String>>) -> DnsRecord {
    let source = RecordSource::Record;
    DnsRecord { name: name.into(), rtype: rtype.into(), value: value.into(), ttl: 60, audience, source }
}

#[test]
fn add_joins_the_words_of_a_value() {
    let agent = Agent::start().on(ADD, answers::operation(State::Kept));
    let ran =
        agent.run(&["dns", "add", "@", "MX", "10", "mail.example.org", "--ttl", "300", "--for", "peers,tv"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        agent.body(ADD),
        serde_json::json!({"name": "@", "type": "MX", "value": "10 mail.example.org", "ttl": 300, "for": ["peers", "tv"]})
    );
    assert_eq!(agent.run(&["dns", "add", "x", "TXT", "--", "-all"]).code, 0);
    assert_eq!(agent.body(ADD), serde_json::json!({"name": "x", "type": "TXT", "value": "-all"}));
    assert_eq!(agent.run(&["dns", "add", "x", "A"]).code, 2);
}

#[test]
fn remove_names_what_is_meant() {
    let line = "DELETE /api/dns/records?name=a.b&type=TXT&value=%22x%20y%22&wait=false";
    let agent = Agent::start().on(line, answers::operation(State::Kept));
    assert_eq!(agent.run(&["dns", "remove", "a.b", "TXT", "\"x y\""]).code, 0);
}

#[test]
fn list_is_a_table() {
    let items = vec![
        record("home.cell", "MX", "10 mail.example.org.", Some(vec!["tv".into()])),
        record("printer.home.cell", "A", "192.168.40.20", None),
        DnsRecord {
            source: RecordSource::Lease,
            ..record("tv.home.cell", "A", "192.168.40.120", Some(vec!["lan".into()]))
        },
        DnsRecord {
            source: RecordSource::Service,
            ..record("x.home.cell", "A", "192.168.40.20", Some(vec![]))
        },
    ];
    let list = DnsRecordList { items, total: 4, next: None };
    let agent = Agent::start().on("GET /api/dns/records?limit=10000", list);
    insta::assert_snapshot!(agent.run(&["dns", "list"]).all());
}

#[test]
fn import_sends_what_the_file_says() {
    let agent =
        Agent::start().on("GET /api/status", answers::status()).on(IMPORT, answers::operation(State::Kept));
    let file = agent.file("zone", "@ SOA a b 1 2 3 4 5\nnas 60 A 192.0.2.1\nwww CNAME nas\n");
    let ran = agent.run(&["dns", "import", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("Left out 1"), "{}", ran.err);
    assert_eq!(
        agent.body(IMPORT)["records"],
        serde_json::json!([
            {"name": "nas.home.cell.", "type": "A", "value": "192.0.2.1", "ttl": 60},
            {"name": "www.home.cell.", "type": "CNAME", "value": "nas.home.cell."},
        ])
    );
    let file = agent.file("bad", "nas A here\nx.example.org. A 192.0.2.1\n$INCLUDE x\n");
    let ran = agent.run(&["dns", "import", file.to_str().unwrap()]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains(":1:1: here is not an IPv4 address") && ran.err.contains("$INCLUDE"),
        "{}",
        ran.err
    );
    let file = agent.file("outside", "x.example.org. A 192.0.2.1\n");
    let ran = agent.run(&["dns", "import", file.to_str().unwrap()]);
    assert!(ran.code == 3 && ran.err.contains("outside home.cell"), "{}", ran.err);
}

#[test]
fn query_says_why() {
    let answer = DnsAnswer {
        name: "nas.home.cell".into(),
        rtype: "A".into(),
        client: "10.77.0.2".into(),
        rcode: "NOERROR".into(),
        records: vec![DnsAnswerRecord {
            name: "nas.home.cell.".into(),
            rtype: "A".into(),
            ttl: 60,
            value: "192.168.40.10".into(),
        }],
        view: "peers".into(),
        why: vec!["the client is in view \"peers\"".into(), "nas.home.cell is a name of this cell".into()],
        microseconds: 42,
    };
    let agent = Agent::start()
        .on("GET /api/dns/query?name=nas&as=phone", answer)
        .on("POST /api/dns/flush?name=example.org", DnsFlushed { entries: 3 });
    insta::assert_snapshot!(agent.run(&["dns", "query", "nas", "--as", "phone"]).all());
    assert_eq!(agent.run(&["dns", "flush", "example.org"]).out, "3 answers forgotten\n");
}

fn entry(number: u64, device: Option<&str>) -> DnsLogEntry {
    DnsLogEntry {
        number,
        at: "2026-11-30T10:00:00.000Z".into(),
        client: "10.77.0.2".into(),
        device: device.map(str::to_owned),
        view: "peers".into(),
        name: "example.org".into(),
        rtype: "A".into(),
        result: "cached".into(),
        rcode: "NOERROR".into(),
        transport: "udp".into(),
        microseconds: 42,
    }
}

#[test]
fn log_tells_who_asked_for_what() {
    let log = |kept, items| DnsLog { kept, next: 7, items };
    let agent = Agent::start()
        .on("GET /api/dns/log?limit=100", log(10, vec![entry(6, None), entry(7, Some("phone"))]))
        .on("GET /api/dns/log?client=phone&limit=2", log(0, vec![]));
    insta::assert_snapshot!(agent.run(&["dns", "log"]).all());
    let off = agent.run(&["dns", "log", "--client", "phone", "-n", "2"]);
    assert_eq!(off.code, 1);
    assert!(off.out.contains("config set dns.query_log 1000"), "{}", off.out);
    let json = agent.run(&["dns", "log", "--json"]);
    assert!(json.out.starts_with("{\"kept\":10,\"next\":7,"), "{}", json.out);
    assert_eq!(agent.run(&["dns", "log", "-n", "1001"]).code, 2);
}

#[test]
fn log_can_be_followed() {
    let agent = Agent::start()
        .on("GET /api/dns/log?limit=1", DnsLog { kept: 10, next: 7, items: vec![entry(7, None)] })
        .on("GET /api/dns/log?after=7&limit=1000", DnsLog { kept: 10, next: 9, items: vec![entry(9, None)] })
        .refuse("GET /api/dns/log?after=9&limit=1000", &answers::problem(Code::NotFound, "enough"));
    let ran = agent.run(&["dns", "log", "-n", "1", "--follow", "--json"]);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 2), "{}", ran.all());
    assert!(ran.out.lines().all(|line| line.starts_with("{\"number\":")), "{}", ran.out);
}

#[test]
fn stats_by_client() {
    let tally = DnsTally { local: 1, cached: 2, forwarded: 3, blocked: 4, failed: 5, refused: 6 };
    let client = |address: &str, device: Option<&str>, view: Option<&str>| DnsClient {
        address: address.into(),
        device: device.map(str::to_owned),
        view: view.map(str::to_owned),
        idle: 3,
        tally,
    };
    let items = vec![client("10.77.0.2", Some("phone"), Some("peers")), client("192.168.1.9", None, None)];
    let views = vec![DnsView { name: "peers".into(), tally }];
    let clients = DnsClients { items, total: 2, others: tally, views };
    let agent = Agent::start().on("GET /api/dns/clients?limit=1000", clients);
    insta::assert_snapshot!(agent.run(&["dns", "stats", "--clients"]).all());
}
