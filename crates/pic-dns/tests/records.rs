//! Records of every kind and what each client sees of them, asked by dig.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use kit::{Service, fresh_address, snapshot};
use pic_model::dns::{Origin, RData, RecordType};
use pic_model::snapshot::dns::{DnsRequest, DnsSnapshot, Forward, Record, RecordData, Upstream, View};

const ZONE: &str = "home.cell";

fn record(name: &str, rtype: RecordType, value: &str) -> Record {
    let origin = Origin { zone: ZONE, strict: false };
    let data = RData::parse(rtype, value, origin).unwrap();
    let hex = data.wire.iter().map(|byte| format!("{byte:02x}")).collect();
    let data = RecordData::Raw { rtype: rtype.number(), hex };
    Record { name: origin.owner(name).unwrap().as_str().into(), ttl: 30, data, views: None }
}

fn with(records: Vec<Record>, upstreams: Vec<Upstream>) -> DnsSnapshot {
    let mut snapshot = snapshot(fresh_address(), upstreams);
    snapshot.zones[0].records = records;
    snapshot
}

#[test]
fn every_type_as_dig_reads_it() {
    let kinds = [
        ("printer", RecordType::A, "192.168.40.20", "192.168.40.20"),
        ("printer", RecordType::AAAA, "fd00::20", "fd00::20"),
        ("@", RecordType::MX, "10 mail.example.org", "10 mail.example.org."),
        ("@", RecordType::TXT, "v=spf1 -all", "\"v=spf1 -all\""),
        ("@", RecordType::CAA, "0 issue \"ca.example\"", "0 issue \"ca.example\""),
        ("_ipp._tcp", RecordType::SRV, "0 5 631 printer", "0 5 631 printer.home.cell."),
        ("_ipp._tcp", RecordType::PTR, "office._ipp._tcp.home.cell", "office._ipp._tcp.home.cell."),
        ("_443._tcp.www", RecordType::TLSA, "3 1 0 00ff", "3 1 0 00FF"),
        (
            "ssh",
            RecordType::SSHFP,
            "4 1 00112233445566778899aabbccddeeff00112233",
            "4 1 00112233445566778899AABBCCDDEEFF00112233",
        ),
        ("web", RecordType::HTTPS, "1 . alpn=h2,h3 port=8443", "1 . alpn=\"h2,h3\" port=8443"),
        ("_dns", RecordType::SVCB, "1 dns.example alpn=dot", "1 dns.example. alpn=\"dot\""),
        ("*.apps", RecordType::A, "10.77.0.1", "10.77.0.1"),
        ("@", RecordType::NS, "ns2.example.org", "home.cell.\nns2.example.org."),
    ];
    let records = kinds.iter().map(|(name, rtype, value, _)| record(name, *rtype, value)).collect();
    let service = Service::start(&with(records, vec![]), &[]);
    for (name, rtype, _, wanted) in kinds {
        let name = name.replace('*', "any.thing");
        let name = if name == "@" { ZONE.to_owned() } else { format!("{name}.{ZONE}") };
        let mut lines: Vec<String> =
            service.dig(&["+short", &name, rtype.as_str()]).lines().map(str::to_owned).collect();
        lines.sort();
        assert_eq!(lines.join("\n"), wanted, "{name} {rtype}");
    }
}

#[test]
fn aliases_are_followed_inside_and_outside() {
    let mut outside = snapshot(fresh_address(), vec![]);
    outside.zones[0].name = "example".into();
    outside.zones[0].hosts[2].addresses = vec!["192.0.2.7".parse().unwrap()];
    let outside = Service::start(&outside, &[]);
    let records = vec![
        record("www", RecordType::CNAME, "web"),
        record("web", RecordType::CNAME, "phone"),
        record("far", RecordType::CNAME, "phone.example"),
        record("lost", RecordType::CNAME, "nobody.home.cell"),
        record("round", RecordType::CNAME, "round"),
    ];
    let service = Service::start(&with(records, vec![Upstream::Plain { address: outside.at }]), &[]);
    let chain = "web.home.cell.\nphone.home.cell.\n10.77.0.2\n";
    assert_eq!(service.dig(&["+short", "www.home.cell"]), chain);
    assert_eq!(service.dig(&["+short", "www.home.cell", "CNAME"]), "web.home.cell.\n");
    for _ in 0..2 {
        assert_eq!(
            service.dig(&["+short", "far.home.cell"]),
            "phone.example.\n192.0.2.7\n",
            "asked, then cached"
        );
    }
    let lost = service.dig(&["lost.home.cell"]);
    assert!(lost.contains("NXDOMAIN") && lost.contains("CNAME") && lost.contains("SOA"), "{lost}");
    assert!(service.dig(&["round.home.cell"]).contains("SERVFAIL"));
}

#[test]
fn forwards_zones_of_their_own_and_says_why() {
    let mut office = snapshot(fresh_address(), vec![]);
    office.zones[0].name = "office.cell".into();
    let office = Service::start(&office, &[]);
    let mut home = with(vec![record("nas", RecordType::CNAME, "phone.office.cell")], vec![]);
    let upstreams = vec![Upstream::Plain { address: office.at }];
    home.forwards = vec![Forward { zone: "office.cell".into(), upstreams }];
    home.views = vec![
        View {
            name: "host".into(),
            clients: vec!["127.0.0.1/32".parse().unwrap()],
            cell: true,
            internet: true,
            private: false,
            blocklists: vec![],
            exit: None,
            egress: vec![],
        },
        View {
            name: "kids".into(),
            clients: vec!["127.0.0.2/32".parse().unwrap()],
            cell: true,
            internet: false,
            private: false,
            blocklists: vec![],
            exit: None,
            egress: vec![],
        },
    ];
    home.zones[0].hosts[2].views = Some(vec![0]);
    let service = Service::start(&home, &[]);
    assert_eq!(
        service.dig(&["+short", "phone.office.cell"]),
        "10.77.0.2\n",
        "private, but named for this zone"
    );
    assert_eq!(service.dig(&["+short", "nas.home.cell"]), "phone.office.cell.\n10.77.0.2\n");
    assert_eq!(service.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n");
    assert!(service.dig(&["-b", "127.0.0.2", "phone.home.cell"]).contains("NXDOMAIN"));
    let refused = service.dig(&["-b", "127.0.0.2", "example.com"]);
    assert!(refused.contains("REFUSED") && refused.contains("may not reach the internet"), "{refused}");

    let why = |name: &str, source: &str| {
        let ask = DnsRequest::Query { name: name.into(), rtype: 1, source: source.parse().unwrap() };
        let answer = service.control(&ask);
        format!("{} {}", answer["rcode"].as_str().unwrap(), answer["why"])
    };
    let hidden = why("phone.home.cell", "127.0.0.2");
    assert!(
        hidden.contains("NXDOMAIN") && hidden.contains("kids") && hidden.contains("may not see it"),
        "{hidden}"
    );
    let alias = why("nas.home.cell.", "127.0.0.1");
    assert!(alias.contains("alias") && alias.contains("in the cache"), "{alias}");
    assert!(why("phone.home.cell", "10.99.0.1").starts_with("REFUSED"));
    let stranger = why("phone.home.cell", "192.0.2.1");
    assert!(stranger.starts_with("DROPPED") && stranger.contains("none of the networks"), "{stranger}");
    assert!(service.control(&DnsRequest::Status)["listening"].is_array());
    let flushed = service.control(&DnsRequest::Flush { name: Some("office.cell".into()) });
    assert!(flushed["entries"].as_u64().unwrap() >= 1, "{flushed}");
    assert!(service.control(&DnsRequest::Flush { name: Some("a..b".into()) })["error"].is_string());
}
