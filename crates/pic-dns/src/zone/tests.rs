use pic_model::snapshot::dns::{VERSION, Zone as SnapshotZone};

use super::*;

fn host(name: &str, addresses: &[&str]) -> Host {
    Host { name: name.into(), addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect() }
}

fn record(name: &str, data: RecordData) -> Record {
    Record { name: name.into(), ttl: 30, data }
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
        upstreams: vec![],
        zones: vec![zone],
        reverse: vec!["77.10.in-addr.arpa".into(), "0.0.d.f.ip6.arpa".into()],
    }
}

fn look(zones: &Zones, text: &str, qtype: u16) -> String {
    match zones.lookup(&name::from_text(text).unwrap(), qtype) {
        Found::Records(set) => format!("{} records", set.rdata.len()),
        Found::NoData(zone) => format!("nodata {}", show(&zone.apex)),
        Found::NxDomain(zone) => format!("nxdomain {}", show(&zone.apex)),
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
        ("22.0.77.10.in-addr.arpa", rtype::PTR, "nxdomain 77.10.in-addr.arpa"),
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
        let Found::Records(set) = zones.lookup(&reverse::name(ip.parse().unwrap()), rtype::PTR) else {
            panic!("no pointer for {ip}");
        };
        assert_eq!((show(&set.rdata[0]).as_str(), set.ttl), ("phone.home.cell", 60));
    }
    let Found::Records(set) = zones.lookup(&name::from_text("phone.home.cell").unwrap(), rtype::A) else {
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
