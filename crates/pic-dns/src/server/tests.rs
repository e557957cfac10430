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
    Server { world: ArcSwap::from_pointee(world), counters: Counters::default(), clients: Clients::default() }
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
