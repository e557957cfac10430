//! pic-dhcp: messages of devices, frames, the log of leases, and what devices call themselves.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use dhcproto::{Decodable, Decoder};
use pic_dhcp::delegation::{Book, Client, Heard};
use pic_dhcp::server::{Action, Server};
use pic_dhcp::server6::{Action6, From6, Server6};
use pic_dhcp::wire::{self, Kind, To, frame};
use pic_dhcp::{label, lease, snapshot as file, store, v6};
use pic_model::name::HostName;
use pic_model::snapshot::dhcp::{DhcpSnapshot, LeaseName, LeaseNames, VERSION};
use pic_model::snapshot::dns::DnsSnapshot;

const LANS: &str = r#"{"version":1,"lans":[{"name":"lan","interface":"eth1","address":"192.168.40.1/24",
    "dhcp":{"pools":[["192.168.40.100","192.168.40.103"]],"lease":600,
        "options":{"1":"ffffff00","3":"c0a82801","6":"c0a82801","15":"686f6d65","43":"00","121":"00c0a82801"},
        "next_server":"192.168.40.5","boot":[{"architectures":[7],"user_class":"iPXE","file":"menu"}]},
    "reservations":[{"mac":"02:00:00:00:00:10","address":"192.168.40.10","name":"nas"},
        {"client_id":"ff:01","address":"192.168.40.101"}]},
    {"name":"up","interface":"eth1","address":"192.168.40.1/24","behind":"10.5.0.0/24",
        "dhcp":{"pools":[["10.5.0.50","10.5.0.51"]],"lease":600,"options":{"1":"ffffff00"}}}]}"#;

fn lans() -> DhcpSnapshot {
    match file::KIND.parse(Path::new("lans.json"), LANS.as_bytes()) {
        Ok(snapshot) => snapshot,
        Err(error) => panic!("the target's own LAN is wrong: {error}"),
    }
}

/// One message, answered by the rules in a way that another implementation can read. (What devices send it is not
/// given: dhcproto 0.15 panics at an FQDN option of less than three bytes.)
pub(super) fn message(input: &[u8]) {
    if let Some(message) = wire::read(input) {
        let _ = (message.fqdn.map(label::of_fqdn), message.host_name.map(label::of_host_name));
    }
    let mut server = Server::default();
    server.configure(&lans());
    check(&mut server, input, 1000, &mut BTreeMap::new());
}

/// Messages one after the other, each behind its length: nobody gets what another has.
pub(super) fn talk(input: &[u8]) {
    let mut server = Server::default();
    server.configure(&lans());
    let mut rest = input;
    let mut held = BTreeMap::new();
    for step in 0..64_u64 {
        let Some((length, after)) = rest.split_first_chunk::<2>() else { return };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((packet, after)) = after.split_at_checked(length) else { return };
        rest = after;
        check(&mut server, packet, 1000 + step, &mut held);
    }
}

type Held = BTreeMap<Ipv4Addr, (Box<[u8]>, u64)>;

fn check(server: &mut Server, packet: &[u8], now: u64, held: &mut Held) {
    let Some(message) = wire::read(packet) else { return };
    let mut action = server.handle(0, &message, now);
    if let Action::Probe(address) = action {
        server.proved(address);
        action = server.handle(0, &message, now);
        assert!(!matches!(action, Action::Probe(_)), "asked twice about {address}");
    }
    let reply = match action {
        Action::Send(reply) => Some(reply),
        Action::Commit(record, reply) => {
            if record.lease.state != lease::State::Bound {
                held.remove(&Ipv4Addr::from_bits(record.address));
            }
            reply
        }
        Action::None | Action::Probe(_) => None,
    };
    let Some(reply) = reply else { return };
    assert!((300..=1472).contains(&reply.bytes.len()), "{} bytes", reply.bytes.len());
    let Some(answer) = wire::read(&reply.bytes) else { panic!("an answer nobody can read") };
    assert!(!answer.is_request && answer.xid() == message.xid());
    if let Err(error) = dhcproto::v4::Message::decode(&mut Decoder::new(&reply.bytes)) {
        panic!("an answer that another implementation cannot read: {error}");
    }
    if let To::Client(address) = reply.to {
        assert_eq!(address, message.ciaddr());
    }
    if answer.kind == Kind::Ack && !answer.yiaddr().is_unspecified() {
        let client = message.identity();
        let other = held.insert(answer.yiaddr(), (client.clone(), now + 600));
        assert!(
            other.is_none_or(|(other, until)| other == client || until <= now),
            "{} was given to two",
            answer.yiaddr()
        );
    }
}

const LAN6: &str = r#"{"version":1,"duid":"0004000102030405060708090a0b0c0d0e0f","lans":[{"name":"lan","interface":"eth1",
    "address":"192.168.40.1/24","ipv6":{"prefix":"fd00:1::/64","router":true,"dns":["fd00:1::1"],"search":["home.cell"],
        "dhcp6":{"pools":[["::1000","::1003"]],"lease":600,"slaac":true,"preference":7,
            "delegate":[{"pool":"2001:db8:a:40::/60","length":62,"lasting":true}]},
        "ntp":["fd00:1::1","time.example.org"],"captive_portal":"https://portal.example.org/api"},
    "reservations":[{"mac":"02:00:00:00:00:10","address":"192.168.40.10","address6":"::10","name":"nas"}]}]}"#;

/// Messages one after the other, each behind its length, of whoever: nobody gets what another has, and every answer is
/// one that another implementation can read.
pub(super) fn six(input: &[u8]) {
    let Ok(snapshot) = file::KIND.parse(Path::new("lans.json"), LAN6.as_bytes()) else {
        panic!("the target's own LAN")
    };
    let mut server = Server6::default();
    server.configure(&snapshot);
    let (mut rest, mut held) = (input, BTreeMap::new());
    let source = std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);
    let from = From6 { lan: 0, source, mac: None };
    for step in 0..64_u64 {
        let Some((length, after)) = rest.split_first_chunk::<2>() else { return };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((packet, after)) = after.split_at_checked(length) else { return };
        rest = after;
        let (records, reply) = match server.handle(from, packet, &Book::default(), 1000 + step) {
            Action6::None => continue,
            Action6::Send(reply) => (Vec::new(), reply),
            Action6::Commit(records, reply) => (records, reply),
        };
        for record in records {
            let other = held.insert(record.address, record.lease.client.clone());
            let is_over = record.lease.state != lease::State::Bound;
            assert!(is_over || other.is_none_or(|other| other == record.lease.client), "given to two");
            if is_over {
                held.remove(&record.address);
            }
        }
        if packet.first() != Some(&v6::kind::RELAY_FORW) {
            assert_eq!(packet.get(1..4), reply.bytes.get(1..4), "another transaction");
            if let Err(error) = dhcproto::v6::Message::decode(&mut Decoder::new(&reply.bytes)) {
                panic!("an answer that another implementation cannot read: {error}");
            }
        }
    }
}

/// What a delegating server says, message after message behind their length, while time passes: the client goes on, and
/// takes only prefixes that can be a cell's.
pub(super) fn delegation(input: &[u8]) {
    const DUID: [u8; 4] = [0, 4, 1, 2];
    let (mut client, mut rest, mut now) = (Client::new(&DUID, Vec::new(), 1, 0), input, 0);
    for _ in 0..64 {
        now = client.due().max(now);
        let said = client.step(now);
        let Some((length, after)) = rest.split_first_chunk::<2>() else { return };
        let Some((packet, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            return;
        };
        rest = after;
        let mut packet = packet.to_vec();
        // A server knows the transaction.
        if let (Some(said), Some(xid)) = (said, packet.get_mut(1..4)) {
            xid.copy_from_slice(&said[1..4]);
        }
        if let Heard::Given(prefixes) = client.hear(&packet, now) {
            assert!(
                prefixes.iter().all(|(net, life)| (40..=64).contains(&net.prefix_len()) && life.valid > 0)
            );
            let mut book = Book::default();
            book.take(&prefixes, now / 1000);
            assert!(book.held().len() <= 8);
        }
    }
}

/// What another router says.
pub(super) fn advertisement(input: &[u8]) {
    if let Some(heard) = pic_dhcp::ra::read(input) {
        assert!(heard.prefixes.len() <= 8 && heard.prefixes.iter().all(|net| *net == net.trunc()));
    }
}

pub(super) fn frame(input: &[u8]) {
    let _ = (frame::arp_sender(input), frame::echo_reply(input, 7));
    if let Some((_, payload)) = frame::udp_payload(input, wire::CLIENT_PORT) {
        assert!(payload.len() < input.len());
        let _ = wire::read(payload);
    }
}

/// What is read of a log is the same when it is written again.
pub(super) fn log(input: &[u8]) {
    let Some(found) = store::contents(input) else { return };
    assert!(found.end <= input.len() && found.damaged <= found.end);
    for (address, lease) in found.leases {
        let mut bytes = Vec::new();
        store::write(address, &lease, &mut bytes);
        assert_eq!(store::read(&bytes), Some(((address, lease), &[][..])), "changed by writing");
    }
}

pub(super) fn snapshot(input: &[u8]) {
    let Ok(snapshot) = file::KIND.parse(Path::new("lans.json"), input) else { return };
    let mut server = Server::default();
    server.configure(&snapshot);
    let Ok(text) = serde_json::to_vec(&snapshot) else { panic!("a snapshot that cannot be written") };
    assert!(file::KIND.parse(Path::new("lans.json"), &text).is_ok_and(|again| again == snapshot));
}

/// Any bytes as a host name: a label or nothing, and nothing but a host gets into the zone.
pub(super) fn name(input: &[u8]) {
    for label in [label::of_host_name(input), label::of_fqdn(input)].into_iter().flatten() {
        assert!(label.parse::<HostName>().is_ok(), "{label:?} is no label");
        let otherwise = label::otherwise(&label, [1, 2, 3, 4, 5, 6]);
        assert!(otherwise.parse::<HostName>().is_ok(), "{otherwise:?} is no label");
    }
    let text = String::from_utf8_lossy(input).into_owned();
    let names = pic_dns::leases::KIND.parse(Path::new("names.json"), input).unwrap_or_else(|_| LeaseNames {
        version: VERSION,
        names: vec![LeaseName { name: text.clone(), otherwise: text, addresses: vec![[10, 0, 0, 1].into()] }],
    });
    let zone = r#"{"version":1,"generation":0,"listen":[],"clients":["10.0.0.0/8"],"upstreams":[],"reverse":[],
        "zones":[{"name":"home.cell","ttl":60,"hosts":[{"name":"nas","addresses":["10.0.0.9"]}]}]}"#;
    let Ok(mut zone) = serde_json::from_str::<DnsSnapshot>(zone) else {
        panic!("the target's own zone is wrong")
    };
    zone.add_leases(&names);
    let mut seen = std::collections::BTreeSet::new();
    for host in &zone.zones[0].hosts {
        assert!(host.name.parse::<HostName>().is_ok() && seen.insert(&host.name), "{:?} got in", host.name);
    }
}
