use std::net::IpAddr;

use pic_model::config::parse;
use pic_model::exit::proxy::read;
use pic_model::snapshot::proxy::ProxySnapshot;

use super::tests::{CELL, facts, verdicts};
use super::*;
use crate::compile::compile;
use crate::overlap::check;
use crate::reach::Verdict;
use crate::target::Targets;

fn cell(proxy: &str) -> String {
    let exit =
        format!("kind = \"socks5\"\nproxy = \"{proxy}\"\ncredentials = \"nl-1a2b.auth\"\ndns = \"9.9.9.9\"");
    CELL.replacen("kind = \"wireguard\"\nfile = \"nl.conf\"", &exit, 1)
        .replace("exit = [\"nl\", \"us\"]", "exit = [\"nl\"]")
}

fn known() -> Facts {
    let mut facts = facts(&[]);
    facts.exits.credentials.insert("nl-1a2b.auth".to_owned(), Ok(read("ada\npass-of-ada\n").unwrap()));
    facts
}

fn snapshot(cell: &str, facts: &Facts) -> Option<ProxySnapshot> {
    let targets = compile(parse(cell).ok().as_ref(), facts);
    assert!(!format!("{targets:?}").contains("pass-of-ada"), "a password is shown");
    let (path, file) = targets.files.iter().find(|(path, _)| path.starts_with("/var/lib/pic/proxy/"))?;
    assert_eq!(
        (file.mode, targets.units.keys().any(|unit| unit.starts_with("pic-proxy@"))),
        (0o640, true),
        "{path}"
    );
    serde_json::from_slice(&file.content).ok()
}

#[test]
fn tcp_alone_is_led_to_the_relay_while_the_proxy_is_known() {
    let (cell, mut facts) = (cell("proxy.example.org:1080"), known());
    let both = |verdict: Verdict| vec![verdict; 2];
    let as_it_is = |_: &mut Targets| {};
    // The name does not resolve: nothing is led anywhere, and nothing leaves.
    assert_eq!(snapshot(&cell, &facts), None);
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", as_it_is), both(Verdict::Unreachable));
    facts.exits.endpoints.insert("proxy.example.org".parse().unwrap(), [198, 51, 100, 70].into());
    let made = snapshot(&cell, &facts).unwrap();
    assert_eq!(
        (made.proxy.to_string(), made.resolver.to_string()),
        ("198.51.100.70:1080".into(), "9.9.9.9:53".into())
    );
    assert_eq!(
        made.login.map(|login| (login.user, login.password)),
        Some(("ada".into(), "pass-of-ada".into()))
    );
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", as_it_is), both(Verdict::Allowed));
    for to in ["internet:udp/443", "internet"] {
        assert_eq!(verdicts(&cell, &facts, "tv", to, as_it_is), both(Verdict::Unreachable), "{to}");
    }
    let no_table = |targets: &mut Targets| targets.nft = None;
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", no_table), both(Verdict::Unreachable));
    // Its file is gone, or it is switched off.
    let off = cell.replacen("kind = \"socks5\"", "kind = \"socks5\"\nenabled = false", 1);
    assert_eq!(verdicts(&off, &facts, "tv", "internet:443", as_it_is), both(Verdict::Unreachable));
    facts.exits.credentials.clear();
    assert_eq!(snapshot(&cell, &facts), None);
    let refused = check(None, &parse(&cell).unwrap(), &facts).unwrap_err().to_string();
    assert!(refused.contains("no file nl-1a2b.auth") && refused.contains("--credentials"), "{refused}");
}

#[test]
fn what_the_relay_takes_in_is_counted_limited_and_ends_with_a_quota() {
    let limits = "name = \"tv\"\nrate = \"8mbit\"\nquota = \"1GB/day\"";
    let cell = cell("198.51.100.70:1080").replacen("name = \"tv\"", limits, 1);
    let mut facts = known();
    let rules = |cell: &str, facts: &Facts, chain: &str| {
        let table = compile(parse(cell).ok().as_ref(), facts).nft.unwrap();
        let found = table.chains.into_iter().find(|found| found.name == chain);
        found.map(|found| found.rules.iter().map(|rule| rule.why).collect::<Vec<_>>())
    };
    // By its address of each family; back: first what stops, then what counts.
    assert_eq!(rules(&cell, &facts, "count_in"), Some(vec!["counted"; 2]));
    let (spent, fast) = ("its quota is used up", "faster than its rate");
    assert_eq!(rules(&cell, &facts, "count_out"), Some(vec![spent, spent, fast, fast, "counted", "counted"]));
    // Nobody pays for what nobody uses.
    assert_eq!(rules(CELL, &facts, "count_in"), None);
    let as_it_is = |_: &mut Targets| {};
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", as_it_is), [Verdict::Allowed; 2]);
    facts.spent.insert("tv".parse().unwrap());
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", as_it_is), [Verdict::Refused; 2]);
}

#[test]
fn names_are_asked_at_the_relay_as_the_resolver_speaks() {
    let (cell, facts) = (cell("198.51.100.70:1080"), known());
    let asked = |cell: &str, facts: &Facts| {
        let desired = parse(cell).unwrap();
        let all = Resolved::all(&desired, facts);
        let exit = all.iter().find(|exit| exit.name.as_str() == "nl").unwrap();
        names(&desired, facts, exit).upstreams
    };
    let address = names_at(ExitName::number(&"nl".parse().unwrap()));
    assert_eq!(asked(&cell, &facts), [Upstream::Plain { address }]);
    let tls = cell.replace("dns = \"9.9.9.9\"", "dns = \"tls://9.9.9.9#dns.example.org\"");
    assert_eq!(asked(&tls, &facts), [Upstream::Tls { address, name: "dns.example.org".to_owned() }]);
    // Nobody is written, and none of the cell's own is on the internet.
    let none = cell.replace("dns = \"9.9.9.9\"\n", "");
    let at_home = Facts { resolvers: vec![[192, 168, 1, 1].into()], ..facts.clone() };
    assert_eq!(asked(&none, &at_home), []);
    let refused = check(None, &parse(&none).unwrap(), &at_home).unwrap_err().to_string();
    assert!(refused.contains("none of the cell's resolvers"), "{refused}");
    let public = Facts { resolvers: vec![[192, 168, 1, 1].into(), [9, 9, 9, 10].into()], ..facts };
    assert_eq!(snapshot(&none, &public).unwrap().resolver.ip(), IpAddr::from([9, 9, 9, 10]));
}

#[test]
fn a_proxy_that_its_own_exit_leads_to_is_refused() {
    let facts = known();
    let refused = |cell: &str, from: Option<&str>| {
        let from = from.map(|from| parse(from).unwrap());
        check(from.as_ref(), &parse(cell).unwrap(), &facts).err().map(|problems| problems.to_string())
    };
    for own in ["127.0.0.1", "10.77.0.1", "192.168.41.1", "203.0.113.9", "[::1]", "[2001:db8:1::9]"] {
        let words = refused(&cell(&format!("{own}:1080")), None).unwrap();
        assert!(words.contains("this cell itself") || words.contains("no other host"), "{own}: {words}");
        assert_eq!(snapshot(&cell(&format!("{own}:1080")), &facts), None, "{own}");
    }
    // The television leaves by it, the phone does not; and so the LAN.
    let tv = refused(
        &cell("10.77.0.2:1080").replace("name = \"tv\"", "name = \"tv\"\naddress = \"10.77.0.2\""),
        None,
    );
    assert!(tv.unwrap().contains("tv, which leaves by nl itself"));
    let phone =
        cell("10.77.0.3:1080").replace("name = \"phone\"", "name = \"phone\"\naddress = \"10.77.0.3\"");
    assert_eq!(refused(&phone, None), None);
    let in_lan = cell("192.168.41.9:1080");
    assert_eq!(refused(&in_lan, None), None);
    let looped = in_lan.replace("exit = \"us\"\n", "exit = \"nl\"\n");
    for from in [None, Some(in_lan.as_str())] {
        assert!(refused(&looped, from).unwrap().contains("LAN guest, which leaves by nl itself"));
    }
    assert_eq!(refused(&looped, Some(&looped)), None, "what is in force can be changed");
    assert_eq!(snapshot(&looped, &facts), None);
}
