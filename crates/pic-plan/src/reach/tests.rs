use pic_model::config::parse;

use super::*;
use crate::compile::compile;
use crate::facts::{Facts, UplinkFacts};

const CELL: &str = r#"
[cell]
name = "home"
[[peer]]
name = "phone"
public_key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
[[peer]]
name = "tablet"
public_key = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="
allow = ["cell"]
[[peer]]
name = "old"
public_key = "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2M="
enabled = false
[[lan]]
name = "guest"
interface = "eth1"
ipv4 = "192.168.41.1/24"
allow = ["internet"]
[[reservation]]
lan = "guest"
mac = "00:11:22:33:44:55"
address = "192.168.41.10"
name = "printer"
"#;

fn facts() -> Facts {
    Facts {
        uplink: Some(UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 9].into()),
            ipv6: Some("2001:db8:1::9".parse().unwrap()),
            routes6: true,
        }),
        host_networks: vec![crate::facts::HostNetwork {
            network: "203.0.113.0/24".parse().unwrap(),
            interface: "eth0".into(),
        }],
        ..crate::memory::facts()
    }
}

fn verdicts(text: &str, from: &str, to: &str) -> String {
    let (desired, facts) = (parse(text).unwrap(), facts());
    let targets = compile(Some(&desired), &facts);
    let ways = ways(&desired, &facts, &targets, &from.parse().unwrap(), &to.parse().unwrap());
    let told = |way: Way| walk(&targets, &facts, &way.packet).verdict.as_str();
    match ways {
        Ok(ways) => ways.into_iter().map(told).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn reaches_what_was_granted_and_nothing_else() {
    let cases = [
        ("phone", "internet:443", "allowed allowed"),
        ("phone", "cell", "allowed allowed"),
        ("phone", "cell:22", "allowed allowed"),
        ("phone", "cell:udp/53", "allowed allowed"),
        ("phone", "cell:8080", "refused refused"),
        ("phone", "tablet:443", "unreachable unreachable"),
        ("phone", "printer", "unreachable"),
        ("phone", "10.0.0.1:80", "unreachable"),
        ("tablet", "internet:443", "unreachable unreachable"),
        ("tablet", "cell:22", "allowed allowed"),
        ("old", "cell", "unreachable unreachable"),
        ("cell", "old", "unreachable unreachable"),
        ("cell", "phone:80", "allowed allowed"),
        ("guest", "internet:443", "allowed allowed"),
        ("guest", "cell:udp/53", "allowed allowed"),
        ("guest", "cell:22", "refused refused"),
        ("guest", "phone", "unreachable unreachable"),
        ("printer", "internet", "allowed"),
        ("internet", "cell:22", "allowed allowed"),
        ("internet", "cell:udp/51820", "allowed allowed"),
        ("internet", "cell:80", "dropped dropped"),
        ("internet", "phone:80", "dropped dropped"),
        ("internet", "10.77.0.1", "dropped"),
        ("internet", "printer:9100", "dropped"),
        ("10.77.0.2", "1.1.1.1:443", "allowed"),
        ("192.168.41.77", "1.1.1.1", "allowed"),
        ("phone", "fridge", "there is no peer, LAN, app or reservation named \"fridge\""),
    ];
    for (from, to, wanted) in cases {
        assert_eq!(verdicts(CELL, from, to), wanted, "{from} to {to}");
    }
}

#[test]
fn a_forged_source_is_dropped() {
    let (desired, facts) = (parse(CELL).unwrap(), facts());
    let targets = compile(Some(&desired), &facts);
    let forged = |iif: &str, source: &str| {
        let packet = Packet {
            learned: Vec::new(),
            iif: Some(iif.into()),
            source: source.parse().unwrap(),
            destination: [203, 0, 113, 9].into(),
            service: "x:22".parse::<pic_model::reach::Target>().unwrap().service,
        };
        let trace = walk(&targets, &facts, &packet);
        (trace.verdict, trace.steps.last().unwrap().words.clone())
    };
    let (verdict, words) = forged("eth0", "10.77.0.2");
    assert_eq!((verdict, words.as_str()), (Verdict::Dropped, "a peer's address from outside: dropped"));
    assert_eq!(forged("eth1", "8.8.8.8").0, Verdict::Dropped);
    assert_eq!(forged("pic0", "10.77.9.9").0, Verdict::Unreachable);
}

#[test]
fn says_what_decided() {
    let (desired, facts) = (parse(CELL).unwrap(), facts());
    let targets = compile(Some(&desired), &facts);
    let ways = ways(&desired, &facts, &targets, &"phone".parse().unwrap(), &"internet:443".parse().unwrap())
        .unwrap();
    let trace = walk(&targets, &facts, &ways[0].packet);
    let told: Vec<_> = trace.steps.iter().map(|step| format!("{}: {}", step.place, step.words)).collect();
    assert_eq!(
        told,
        [
            "grants: granted: internet: marked 0x1000000 (10.77.0.2 in set internet4, 198.51.100.77 not in set private4)",
            "routing: by eth0 (rule 7700, table main, 0.0.0.0/0)",
            "forward: granted: internet: passes",
            "postrouting: peers leave by the cell's address: source translated",
        ]
    );
}

fn refused(desired: &pic_model::Desired) -> Result<(), pic_model::Problems> {
    refuse_failing(desired, &facts(), &compile(Some(desired), &facts()))
}

#[test]
fn a_state_that_fails_a_test_is_refused() {
    let with = |tests: &str| parse(&format!("{CELL}{tests}")).unwrap();
    let test =
        |from, to, expect| format!("[[test]]\nfrom = \"{from}\"\nto = \"{to}\"\nexpect = \"{expect}\"\n");
    let good = test("tablet", "internet", "blocked") + &test("phone", "internet:443", "allowed");
    assert_eq!(refused(&with(&good)), Ok(()));
    let bad = with(&(good + &test("tablet", "internet:443", "allowed")));
    let problems = refused(&bad).unwrap_err();
    let [problem] = problems.0.as_slice() else { panic!("{problems}") };
    assert!(problem.line > 30 && problem.path == "test[2]", "{problem:?}");
    let words = "tablet to internet:443 must be allowed: IPv4 is unreachable (routing: no way for what was not \
                 granted one (rule 7710, table 7700, 0.0.0.0/0)); IPv6 is unreachable";
    assert!(problem.message.starts_with(words), "{}", problem.message);
}
