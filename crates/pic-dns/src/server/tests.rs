use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as Asked, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use pic_model::snapshot::dns::{DnsSnapshot, Host, VERSION, Zone as SnapshotZone};

use super::*;

const CLIENT: &str = "10.77.0.2";

fn server() -> Server {
    let host = |name: &str, addresses| Host { name: name.into(), addresses, views: None };
    let hosts = vec![
        host("many", (1..=200).map(|n| [10, 77, 1, n].into()).collect()),
        host("phone", vec![[10, 77, 0, 2].into()]),
    ];
    let snapshot = DnsSnapshot {
        version: VERSION,
        generation: 9,
        listen: vec![],
        clients: vec!["10.77.0.0/16".parse().unwrap()],
        zones: vec![SnapshotZone { name: "home.cell".into(), ttl: 60, hosts, records: vec![] }],
        reverse: vec![],
        upstreams: vec![],
        ..DnsSnapshot::empty()
    };
    let world = World::compile(&snapshot, &World::empty()).unwrap();
    Server {
        world: ArcSwap::from_pointee(world),
        counters: Counters::default(),
        clients: Clients::default(),
        limiter: Limiter::default(),
        teller: Arc::default(),
        probes: Probes::default(),
    }
}

fn question(name: &str, qtype: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Asked::query(Name::from_ascii(name).unwrap(), qtype));
    message
}

fn ask_from(source: &str, message: &Message, transport: Transport) -> Option<Message> {
    let mut out = Vec::new();
    let packet = message.to_vec().unwrap();
    match server().handle(&packet, source.parse().unwrap(), transport, Instant::now(), &mut out) {
        Outcome::Reply => Some(Message::from_vec(&out).unwrap()),
        Outcome::Drop => None,
        Outcome::Forward(_) | Outcome::Renew(_) => panic!("must not leave"),
    }
}

fn ask(message: &Message) -> Message {
    ask_from(CLIENT, message, Transport::Udp).unwrap()
}

#[test]
fn answers_keep_the_clients_spelling() {
    let reply = ask(&question("PhOnE.hOmE.cell.", RecordType::A));
    assert_eq!(reply.metadata.id, 77);
    assert!(reply.metadata.authoritative && reply.metadata.recursion_available);
    assert_eq!(reply.queries[0].name().to_string(), "PhOnE.hOmE.cell.");
    assert_eq!(reply.answers.len(), 1);
    assert!(reply.edns.is_none(), "no OPT for a client that sent none");
}

#[test]
fn a_no_carries_the_soa() {
    for (name, qtype, code) in [
        ("nobody.home.cell.", RecordType::A, ResponseCode::NXDomain),
        ("phone.home.cell.", RecordType::AAAA, ResponseCode::NoError),
        ("neighbour.cell.", RecordType::A, ResponseCode::NXDomain),
    ] {
        let reply = ask(&question(name, qtype));
        assert_eq!(reply.metadata.response_code, code, "{name}");
        assert_eq!(reply.authorities[0].record_type(), RecordType::SOA);
        assert!(reply.answers.is_empty());
    }
}

#[test]
fn long_answers_ask_for_tcp() {
    let mut message = question("many.home.cell.", RecordType::A);
    assert!(ask(&message).metadata.truncation);
    message.set_edns(Edns::new());
    let cut = ask(&message);
    assert!(cut.metadata.truncation && cut.answers.is_empty() && cut.edns.is_some());
    let whole = ask_from(CLIENT, &message, Transport::Tcp).unwrap();
    assert_eq!(whole.answers.len(), 200);
    assert!(!whole.metadata.truncation);
}

#[test]
fn strangers_are_turned_away() {
    let message = question("phone.home.cell.", RecordType::A);
    let refused = ask_from("192.168.1.9", &message, Transport::Udp).unwrap();
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
    assert!(ask_from("198.51.100.9", &message, Transport::Udp).is_none());
    assert!(ask_from("198.51.100.9", &message, Transport::Tcp).is_none());
}

#[test]
fn unwelcome_kinds_of_question() {
    for qtype in [RecordType::AXFR, RecordType::IXFR, RecordType::TSIG] {
        let reply = ask(&question("home.cell.", qtype));
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused, "{qtype}");
    }
    for name in ["phone.home.cell.", "example.com."] {
        let reply = ask(&question(name, RecordType::ANY));
        assert_eq!(reply.answers[0].record_type(), RecordType::HINFO, "{name}");
    }
    let mut next_version = question("home.cell.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_version(1);
    next_version.set_edns(edns);
    assert_eq!(u16::from(ask(&next_version).metadata.response_code), rcode::BADVERS);
    let mut iterative = question("example.com.", RecordType::A);
    iterative.metadata.recursion_desired = false;
    assert_eq!(ask(&iterative).metadata.response_code, ResponseCode::Refused);
}

/// A server that shows `www` and an alias to the internet, and keeps the rest to itself.
fn open_server() -> Server {
    let host = |name: &str, views| Host { name: name.into(), addresses: vec![[192, 0, 2, 7].into()], views };
    let view = |name: &str, internet| pic_model::snapshot::dns::View {
        name: name.into(),
        clients: vec![],
        cell: true,
        internet,
        private: false,
        blocklists: vec![],
        exit: None,
        egress: vec![],
    };
    let hosts =
        vec![host("", None), host("nas", None), host("phone", Some(vec![0])), host("www", Some(vec![0, 1]))];
    let snapshot = DnsSnapshot {
        clients: vec!["10.77.0.0/16".parse().unwrap()],
        zones: vec![SnapshotZone { name: "home.cell".into(), ttl: 60, hosts, records: vec![] }],
        reverse: vec!["77.10.in-addr.arpa".into()],
        views: vec![view("host", true), view("outside", false)],
        outside: Some(1),
        ..DnsSnapshot::empty()
    };
    let world = World::compile(&snapshot, &World::empty()).unwrap();
    let (counters, clients, limiter) = <(Counters, Clients, Limiter)>::default();
    Server {
        world: ArcSwap::from_pointee(world),
        counters,
        clients,
        limiter,
        teller: Arc::default(),
        probes: Probes::default(),
    }
}

#[test]
fn the_internet_is_shown_what_is_for_it_and_nothing_else() {
    let server = open_server();
    let ask = |source: &str, name: &str, qtype| {
        let (mut out, packet) = (Vec::new(), question(name, qtype).to_vec().unwrap());
        match server.handle(&packet, source.parse().unwrap(), Transport::Tcp, Instant::now(), &mut out) {
            Outcome::Reply => Message::from_vec(&out).unwrap(),
            other => panic!("{name}: {other:?}"),
        }
    };
    let outside = |name, qtype| ask("198.51.100.9", name, qtype);
    let shown = outside("www.home.cell.", RecordType::A);
    assert!(shown.metadata.authoritative && !shown.metadata.recursion_available && shown.answers.len() == 1);
    for hidden in ["nas.home.cell.", "phone.home.cell.", "nobody.home.cell."] {
        let reply = outside(hidden, RecordType::A);
        assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "{hidden}");
        assert!(reply.answers.is_empty());
    }
    assert!(outside("home.cell.", RecordType::A).answers.is_empty(), "the cell's own address inside");
    for apex in [RecordType::SOA, RecordType::NS] {
        assert_eq!(outside("home.cell.", apex).answers.len(), 1, "{apex}");
    }
    for foreign in ["example.com.", "2.0.77.10.in-addr.arpa.", "localhost.", "other.cell."] {
        let reply = outside(foreign, RecordType::A);
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused, "{foreign}");
    }
    assert_eq!(outside("home.cell.", RecordType::AXFR).metadata.response_code, ResponseCode::Refused);
    assert_eq!(
        ask("192.168.1.9", "www.home.cell.", RecordType::A).metadata.response_code,
        ResponseCode::Refused
    );
    let inside = ask("10.77.0.2", "nas.home.cell.", RecordType::A);
    assert!(inside.metadata.recursion_available && inside.answers.len() == 1);
    assert_eq!(server.clients.snapshot(Instant::now()).0.len(), 1, "the internet is no client to tell apart");
}

#[test]
fn the_internet_is_answered_only_so_often() {
    let (server, now) = (open_server(), Instant::now());
    let packet = question("www.home.cell.", RecordType::A).to_vec().unwrap();
    let ask = |source: &str, transport| {
        let mut out = Vec::new();
        match server.handle(&packet, source.parse().unwrap(), transport, now, &mut out) {
            Outcome::Reply => Some(Message::from_vec(&out).unwrap()),
            Outcome::Drop => None,
            other => panic!("{other:?}"),
        }
    };
    let count = |source: &str, transport| {
        let all: Vec<_> = (0..200).map(|_| ask(source, transport)).collect();
        let cut = |message: &&Message| message.metadata.truncation && message.answers.is_empty();
        let cut = all.iter().flatten().filter(cut).count();
        (all.iter().flatten().count() - cut, cut)
    };
    let mut out = Vec::new();
    let broken = [&packet[..], b"more"].concat();
    let outcome = server.handle(&broken, [198, 51, 100, 9].into(), Transport::Udp, now, &mut out);
    assert!(matches!(outcome, Outcome::Drop), "no answer to what is no question");
    assert_eq!(count("198.51.100.9", Transport::Udp), (60, 70));
    assert_eq!(server.counters.snapshot().limited, 140);
    assert_eq!(count("198.51.100.10", Transport::Tcp), (200, 0), "a stream's sender is real");
    assert_eq!(count("10.77.0.2", Transport::Udp), (200, 0), "nobody inside is held back");
}
