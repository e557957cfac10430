//! Statistics by client and view, the query log, and the metrics as Prometheus' own reader understands them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use kit::{Service, fresh_address, snapshot, wait_for};
use pic_model::snapshot::dns::{
    Blocklist, DnsClients, DnsLog, DnsRequest, DnsSnapshot, DnsTally, DnsTreated, Upstream, View,
};

/// A cell that asks another service for all other names, with a list of which everybody in `kids` is blocked.
fn home(outside: &Service, dir: &std::path::Path) -> DnsSnapshot {
    let mut home = snapshot(fresh_address(), vec![Upstream::Plain { address: outside.at }]);
    home.private = vec!["example".into()];
    let list = dir.join("list");
    kit::write(&list, "phone.example\n");
    home.blocklists =
        vec![Blocklist { name: "ads".into(), source: list.to_str().unwrap().into(), when: None }];
    let view = |name: &str, clients: &str, internet, blocklists| View {
        name: name.into(),
        clients: vec![clients.parse().unwrap()],
        cell: true,
        internet,
        private: false,
        blocklists,
        exit: None,
        egress: vec![],
    };
    home.views = vec![
        view("all", "127.0.0.0/8", true, vec![]),
        view("kids", "127.0.8.0/24", true, vec![0]),
        view("guests", "127.0.9.0/24", false, vec![]),
    ];
    home
}

fn outside() -> Service {
    let mut outside = snapshot(fresh_address(), vec![]);
    outside.zones[0].name = "example".into();
    Service::start(&outside, &[])
}

fn ask(service: &Service, from: &str, words: &[&str]) -> String {
    service.dig(&[&["-b", from], words].concat())
}

fn clients(service: &Service, limit: usize) -> DnsClients {
    serde_json::from_value(service.control(&DnsRequest::Clients { limit })).unwrap()
}

fn log(service: &Service, clients: &[&str], after: Option<u64>, limit: usize) -> DnsLog {
    let clients = clients.iter().map(|text| text.parse().unwrap()).collect();
    serde_json::from_value(service.control(&DnsRequest::Log { clients, after, limit })).unwrap()
}

#[test]
fn questions_are_counted_by_client_and_view() {
    let (outside, dir) = (outside(), tempfile::tempdir().unwrap());
    let mut home = home(&outside, dir.path());
    let service = Service::start(&home, &[]);
    wait_for(10, || ask(&service, "127.0.8.9", &["phone.example"]).contains("NXDOMAIN").then_some(()));
    let waited = clients(&service, 9).clients[0].tally;

    for _ in 0..2 {
        assert!(ask(&service, "127.0.8.1", &["phone.example"]).contains("blocked by a list"));
    }
    for _ in 0..3 {
        assert_eq!(ask(&service, "127.0.7.1", &["+short", "phone.example"]), "10.77.0.2\n");
    }
    ask(&service, "127.0.7.1", &["+tcp", "home.cell"]);
    assert!(ask(&service, "127.0.9.1", &["phone.example"]).contains("REFUSED"));
    assert!(ask(&service, "127.0.9.1", &["home.cell", "AXFR"]).contains("Transfer failed"));
    // What picctl asks for somebody is not that one's question.
    let source = "127.0.9.7".parse().unwrap();
    service.control(&DnsRequest::Query { name: "home.cell".into(), rtype: 1, source });
    drop(outside);
    assert!(ask(&service, "127.0.7.2", &["gone.example"]).contains("SERVFAIL"));

    let told = clients(&service, 99);
    let by: BTreeMap<String, (Option<String>, DnsTally)> =
        told.clients.iter().map(|c| (c.address.to_string(), (c.view.clone(), c.tally))).collect();
    let none = DnsTally::default();
    let wanted = [
        ("127.0.7.1", "all", DnsTally { forwarded: 1, cached: 2, local: 1, ..none }),
        ("127.0.7.2", "all", DnsTally { failed: 1, ..none }),
        ("127.0.8.1", "kids", DnsTally { blocked: 2, ..none }),
        ("127.0.8.9", "kids", waited),
        ("127.0.9.1", "guests", DnsTally { refused: 2, ..none }),
    ];
    let wanted = wanted.map(|(address, view, tally)| (address.to_owned(), (Some(view.to_owned()), tally)));
    assert_eq!(by, BTreeMap::from(wanted));
    assert_eq!((told.known, told.others), (5, none));
    let views: BTreeMap<_, _> = told.views.into_iter().map(|view| (view.name, view.tally)).collect();
    assert_eq!(views["all"], DnsTally { forwarded: 1, cached: 2, local: 1, failed: 1, ..none });
    assert_eq!(views["guests"], DnsTally { refused: 2, ..none });
    assert_eq!(views["kids"].blocked, 2 + waited.blocked);
    assert_eq!(clients(&service, 1).clients.len(), 1);

    // A view that moves in the list goes on counting; one that is gone is told no more, and its clients are.
    home.views.remove(1);
    home.generation = 2;
    service.put(&home);
    wait_for(5, || (clients(&service, 9).views.len() == 3).then_some(()));
    let told = clients(&service, 9);
    assert_eq!(told.views[1].name, "guests");
    assert_eq!(told.views[1].tally.refused, 2);
    let kid = told.clients.iter().find(|client| client.address.to_string() == "127.0.8.1").unwrap();
    assert_eq!((kid.view.as_deref(), kid.tally.blocked), (Some("all"), 2));
}

#[test]
fn the_log_is_off_until_it_is_wanted_and_gone_when_it_is_not() {
    let (outside, dir) = (outside(), tempfile::tempdir().unwrap());
    let mut home = home(&outside, dir.path());
    let service = Service::start(&home, &[]);
    assert_eq!(service.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n");
    let off = DnsLog { size: 0, next: 0, entries: vec![] };
    assert_eq!(log(&service, &[], None, 9), off);

    home.query_log = 5;
    service.put(&home);
    wait_for(5, || (log(&service, &[], None, 9).size == 5).then_some(()));
    ask(&service, "127.0.7.1", &["MANY.home.cell", "AAAA"]);
    ask(&service, "127.0.7.1", &["+tcp", "nobody.home.cell"]);
    ask(&service, "127.0.7.2", &["phone.example"]);
    let read = log(&service, &[], None, 9);
    let words = |log: &DnsLog| -> Vec<String> {
        let entry = |e: &pic_model::snapshot::dns::DnsLogEntry| {
            format!(
                "{} {} {} {:?} {} {} {}",
                e.client, e.name, e.rtype, e.treated, e.rcode, e.transport, e.view
            )
        };
        log.entries.iter().map(entry).collect()
    };
    assert_eq!(
        words(&read),
        [
            "127.0.7.1 many.home.cell AAAA Local NOERROR udp all",
            "127.0.7.1 nobody.home.cell A Local NXDOMAIN tcp all",
            "127.0.7.2 phone.example A Forwarded NOERROR udp all",
        ]
    );
    assert!(read.entries.iter().all(|entry| entry.at.parse::<jiff::Timestamp>().is_ok()));
    assert_eq!(words(&log(&service, &["127.0.7.2", "fd77::2"], None, 9)).len(), 1);
    assert_eq!(log(&service, &[], Some(read.next), 9).entries, []);
    for n in 0..7 {
        ask(&service, "127.0.8.1", &[&format!("n{n}.home.cell")]);
    }
    let later = log(&service, &[], Some(read.next), 99);
    assert_eq!(later.entries.len(), 5, "no more are kept");
    assert_eq!((later.entries[4].name.as_str(), later.next), ("n6.home.cell", read.next + 7));
    assert_eq!(later.entries[4].treated, DnsTreated::Local);
    let first = log(&service, &[], Some(read.next), 2);
    assert_eq!((first.entries.len(), first.next), (2, read.next + 4), "a page, the oldest first");

    home.query_log = 0;
    service.put(&home);
    wait_for(5, || (log(&service, &[], None, 9) == off).then_some(()));
    // Nowhere on disk, at no time.
    for file in std::fs::read_dir(service.metrics().parent().unwrap()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("nobody"));
    }
}

/// Prints a line for each value, with its labels in order.
const READER: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation and family.type in ('counter', 'gauge'), family
    for sample in family.samples:
        print(sample.name, sorted(sample.labels.items()), sample.value)
";

fn parsed(text: &str) -> Vec<String> {
    // Debian's own, whose module it is.
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "not understood:\n{text}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Sends a request and gives the head and the body of the answer.
fn request(service: &Service, request: &str) -> (String, String) {
    let mut stream = wait_for(5, || UnixStream::connect(service.metrics()).ok());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let (outside, dir) = (outside(), tempfile::tempdir().unwrap());
    let mut home = home(&outside, dir.path());
    home.views[0].name = "a \"view\" \\ of".into();
    let nobody: SocketAddr = fresh_address();
    home.upstreams.push(Upstream::Plain { address: nobody });
    let service = Service::start(&home, &[]);
    wait_for(10, || ask(&service, "127.0.8.9", &["phone.example"]).contains("NXDOMAIN").then_some(()));
    service.dig(&["home.cell"]);
    service.dig(&["many.example"]);
    service.dig(&["many.example"]);
    let told = || request(&service, "GET /metrics HTTP/1.0\r\n\r\n");
    let counted = clients(&service, 9);
    let (head, body) = wait_for(5, || Some(told()).filter(|(_, body)| body.contains("list=\"ads\"} 1")));
    assert!(head.starts_with("HTTP/1.0 200 OK") && head.contains("text/plain; version=0.0.4"), "{head}");
    let lines = parsed(&body);
    let value = |line: &str| {
        let found = lines.iter().find_map(|l| l.strip_prefix(line));
        found.unwrap_or_else(|| panic!("no {line} in {lines:#?}")).trim().parse::<f64>().unwrap()
    };
    let view = r#"pic_dns_view_questions_total [('result', 'local'), ('view', 'a "view" \\ of')]"#;
    let blocked = r"pic_dns_view_questions_total [('result', 'blocked'), ('view', 'kids')]";
    let kids = counted.views.iter().find(|view| view.name == "kids").unwrap();
    assert!(value(blocked) >= 1.0 && value(blocked) == f64::from(u32::try_from(kids.tally.blocked).unwrap()));
    assert!(value(view) >= 1.0);
    assert!(value("pic_dns_questions_total [('result', 'cached')]") >= 1.0);
    assert!(value("pic_dns_questions_total [('result', 'blocked')]") >= 1.0);
    assert_eq!(value(&format!("pic_dns_upstream_up [('address', '{}')]", outside.at)), 1.0);
    assert_eq!(value(&format!("pic_dns_listening [('address', '{}')]", service.at)), 1.0);
    assert_eq!(value("pic_dns_snapshot_ok []"), 1.0);
    assert_eq!(value("pic_dns_blocklist_names [('list', 'ads')]"), 1.0);
    for secret in ["phone", "many", "127.0.8.9"] {
        assert!(!body.contains(secret), "{secret} is told:\n{body}");
    }
    for (wrong, code) in
        [("POST /metrics HTTP/1.0\r\n\r\n", "405"), ("GET /x HTTP/1.0\r\n\r\n", "404"), ("\0\0\n\n", "400")]
    {
        let (head, _) = request(&service, wrong);
        assert!(head.starts_with(&format!("HTTP/1.0 {code}")), "{wrong:?}: {head}");
    }
    // Whoever is silent, talks on and on, or leaves, keeps nobody from being told.
    let mut talker = UnixStream::connect(service.metrics()).unwrap();
    let _ = talker.write_all(&[b'x'; 64 << 10]);
    let _silent: Vec<_> = (0..7).map(|_| UnixStream::connect(service.metrics()).unwrap()).collect();
    drop(UnixStream::connect(service.metrics()).unwrap());
    assert!(told().0.contains("200 OK"));
}
