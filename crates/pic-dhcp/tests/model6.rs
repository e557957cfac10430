//! The DHCPv6 server against a reference: whatever clients say in whatever order, across kills and full disks, nobody
//! gets what another holds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use dhcproto::v6::{DhcpOption, Message, MessageType, OptionCode, Status};
use dhcproto::{Decodable, Decoder};
use pic_dhcp::delegation::Book;
use pic_dhcp::lease::Lease;
use pic_dhcp::server6::{Action6, From6, Server6};
use pic_dhcp::v6::{Out, kind, option};
use pic_model::snapshot::dhcp::DhcpSnapshot;
use proptest::prelude::*;

const DUID: [u8; 18] = [0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LEASE: u64 = 600;
const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);

fn lans() -> DhcpSnapshot {
    serde_json::from_str(
        r#"{"version":1,"duid":"00040102030405060708090a0b0c0d0e0f10","lans":[{"name":"lan","interface":"eth1",
        "address":"192.168.40.1/24","ipv6":{"prefix":"fd00:1::/64","routed":["2001:db8:1::/64"],"router":true,"dns":["fd00:1::1"],
            "search":["home.cell"],"dhcp6":{"pools":[["::1000","::1004"]],"lease":600,"slaac":true,"preference":0}},
        "reservations":[{"mac":"02:00:00:00:00:02","address":"192.168.40.10","address6":"::10"},
            {"mac":"02:00:00:00:00:03","address":"192.168.40.11","address6":"::1001"}]}]}"#,
    )
    .unwrap()
}

fn at(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, last)
}

/// A message of a client about one address of its one identity association.
fn message(kind: u8, client: u8, address: Option<Ipv6Addr>, rapid: bool) -> Vec<u8> {
    let mut out = Out::message(kind, [1, 2, client]);
    out.option(option::CLIENT_ID, &[0, 3, 0, 1, 2, 0, 0, 0, 0, client]);
    if !matches!(kind, kind::SOLICIT | kind::CONFIRM | kind::REBIND) {
        out.option(option::SERVER_ID, &DUID);
    }
    if rapid {
        out.option(option::RAPID_COMMIT, &[]);
    }
    let mut ia = Out::fixed(&[0; 12]);
    if let Some(address) = address {
        ia.option(option::IA_ADDRESS, &[&address.octets()[..], &[0; 8]].concat());
    }
    out.option(option::IA_NA, ia.bytes());
    out.finish()
}

#[derive(Debug, Clone)]
enum Step {
    Solicit(u8, bool),
    /// Asks for an address, offered to it or not.
    Request(u8, u16),
    Renew(u8),
    Rebind(u8),
    Release(u8),
    Decline(u8),
    /// Gives back or declines what it does not have.
    Lie(u8, u16, bool),
    Pass(u64),
    /// The service is killed: what was on disk is all there is.
    Kill,
    DiskFull(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, last) = (0u8..7, 0xffeu16..0x1007);
    prop_oneof![
        3 => (client.clone(), any::<bool>()).prop_map(|(c, rapid)| Step::Solicit(c, rapid)),
        4 => (client.clone(), last.clone()).prop_map(|(c, a)| Step::Request(c, a)),
        3 => client.clone().prop_map(Step::Renew),
        1 => client.clone().prop_map(Step::Rebind),
        1 => client.clone().prop_map(Step::Release),
        1 => client.clone().prop_map(Step::Decline),
        1 => (client, last, any::<bool>()).prop_map(|(c, a, d)| Step::Lie(c, a, d)),
        2 => (1u64..400).prop_map(Step::Pass),
        1 => Just(Step::Kill),
        1 => any::<bool>().prop_map(Step::DiskFull),
    ]
}

/// What a run of the service and its clients has come to.
struct World {
    server: Server6,
    disk: Vec<(Ipv6Addr, Lease)>,
    now: u64,
    full: bool,
    /// Who was told to have what, until when.
    held: BTreeMap<u8, (Ipv6Addr, u64)>,
}

/// The address in the network's own prefix and its lifetime, and the status, of an answer.
fn told(message: &Message) -> (Option<(Ipv6Addr, u32)>, Option<Status>) {
    let Some(DhcpOption::IANA(ia)) = message.opts().get(OptionCode::IANA) else { return (None, None) };
    let status = match ia.opts.get(OptionCode::StatusCode) {
        Some(DhcpOption::StatusCode(code)) => Some(code.status),
        _ => None,
    };
    let mut own = None;
    for one in ia.opts.iter() {
        if let DhcpOption::IAAddr(one) = one
            && one.addr.segments()[0] == 0xfd00
            && one.valid_life > 0
        {
            assert!(own.replace((one.addr, one.valid_life)).is_none(), "two addresses of one prefix");
        }
    }
    (own, status)
}

impl World {
    fn new() -> Self {
        let mut server = Server6::default();
        server.configure(&lans());
        let (held, disk) = Default::default();
        Self { server, disk, now: 1000, full: false, held }
    }

    fn say(&mut self, client: u8, bytes: &[u8]) -> Option<Status> {
        let from = From6 { lan: 0, source: SOURCE, mac: None };
        let reply = match self.server.handle(from, bytes, &Book::default(), self.now) {
            Action6::None => return None,
            Action6::Send(reply) => reply,
            Action6::Commit(records, reply) => {
                if !self.full {
                    self.disk.extend(records.into_iter().map(|record| (record.address, record.lease)));
                } else if records.iter().any(|record| !record.is_renewal) {
                    records.iter().for_each(|record| self.server.unwritten(record.address, self.now));
                    return None;
                }
                reply
            }
        };
        assert_eq!(reply.port, Some(546));
        let answer = Message::decode(&mut Decoder::new(&reply.bytes)).unwrap();
        assert_eq!(answer.xid(), [1, 2, client]);
        let (own, status) = told(&answer);
        if answer.msg_type() == MessageType::Reply
            && let Some((address, valid)) = own
        {
            self.given(client, address, u64::from(valid));
        }
        status
    }

    fn given(&mut self, client: u8, address: Ipv6Addr, valid: u64) {
        assert!(valid <= LEASE);
        let now = self.now;
        self.held.retain(|_, (_, until)| *until > now);
        let other = self.held.iter().find(|(other, (held, _))| **other != client && *held == address);
        assert!(other.is_none(), "{address} was given to {client} and {other:?}");
        match address.segments()[7] {
            0x1001 => assert_eq!(client, 3, "kept for it"),
            0x10 => assert_eq!(client, 2, "kept for it"),
            last => assert!((0x1000..=0x1004).contains(&last), "{address}"),
        }
        self.held.insert(client, (address, now + valid));
    }

    fn step(&mut self, step: &Step) {
        let held = |world: &Self, c: u8| world.held.get(&c).copied().filter(|(_, until)| *until > world.now);
        match *step {
            Step::Solicit(c, rapid) => drop(self.say(c, &message(kind::SOLICIT, c, None, rapid))),
            Step::Request(c, last) => drop(self.say(c, &message(kind::REQUEST, c, Some(at(last)), false))),
            Step::Renew(c) => {
                if let Some((address, _)) = held(self, c) {
                    let status = self.say(c, &message(kind::RENEW, c, Some(address), false));
                    assert_eq!(status, None, "a client that holds {address} renews it");
                }
            }
            Step::Rebind(c) => {
                let address = held(self, c).map(|(address, _)| address);
                self.say(c, &message(kind::REBIND, c, address, false));
            }
            Step::Release(c) | Step::Decline(c) => {
                let code = if matches!(step, Step::Release(_)) { kind::RELEASE } else { kind::DECLINE };
                if let Some((address, _)) = self.held.remove(&c) {
                    self.say(c, &message(code, c, Some(address), false));
                }
            }
            Step::Lie(c, last, declines) => {
                if held(self, c).is_none_or(|(address, _)| address != at(last)) {
                    let code = if declines { kind::DECLINE } else { kind::RELEASE };
                    self.say(c, &message(code, c, Some(at(last)), false));
                }
            }
            Step::Pass(seconds) => self.now += seconds,
            Step::Kill => {
                self.server = Server6::default();
                self.server.configure(&lans());
                self.server.load(self.disk.clone());
            }
            Step::DiskFull(full) => {
                self.full = full;
                if !full {
                    self.disk =
                        self.server.leases().map(|(address, lease)| (address, lease.clone())).collect();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_address_is_given_to_two(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            // Killed while the disk is full: an address is still its client's on disk, but ends earlier than the client
            // was told.
            if matches!(step, Step::Kill) && world.full {
                continue;
            }
            world.step(step);
        }
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut server = Server6::default();
        server.configure(&lans());
        let from = From6 { lan: 0, source: SOURCE, mac: None };
        let _ = server.handle(from, &bytes, &Book::default(), 1);
    }
}

#[test]
fn statuses_say_why_not() {
    let mut world = World::new();
    assert_eq!(world.say(1, &message(kind::RENEW, 1, Some(at(0x1000)), false)), Some(Status::NoBinding));
    let far = "2001:db8:99::1".parse().unwrap();
    assert_eq!(world.say(1, &message(kind::REQUEST, 1, Some(far), false)), Some(Status::NotOnLink));
    // One of the five is kept for somebody.
    for client in [0, 1, 4, 5] {
        world.say(client, &message(kind::SOLICIT, client, None, true));
    }
    assert_eq!(world.held.len(), 4);
    assert_eq!(world.say(6, &message(kind::SOLICIT, 6, None, false)), Some(Status::NoAddrsAvail));
    for flood in 20..220 {
        world.say(flood, &message(kind::SOLICIT, flood, None, false));
    }
    for client in [0, 1, 4, 5] {
        world.step(&Step::Renew(client));
    }
    let kept = world.held[&1].0;
    world.step(&Step::Release(1));
    world.step(&Step::Pass(5000));
    world.say(1, &message(kind::SOLICIT, 1, None, true));
    assert_eq!(world.held[&1].0, kept, "the same again");
}

#[test]
fn neither_temporary_addresses_nor_prefixes() {
    let mut server = Server6::default();
    server.configure(&lans());
    let mut out = Out::message(kind::SOLICIT, [1, 2, 3]);
    out.option(option::CLIENT_ID, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9]);
    out.option(option::IA_TA, &[0, 0, 0, 1]).option(option::IA_PD, &[0; 12]);
    let from = From6 { lan: 0, source: SOURCE, mac: None };
    let Action6::Send(reply) = server.handle(from, &out.finish(), &Book::default(), 1) else {
        panic!("no answer")
    };
    let text = String::from_utf8_lossy(&reply.bytes).into_owned();
    assert!(text.contains("no temporary addresses") && text.contains("no prefix to give"), "{text}");
    // Nobody from elsewhere is answered.
    let from = From6 { source: "2001:db8::1".parse().unwrap(), ..from };
    assert_eq!(
        server.handle(from, &message(kind::SOLICIT, 1, None, false), &Book::default(), 1),
        Action6::None
    );
}
