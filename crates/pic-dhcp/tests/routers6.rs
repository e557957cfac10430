//! Routers among the hosts are given prefixes, each its own, and the agent is told where they are: message by message.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv6Net;
use pic_dhcp::delegation::Book;
use pic_dhcp::lease::Lease;
use pic_dhcp::names;
use pic_dhcp::server::Server;
use pic_dhcp::server6::{Action6, From6, Server6};
use pic_dhcp::v6::{Options, Out, kind, option, status};
use pic_model::snapshot::dhcp::{DhcpSnapshot, Wire};
use proptest::prelude::*;

const DUID: [u8; 18] = [0, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const NOW: u64 = 1000;

fn snapshot(pools: &str) -> DhcpSnapshot {
    serde_json::from_str(&format!(
        r#"{{"version":1,"duid":"0004000102030405060708090a0b0c0d0e0f","lans":[{{"name":"lan","interface":"eth1",
        "address":"192.168.40.1/24","ipv6":{{"prefix":"fd00:1::/64","router":true,"dns":["fd00:1::1"],"search":["home.cell"],
        "dhcp6":{{"pools":[["::1000","::1003"]],"lease":3600,"slaac":true,"preference":0,"delegate":[{pools}]}}}}}}]}}"#
    ))
    .unwrap()
}

fn server(pools: &str) -> Server6 {
    let mut server = Server6::default();
    server.configure(&snapshot(pools));
    server
}

const POOL: &str = r#"{"pool":"2001:db8:a:40::/60","length":62,"lasting":true}"#;

/// What a router asks: with its number and the prefixes that it says it has.
struct Asked<'a> {
    kind: u8,
    router: u8,
    has: &'a [Ipv6Net],
}

fn message(asked: &Asked<'_>) -> Vec<u8> {
    let mut out = Out::message(asked.kind, [1, 2, asked.router]);
    out.option(option::CLIENT_ID, &[0, 3, 0, 1, 2, 0, 0, 0, 0, asked.router]);
    if !matches!(asked.kind, kind::SOLICIT | kind::REBIND) {
        out.option(option::SERVER_ID, &DUID);
    }
    let mut inner = Out::fixed(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    for net in asked.has {
        let parts = [&[0; 8][..], &[net.prefix_len()], &net.network().octets()];
        inner.option(option::IA_PREFIX, &parts.concat());
    }
    out.option(option::IA_PD, inner.bytes());
    // For itself, under the same number.
    out.option(option::IA_NA, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.finish()
}

/// Prefixes with their valid times, the status, and what is to be on disk.
#[derive(Debug, Default)]
struct Told {
    prefixes: Vec<(Ipv6Net, u32)>,
    status: Option<u16>,
    renew: u32,
    leases: Vec<(std::net::Ipv6Addr, Lease)>,
}

fn ask(server: &mut Server6, asked: &Asked<'_>, book: &Book, now: u64) -> Told {
    let from = From6 { lan: 0, source: format!("fe80::{:x}", asked.router).parse().unwrap(), mac: None };
    let (records, reply) = match server.handle(from, &message(asked), book, now) {
        Action6::Send(reply) => (Vec::new(), reply),
        Action6::Commit(records, reply) => (records, reply),
        // Nothing of it is ours to answer.
        Action6::None => return Told::default(),
    };
    let mut told =
        Told { leases: records.into_iter().map(|one| (one.address, one.lease)).collect(), ..Told::default() };
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    for (code, value) in Options::new(&reply.bytes[4..]) {
        if code != option::IA_PD {
            continue;
        }
        told.renew = number(&value[4..8]);
        for (code, value) in Options::new(&value[12..]) {
            if code == option::STATUS {
                told.status = Some(u16::from_be_bytes([value[0], value[1]]));
            } else if code == option::IA_PREFIX {
                let octets: [u8; 16] = value[9..25].try_into().unwrap();
                told.prefixes.push((Ipv6Net::new(octets.into(), value[8]).unwrap(), number(&value[4..8])));
            }
        }
    }
    told
}

fn nets(told: &Told) -> Vec<Ipv6Net> {
    told.prefixes.iter().filter(|(_, valid)| *valid > 0).map(|(net, _)| *net).collect()
}

fn routes(server: &Server6, pools: &str, now: u64) -> Vec<(Ipv6Net, String)> {
    let mut four = Server::default();
    four.configure(&snapshot(pools));
    let told = names::routed(&four, server, &Book::default(), now);
    assert!(told.routes.iter().all(|one| one.interface == "eth1"));
    told.routes.into_iter().map(|one| (one.prefix, one.via.to_string())).collect()
}

#[test]
fn each_router_has_its_own_and_keeps_it() {
    let (mut server, book) = (server(POOL), Book::default());
    let mut seen = BTreeSet::new();
    for router in 1..=4 {
        let offered = ask(&mut server, &Asked { kind: kind::SOLICIT, router, has: &[] }, &book, NOW);
        assert!(offered.leases.is_empty() && offered.status.is_none(), "{offered:?}");
        let given =
            ask(&mut server, &Asked { kind: kind::REQUEST, router, has: &nets(&offered) }, &book, NOW);
        assert_eq!(nets(&given), nets(&offered));
        let [net] = nets(&given)[..] else { panic!("{given:?}") };
        assert!(net.prefix_len() == 62 && "2001:db8:a:40::/60".parse::<Ipv6Net>().unwrap().contains(&net));
        assert!(seen.insert(net), "{net} was given to two");
        // One for the prefix, and one for the router's own address.
        assert_eq!(given.leases.len(), 2);
        assert!((1..=1800).contains(&given.renew) && given.prefixes[0].1 == 3600, "{given:?}");
        let again = ask(&mut server, &Asked { kind: kind::RENEW, router, has: &[net] }, &book, NOW + 60);
        assert_eq!(nets(&again), [net]);
        assert!(routes(&server, POOL, NOW + 60).contains(&(net, format!("fe80::{router}"))));
    }
    let fifth = ask(&mut server, &Asked { kind: kind::REQUEST, router: 5, has: &[] }, &book, NOW);
    assert_eq!((fifth.status, nets(&fifth)), (Some(status::NO_PREFIXES), vec![]));
    // One that gives its own back makes room, and nothing leads there any more.
    let second = ask(&mut server, &Asked { kind: kind::RENEW, router: 2, has: &[] }, &book, NOW);
    let net = nets(&second)[0];
    ask(&mut server, &Asked { kind: kind::RELEASE, router: 2, has: &[net] }, &book, NOW + 70);
    assert!(!routes(&server, POOL, NOW + 71).iter().any(|(route, _)| *route == net));
    let fifth = ask(&mut server, &Asked { kind: kind::REQUEST, router: 5, has: &[] }, &book, NOW + 71);
    assert_eq!(nets(&fifth), [net]);
}

#[test]
fn the_owner_takes_one_back() {
    let (mut server, book) = (server(POOL), Book::default());
    let given = ask(&mut server, &Asked { kind: kind::REQUEST, router: 7, has: &[] }, &book, NOW);
    let net = nets(&given)[0];
    let listed = |server: &Server6, now| {
        let (_, lan) = server.nets().next().unwrap();
        let all = pic_dhcp::control::leases6(lan, &book, now);
        let routers = all.into_iter().filter(|lease| !lease.prefixes.is_empty());
        routers.map(|lease| (lease.prefixes, lease.address, lease.duid, lease.state)).collect::<Vec<_>>()
    };
    let duid = Some(Wire(vec![0, 3, 0, 1, 2, 0, 0, 0, 0, 7]));
    let shown = |state: &str| (vec![net], net.network().into(), duid.clone(), state.to_owned());
    assert_eq!(listed(&server, NOW), [shown("bound")]);
    // By the prefix's own address only, not by that of somebody behind the router.
    let behind = std::net::Ipv6Addr::from_bits(net.network().to_bits() | 5);
    assert_eq!(server.end(behind, &book, NOW + 5), None);
    let record = server.end(net.network(), &book, NOW + 5).unwrap();
    assert!(record.lease.via.is_some() && record.lease.expires == NOW + 5, "{record:?}");
    assert_eq!(server.end(net.network(), &book, NOW + 5), None, "once");
    assert_eq!(routes(&server, POOL, NOW + 6), []);
    assert_eq!(listed(&server, NOW + 6), [shown("released")]);
    // The router hears of it, and asks anew.
    let told = ask(&mut server, &Asked { kind: kind::RENEW, router: 7, has: &[net] }, &book, NOW + 10);
    assert_eq!((told.status, nets(&told)), (Some(status::NO_BINDING), vec![]));
    let again = ask(&mut server, &Asked { kind: kind::REQUEST, router: 7, has: &[net] }, &book, NOW + 11);
    assert_eq!(nets(&again), [net]);
    // What nothing is left of is not shown.
    server.configure(&snapshot(""));
    assert_eq!(listed(&server, NOW + 12), []);
}

#[test]
fn what_was_given_is_given_again_after_a_start() {
    let (mut server, book) = (server(POOL), Book::default());
    let given = ask(&mut server, &Asked { kind: kind::REQUEST, router: 7, has: &[] }, &book, NOW);
    let mut bytes = Vec::new();
    for (address, lease) in server.leases() {
        pic_dhcp::store::write(address.into(), lease, &mut bytes);
    }
    let mut next = self::server(POOL);
    let mut rest = &bytes[..];
    while let Some(((std::net::IpAddr::V6(address), lease), left)) = pic_dhcp::store::read(rest) {
        next.load([(address, lease)]);
        rest = left;
    }
    assert_eq!(next.len(), 2);
    assert_eq!(routes(&next, POOL, NOW + 1), [(nets(&given)[0], "fe80::7".to_owned())]);
    let other = ask(&mut next, &Asked { kind: kind::REQUEST, router: 8, has: &nets(&given) }, &book, NOW + 1);
    assert_ne!(nets(&other), nets(&given), "it is another's");
    let again = ask(&mut next, &Asked { kind: kind::REBIND, router: 7, has: &nets(&given) }, &book, NOW + 1);
    assert_eq!(nets(&again), nets(&given));
}

#[test]
fn another_prefix_of_the_uplink_renumbers_and_without_one_there_is_nothing_to_give() {
    let (mut server, book) = (server(POOL), Book::default());
    let given = ask(&mut server, &Asked { kind: kind::REQUEST, router: 7, has: &[] }, &book, NOW);
    let old = nets(&given)[0];
    server.configure(&snapshot(r#"{"pool":"2001:db8:b:80::/60","length":62,"lasting":true}"#));
    let again = ask(&mut server, &Asked { kind: kind::RENEW, router: 7, has: &[old] }, &book, NOW + 10);
    assert!(again.prefixes.contains(&(old, 0)), "the old one is over: {again:?}");
    assert_eq!(nets(&again).len(), 1);
    assert!("2001:db8:b:80::/60".parse::<Ipv6Net>().unwrap().contains(&nets(&again)[0]));
    server.configure(&snapshot(""));
    let none = ask(&mut server, &Asked { kind: kind::RENEW, router: 7, has: &nets(&again) }, &book, NOW + 20);
    assert_eq!((none.status, nets(&none)), (Some(status::NO_PREFIXES), vec![]));
    assert_eq!(none.prefixes, [(nets(&again)[0], 0)]);
    // One that the uplink has taken back is not given either.
    server.configure(&snapshot(r#"{"pool":"2001:db8:c:80::/60","length":62,"lasting":false}"#));
    let none = ask(&mut server, &Asked { kind: kind::SOLICIT, router: 9, has: &[] }, &book, NOW + 30);
    assert_eq!((none.status, nets(&none)), (Some(status::NO_PREFIXES), vec![]));
}

/// Seven routers for four parts, in any order of messages, with any pauses.
fn step() -> impl Strategy<Value = (u8, u8, u64)> {
    let kinds =
        prop::sample::select(vec![kind::SOLICIT, kind::REQUEST, kind::RENEW, kind::REBIND, kind::RELEASE]);
    (kinds, 1..=7_u8, prop_oneof![0..10_u64, 0..5000_u64])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_prefix_is_ever_two_routers_and_routes_lead_to_who_has_it(steps in prop::collection::vec(step(), 1..80)) {
        let (mut server, book, mut now) = (server(POOL), Book::default(), NOW);
        // Who has a prefix, and until when.
        let mut held: BTreeMap<Ipv6Net, (u8, u64)> = BTreeMap::new();
        for (kind, router, pause) in steps {
            now += pause;
            held.retain(|_, (_, until)| *until > now);
            let has: Vec<Ipv6Net> =
                held.iter().filter(|(_, (holder, _))| *holder == router).map(|(net, _)| *net).collect();
            prop_assert!(has.len() <= 1, "{router} has {has:?}");
            let told = ask(&mut server, &Asked { kind, router, has: &has }, &book, now);
            let given = nets(&told);
            for net in &given {
                let other = held.get(net).filter(|(holder, _)| *holder != router);
                prop_assert!(other.is_none(), "{net} is of {other:?} and was told to {router}");
            }
            match kind {
                kind::RELEASE => held.retain(|_, (holder, _)| *holder != router),
                kind::SOLICIT => {}
                _ => {
                    for (net, valid) in told.prefixes.iter().filter(|(_, valid)| *valid > 0) {
                        held.insert(*net, (router, now + u64::from(*valid)));
                    }
                }
            }
            // Whoever has one keeps it, as long as they ask.
            if let (Some(net), false) = (has.first(), kind == kind::RELEASE) {
                prop_assert_eq!(&given, &[*net]);
            }
            let wanted: Vec<_> = held.iter().map(|(net, (holder, _))| (*net, format!("fe80::{holder:x}"))).collect();
            prop_assert_eq!(routes(&server, POOL, now), wanted);
        }
    }
}
