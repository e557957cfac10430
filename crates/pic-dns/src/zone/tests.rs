use pic_model::snapshot::dns::{
    DnsSnapshot, Forward, Host, Record, RecordData, VERSION, View, Zone as SnapshotZone,
};

use super::*;
use crate::policy::Policy;

fn host(name: &str, addresses: &[&str]) -> Host {
    Host {
        name: name.into(),
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        views: None,
    }
}

fn record(name: &str, data: RecordData) -> Record {
    Record { name: name.into(), ttl: 30, data, views: None }
}

fn snapshot() -> DnsSnapshot {
    let zone = SnapshotZone {
        name: "home.cell".into(),
        ttl: 60,
        hosts: vec![
            host("", &["10.77.0.1"]),
            host("a.b", &["10.77.0.3", "192.0.2.3"]),
            host("phone", &["10.77.0.2", "fd00::2"]),
        ],
        records: vec![
            record("nas.home.cell", RecordData::Address("10.77.0.3".parse().unwrap())),
            record("phone.home.cell", RecordData::Address("10.77.0.22".parse().unwrap())),
        ],
    };
    DnsSnapshot {
        version: VERSION,
        generation: 5,
        listen: vec![],
        clients: vec![],
        zones: vec![zone],
        reverse: vec!["77.10.in-addr.arpa".into(), "0.0.d.f.ip6.arpa".into()],
        ..DnsSnapshot::empty()
    }
}

fn look(zones: &Zones, text: &str, qtype: u16) -> String {
    match zones.lookup(&name::from_text(text).unwrap(), qtype, &Client::ANY) {
        Found::Records(set) => format!("{} records", set.rdata.iter().count()),
        Found::NoData(zone) => format!("nodata {}", show(&zone.apex)),
        Found::NxDomain(zone) => format!("nxdomain {}", show(&zone.apex)),
        Found::Alias(set) => format!("alias {}", show(set.rdata.first().unwrap())),
        Found::Forward(number) => format!("forward {number}"),
        Found::Elsewhere => "elsewhere".into(),
    }
}

fn show(mut name: &[u8]) -> String {
    let mut labels = vec![];
    while let Some(rest) = name::parent(name) {
        labels.push(String::from_utf8_lossy(&name[1..name.len() - rest.len()]).into_owned());
        name = rest;
    }
    labels.join(".")
}

#[test]
fn answers_for_its_own_names_only() {
    let zones = Zones::compile(&snapshot()).unwrap();
    let cases = [
        ("phone.home.cell", rtype::A, "2 records"),
        ("nas.home.cell", rtype::A, "1 records"),
        ("a.b.home.cell", rtype::A, "2 records"),
        ("phone.home.cell", rtype::AAAA, "1 records"),
        ("home.cell", rtype::SOA, "1 records"),
        ("home.cell", rtype::NS, "1 records"),
        ("home.cell", rtype::AAAA, "nodata home.cell"),
        ("phone.home.cell", rtype::PTR, "nodata home.cell"),
        ("x.home.cell", rtype::A, "nxdomain home.cell"),
        ("x.phone.home.cell", rtype::A, "nxdomain home.cell"),
        ("b.home.cell", rtype::A, "nodata home.cell"),
        ("2.0.77.10.in-addr.arpa", rtype::PTR, "1 records"),
        ("3.0.77.10.in-addr.arpa", rtype::PTR, "1 records"),
        ("22.0.77.10.in-addr.arpa", rtype::PTR, "1 records"),
        ("3.2.0.192.in-addr.arpa", rtype::PTR, "nxdomain 2.0.192.in-addr.arpa"),
        ("0.77.10.in-addr.arpa", rtype::PTR, "nodata 77.10.in-addr.arpa"),
        ("example.com", rtype::A, "elsewhere"),
        ("arpa", rtype::A, "elsewhere"),
        ("", rtype::NS, "elsewhere"),
    ];
    for (name, qtype, expected) in cases {
        assert_eq!(look(&zones, name, qtype), expected, "{name} {qtype}");
    }
}

#[test]
fn pointers_lead_to_whole_names() {
    let zones = Zones::compile(&snapshot()).unwrap();
    for ip in ["10.77.0.2", "fd00::2"] {
        let Found::Records(set) = zones.lookup(&reverse::name(ip.parse().unwrap()), rtype::PTR, &Client::ANY)
        else {
            panic!("no pointer for {ip}");
        };
        assert_eq!((show(set.rdata.first().unwrap()).as_str(), set.ttl), ("phone.home.cell", 60));
    }
    let Found::Records(set) =
        zones.lookup(&name::from_text("phone.home.cell").unwrap(), rtype::A, &Client::ANY)
    else {
        panic!()
    };
    assert_eq!(set.ttl, 30, "one for the whole set");
}

#[test]
fn special_names_stay_here() {
    let zones = Zones::compile(&snapshot()).unwrap();
    let cases = [
        ("localhost", rtype::A, "1 records"),
        ("x.localhost", rtype::AAAA, "1 records"),
        ("localhost", rtype::PTR, "nodata localhost"),
        ("a.invalid", rtype::A, "nxdomain invalid"),
        ("other.cell", rtype::A, "nxdomain cell"),
        ("cell", rtype::A, "nodata cell"),
        ("1.1.168.192.in-addr.arpa", rtype::PTR, "nxdomain 168.192.in-addr.arpa"),
        ("1.0.78.10.in-addr.arpa", rtype::PTR, "nxdomain 10.in-addr.arpa"),
        ("1.1.32.172.in-addr.arpa", rtype::PTR, "elsewhere"),
    ];
    for (name, qtype, expected) in cases {
        assert_eq!(look(&zones, name, qtype), expected, "{name} {qtype}");
    }
}

#[test]
fn refuses_what_does_not_belong() {
    let mut outside = snapshot();
    outside.zones[0].records.push(record("phone.example.com", RecordData::Ptr("home.cell".into())));
    assert!(matches!(Zones::compile(&outside), Err(ZoneError::Outside { .. })));
    let mut bad = snapshot();
    bad.zones[0].name = "home..cell".into();
    assert!(matches!(Zones::compile(&bad), Err(ZoneError::Name(_))));
    let mut bad = snapshot();
    bad.zones[0].hosts[1].name = "a b".into();
    assert!(matches!(Zones::compile(&bad), Err(ZoneError::Name(_))));
}

#[test]
fn every_special_name_is_valid() {
    for name in special::empty_zones() {
        assert!(name::from_text(&name).is_some(), "{name}");
    }
}

fn raw(name: &str, rtype: u16, hex: &str, views: Option<Vec<u16>>) -> Record {
    Record { name: name.into(), ttl: 30, data: RecordData::Raw { rtype, hex: hex.into() }, views }
}

#[test]
fn wildcards_aliases_and_forwards() {
    let mut snapshot = snapshot();
    let address = |name: &str| record(name, RecordData::Address("192.0.2.9".parse().unwrap()));
    snapshot.zones[0].records.extend([
        address("*.apps.home.cell"),
        address("one.two.apps.home.cell"),
        raw(
            "www.home.cell",
            rtype::CNAME,
            "036e6173c00000".replace("c000", "04686f6d650463656c6c").as_str(),
            None,
        ),
    ]);
    snapshot.forwards = vec![Forward { zone: "office.cell".into(), upstreams: vec![] }];
    let zones = Zones::compile(&snapshot).unwrap();
    for (name, wanted) in [
        ("x.apps.home.cell", "1 records"),
        ("y.x.apps.home.cell", "1 records"),
        ("two.apps.home.cell", "nodata home.cell"),
        ("z.two.apps.home.cell", "nxdomain home.cell"),
        ("apps.home.cell", "nodata home.cell"),
        ("www.home.cell", "alias nas.home.cell"),
        ("pc.office.cell", "forward 0"),
        ("office.cell", "forward 0"),
        ("other.cell", "nxdomain cell"),
    ] {
        assert_eq!(look(&zones, name, rtype::A), wanted, "{name}");
    }
    assert_eq!(look(&zones, "www.home.cell", rtype::CNAME), "1 records");
    assert!(
        Zones::compile(&{
            snapshot.zones[0].records.push(raw("bad.home.cell", 16, "abc", None));
            snapshot
        })
        .is_err()
    );
}

#[test]
fn views_see_what_is_for_them() {
    let mut snapshot = snapshot();
    let view = |name: &str, client: &str, cell| View {
        name: name.into(),
        clients: vec![client.parse().unwrap()],
        cell,
        internet: true,
        private: false,
        blocklists: vec![],
        exit: None,
        egress: vec![],
    };
    snapshot.clients = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/16".parse().unwrap()];
    snapshot.views = vec![
        view("host", "10.77.0.1/32", true),
        view("peers", "10.77.0.0/16", true),
        view("guests", "10.78.0.0/16", false),
    ];
    snapshot.zones[0].hosts[2].views = Some(vec![0]);
    let address = |views, text: &str| Record {
        name: "nas.home.cell".into(),
        ttl: 30,
        data: RecordData::Address(text.parse().unwrap()),
        views,
    };
    snapshot.zones[0].records.extend([address(None, "192.0.2.1"), address(Some(vec![1]), "192.0.2.2")]);
    let zones = Zones::compile(&snapshot).unwrap();
    let policy = Policy::new(&snapshot, &zones);
    let look = |source: &str, text: &str, qtype| {
        let client = policy.admit(source.parse().unwrap()).unwrap();
        match zones.lookup(&name::from_text(text).unwrap(), qtype, &client) {
            Found::Records(set) => {
                set.rdata.iter().map(|r| r.last().unwrap().to_string()).collect::<Vec<_>>().join(",")
            }
            Found::NoData(_) => "nodata".into(),
            Found::NxDomain(_) => "nxdomain".into(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(
        look("10.77.0.1", "phone.home.cell", rtype::A),
        "2",
        "the host sees all, and of two the one for fewer"
    );
    assert_eq!(look("10.77.0.2", "phone.home.cell", rtype::A), "2", "itself");
    assert_eq!(look("fd00::2", "phone.home.cell", rtype::A), "2", "itself by its other address");
    assert_eq!(look("10.77.0.2", "2.0.77.10.in-addr.arpa", rtype::PTR), "0");
    assert_eq!(look("10.77.0.9", "2.0.77.10.in-addr.arpa", rtype::PTR), "nxdomain");
    assert_eq!(look("10.77.0.9", "nas.home.cell", rtype::A), "2", "the one for fewer");
    assert_eq!(look("10.79.0.9", "nas.home.cell", rtype::A), "3,1", "in no view");
    assert_eq!(look("10.78.0.9", "nas.home.cell", rtype::A), "nxdomain", "sees no names of the cell");
    assert_eq!(look("10.78.0.9", "home.cell", rtype::A), "nodata");
    assert_eq!(look("10.78.0.9", "b.home.cell", rtype::A), "nodata", "there is something beneath it");
}

#[test]
fn who_shares_an_address_does_not_see_the_next_name() {
    let mut snapshot = snapshot();
    snapshot.clients = vec!["10.0.0.0/8".parse().unwrap()];
    let hidden = |name: &str, address: &str| Host { views: Some(vec![]), ..host(name, &[address]) };
    snapshot.zones[0].hosts.extend([
        hidden("one", "10.77.0.7"),
        hidden("same", "10.77.0.7"),
        hidden("next", "10.77.0.8"),
    ]);
    let zones = Zones::compile(&snapshot).unwrap();
    let policy = Policy::new(&snapshot, &zones);
    let sees = |source: &str, text: &str| {
        let client = policy.admit(source.parse().unwrap()).unwrap();
        matches!(zones.lookup(&name::from_text(text).unwrap(), rtype::A, &client), Found::Records(_))
    };
    assert!(sees("10.77.0.7", "same.home.cell") && sees("10.77.0.8", "next.home.cell"));
    assert!(!sees("10.77.0.7", "next.home.cell") && !sees("10.77.0.8", "same.home.cell"));
}

#[test]
fn values_that_are_said_twice_are_there_once() {
    let mut snapshot = snapshot();
    snapshot.zones[0]
        .hosts
        .extend([host("twice", &["10.77.0.9", "10.77.0.9"]), host("twice", &["10.77.0.9"])]);
    let zones = Zones::compile(&snapshot).unwrap();
    assert_eq!(look(&zones, "twice.home.cell", rtype::A), "1 records");
    assert_eq!(look(&zones, "9.0.77.10.in-addr.arpa", rtype::PTR), "1 records");
}
