//! DNSSEC validation, against zones signed and served by other people's programs.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::path::PathBuf;
use std::process::Command;

use kit::signed::{Tree, router};
use kit::{Service, fresh_address, snapshot, wait_for, write};
use pic_model::snapshot::dns::{DnsRequest, DnsSnapshot, Dnssec, Forward, Upstream};

fn validating(upstreams: Vec<std::net::SocketAddr>, anchor: PathBuf) -> DnsSnapshot {
    let upstreams = upstreams.into_iter().map(|address| Upstream::Plain { address }).collect();
    let anchor = anchor.to_str().unwrap().to_owned();
    DnsSnapshot {
        dnssec: Some(Dnssec { trust_anchor: Some(anchor), required: true }),
        ..snapshot(fresh_address(), upstreams)
    }
}

/// Status, flags and whether the answer came with signatures.
fn seen(text: &str) -> (String, bool, bool) {
    let between = |from: &str, to: &str| {
        text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(found, _)| found.to_owned())
    };
    let status = between("status: ", ",").unwrap_or_else(|| panic!("no answer: {text}"));
    let flags = between("flags: ", ";").unwrap();
    (status, flags.split(' ').any(|flag| flag == "ad"), text.contains("RRSIG"))
}

#[test]
fn answers_are_judged() {
    let tree = Tree::start("");
    let service = Service::start(&validating(vec![tree.upstream], tree.anchor()), &[]);
    let ask = |args: &[&str]| service.dig(args);

    // Authentic: data of every kind, aliases, wildcards, and each kind of no, by NSEC and NSEC3, with three algorithms.
    for (name, rtype, status) in [
        ("www.good.lab", "A", "NOERROR"),
        ("WWW.Good.Lab", "AAAA", "NOERROR"),
        ("good.lab", "MX", "NOERROR"),
        ("good.lab", "DNSKEY", "NOERROR"),
        ("good.lab", "DS", "NOERROR"),
        ("good.lab", "SOA", "NOERROR"),
        ("alias.good.lab", "A", "NOERROR"),
        ("far.good.lab", "A", "NOERROR"),
        ("far.good.lab", "AAAA", "NOERROR"),
        ("www.moved.good.lab", "A", "NOERROR"),
        ("no.moved.good.lab", "A", "NXDOMAIN"),
        ("any.wild.good.lab", "A", "NOERROR"),
        ("any.wild.good.lab", "AAAA", "NOERROR"),
        ("any.aliased.good.lab", "A", "NOERROR"),
        ("empty.good.lab", "A", "NOERROR"),
        ("www.good.lab", "TXT", "NOERROR"),
        ("no.good.lab", "A", "NXDOMAIN"),
        ("deep.no.good.lab", "A", "NXDOMAIN"),
        ("text.good.lab", "TXT", "NOERROR"),
        ("caa.good.lab", "CAA", "NOERROR"),
        ("web.good.lab", "HTTPS", "NOERROR"),
        ("svc.good.lab", "SVCB", "NOERROR"),
        ("_sip._tcp.good.lab", "SRV", "NOERROR"),
        ("name.good.lab", "NAPTR", "NOERROR"),
        ("odd.good.lab", "TYPE65400", "NOERROR"),
        ("www.hashed.lab", "A", "NOERROR"),
        ("any.wild.hashed.lab", "A", "NOERROR"),
        ("any.wild.hashed.lab", "AAAA", "NOERROR"),
        ("empty.hashed.lab", "A", "NOERROR"),
        ("www.hashed.lab", "MX", "NOERROR"),
        ("deep.no.hashed.lab", "A", "NXDOMAIN"),
        ("www.opted.lab", "A", "NOERROR"),
        ("www.costly.lab", "A", "NOERROR"),
        ("nothing", "A", "NXDOMAIN"),
        (".", "NS", "NOERROR"),
        (".", "DS", "NOERROR"),
    ] {
        for _ in 0..2 {
            let bare = ask(&[name, rtype]);
            assert_eq!(seen(&bare), (status.to_owned(), true, false), "{bare}");
        }
        let signed = ask(&["+dnssec", name, rtype]);
        assert_eq!(seen(&signed), (status.to_owned(), true, true), "{signed}");
        assert!(!seen(&ask(&["+noadflag", name, rtype])).1, "only those who ask are told");
        let unchecked = ask(&["+cd", "+dnssec", name, rtype]);
        assert_eq!(seen(&unchecked), (status.to_owned(), false, true), "{unchecked}");
    }

    // Not signed, and proven to be so.
    for (name, status) in [
        ("www.plain.lab", "NOERROR"),
        ("no.plain.lab", "NXDOMAIN"),
        ("out.good.lab", "NOERROR"),
        ("www.sub.opted.lab", "NOERROR"),
        ("no.opted.lab", "NXDOMAIN"),
        ("www.island.lab", "NOERROR"),
        ("www.odd.lab", "NOERROR"),
        ("no.costly.lab", "NXDOMAIN"),
    ] {
        let bare = ask(&[name, "A"]);
        assert_eq!(seen(&bare), (status.to_owned(), false, false), "{bare}");
    }

    // Wrong, each in its way; and it is said how.
    for (name, words) in [
        ("www.forged.lab", "the signature of www.forged.lab A by zone forged.lab is wrong"),
        ("to.plain.lab", "the signature of www.forged.lab A by zone forged.lab is wrong"),
        ("www.expired.lab", "has expired"),
        ("www.early.lab", "is not yet valid"),
        ("www.stripped.lab", "zone stripped.lab has no keys"),
        ("www.strange.lab", "zone strange.lab has none of the keys that the zone above it names"),
    ] {
        let text = ask(&[name, "A"]);
        assert_eq!(seen(&text).0, "SERVFAIL", "{text}");
        assert!(text.contains("EDE: ") && text.contains(words), "{text}");
        assert_eq!(seen(&ask(&["+cd", name, "A"])).0, "NOERROR", "{name} without checking");
        let asked = DnsRequest::Query { name: name.to_owned(), rtype: 1, source: [127, 0, 0, 1].into() };
        let why = service.control(&asked)["why"].to_string();
        assert!(why.contains("DNSSEC validation failed: ") && why.contains(words), "{why}");
    }

    // Our own names are nobody's proof.
    assert!(!seen(&ask(&["phone.home.cell"])).1);
    let asked = DnsRequest::Query { name: "www.good.lab".into(), rtype: 1, source: [127, 0, 0, 1].into() };
    let why = service.control(&asked)["why"].to_string();
    assert!(why.contains("it is signed, and follows from the trust anchor"), "{why}");
    let status = wait_for(5, || service.status().filter(|status| status.counters.bogus > 0));
    assert!(status.counters.authentic > 30, "{status:?}");
    assert_eq!(status.dnssec.map(|state| (state.anchor_error, state.clock_doubt)), Some((None, None)));
}

#[test]
fn validators_behind_us_get_what_they_need() {
    let tree = Tree::start("");
    let service = Service::start(&validating(vec![tree.upstream], tree.anchor()), &[]);
    let anchor = std::fs::read_to_string(tree.anchor()).unwrap();
    let words: Vec<&str> = anchor.split_whitespace().skip(3).collect();
    let digest = words[3..].concat();
    let keys = tempfile::NamedTempFile::new().unwrap();
    let text =
        format!("trust-anchors {{ . static-ds {} {} {} \"{digest}\"; }};\n", words[0], words[1], words[2]);
    write(keys.path(), &text);
    let (address, port) = (format!("@{}", service.at.ip()), service.at.port().to_string());
    let delv = |name: &str| {
        let mut command = Command::new("delv");
        command.arg(&address).args(["-p", &port, "-a"]).arg(keys.path()).args(["+root=.", name, "A"]);
        let done = command.output().unwrap();
        [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    };
    for name in ["www.good.lab", "any.wild.good.lab", "no.good.lab", "www.hashed.lab", "no.hashed.lab"] {
        let text = delv(name);
        assert!(text.contains("fully validated"), "{text}");
    }
    assert!(delv("www.plain.lab").contains("unsigned answer"));
    assert!(delv("www.forged.lab").contains("resolution failed"));
    let kdig = Command::new("kdig")
        .arg(&address)
        .args(["-p", &port, "+dnssec", "+adflag", "www.good.lab"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&kdig.stdout).into_owned();
    assert!(text.contains("Flags: qr rd ra ad") && text.contains("RRSIG"), "{text}");
}

#[test]
fn an_upstream_without_signatures_is_told_apart() {
    let tree = Tree::start("");
    let router = router(tree.upstream);
    let alone = Service::start(&validating(vec![router], tree.anchor()), &[]);
    let text = alone.dig(&["www.good.lab"]);
    assert!(text.contains("SERVFAIL") && text.contains("cannot do DNSSEC"), "{text}");
    assert!(alone.dig(&["www.plain.lab"]).contains("SERVFAIL"), "nothing proves that it is not signed");
    assert_eq!(alone.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n", "our own names need nobody");
    wait_for(5, || alone.status().filter(|status| status.upstreams[0].unsigned));
    let is_blind =
        |service: &Service| service.status().and_then(|status| status.dnssec).map(|state| state.blind);
    wait_for(5, || (is_blind(&alone) == Some(true)).then_some(()));

    let two = Service::start(&validating(vec![router, tree.upstream], tree.anchor()), &[]);
    for name in ["www.good.lab", "www.hashed.lab"] {
        let text = two.dig(&[name]);
        assert_eq!(seen(&text), ("NOERROR".to_owned(), true, false), "{text}");
    }
    let unsigned = |list: Vec<pic_model::snapshot::dns::DnsUpstreamStatus>| -> Vec<bool> {
        list.iter().map(|upstream| upstream.unsigned).collect()
    };
    wait_for(5, || two.status().filter(|status| unsigned(status.upstreams.clone()) == [true, false]));
    assert_eq!(is_blind(&two), Some(false), "one is enough");

    let mut wanted = validating(vec![router], tree.anchor());
    wanted.dnssec.as_mut().unwrap().required = false;
    let wanted = Service::start(&wanted, &[]);
    for name in ["www.good.lab", "www.plain.lab", "www.hashed.lab"] {
        let text = wanted.dig(&[name]);
        assert_eq!(seen(&text), ("NOERROR".to_owned(), false, false), "given unvalidated: {text}");
    }
    wait_for(5, || wanted.status().filter(|status| status.upstreams[0].unsigned));
    assert_eq!(is_blind(&wanted), Some(false), "names are answered");
    let mut wanted = validating(vec![tree.upstream], tree.anchor());
    wanted.dnssec.as_mut().unwrap().required = false;
    let wanted = Service::start(&wanted, &[]);
    assert!(wanted.dig(&["www.forged.lab"]).contains("SERVFAIL"), "where signatures come, they count");

    let mut off = validating(vec![router], tree.anchor());
    off.dnssec = None;
    let off = Service::start(&off, &[]);
    assert_eq!(off.dig(&["+short", "www.good.lab"]), "192.0.2.20\n", "until it is turned off");
}

#[test]
fn own_zones_elsewhere_are_not_held_against_the_public_tree() {
    let tree = Tree::start("");
    // A resolver that knows nothing of signatures, and names beneath signed zones that the tree does not have.
    let mut office = snapshot(fresh_address(), vec![]);
    office.zones[0].name = "office.good.lab".into();
    let office = Service::start(&office, &[]);
    let mut inside = validating(vec![tree.upstream], tree.anchor());
    let elsewhere = vec![Upstream::Plain { address: office.at }];
    inside.forwards = vec![Forward { zone: "office.good.lab".into(), upstreams: elsewhere }];
    inside.private = vec!["forged.lab".into()];
    let service = Service::start(&inside, &[]);
    let text = service.dig(&["phone.office.good.lab"]);
    assert_eq!(seen(&text), ("NOERROR".to_owned(), false, false), "{text}");
    assert_eq!(service.dig(&["+short", "www.forged.lab"]), "192.0.2.66\n", "named in dns.private");

    // With a trust anchor for it, it is.
    let mut anchors = std::fs::read_to_string(tree.anchor()).unwrap();
    anchors.push_str(
        "good.lab. IN DS 1 13 2 0123456789012345678901234567890123456789012345678901234567890123\n",
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path(), &anchors);
    inside.listen = vec![fresh_address()];
    inside.dnssec =
        Some(Dnssec { trust_anchor: Some(file.path().to_str().unwrap().to_owned()), required: true });
    let strict = Service::start(&inside, &[]);
    assert!(strict.dig(&["phone.office.good.lab"]).contains("SERVFAIL"));
}

#[test]
fn a_clock_that_is_wrong_by_years_stops_nobody() {
    let tree = Tree::start("-s now+1000d -e now+1090d");
    let service = Service::start(&validating(vec![tree.upstream], tree.anchor()), &[]);
    assert_eq!(service.dig(&["+short", "www.good.lab"]), "192.0.2.20\n");
    assert!(service.dig(&["www.forged.lab"]).contains("SERVFAIL"), "signatures are checked all the same");
    let state = wait_for(5, || service.status()?.dnssec?.clock_doubt);
    assert!(state.0 < state.1);
}

#[test]
fn a_bad_trust_anchor_file_is_told_and_followed() {
    let tree = Tree::start("");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("anchors");
    let service = Service::start(&validating(vec![tree.upstream], file.clone()), &[]);
    assert!(service.dig(&["www.good.lab"]).contains("SERVFAIL"));
    assert_eq!(service.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n");
    let error = wait_for(5, || service.status()?.dnssec?.anchor_error);
    assert!(error.contains("cannot read"), "{error}");
    write(&file, std::fs::read_to_string(tree.anchor()).unwrap());
    wait_for(15, || seen(&service.dig(&["www.hashed.lab"])).1.then_some(()));
    wait_for(5, || service.status()?.dnssec?.anchor_error.is_none().then_some(()));
}
