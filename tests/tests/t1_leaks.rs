//! The test for leaks: it sees a leak that is there, by each of the ways it looks, and disturbs nobody.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Marker, Provider, files, wait};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 30, what, condition).unwrap();
}

/// Runs the test: its exit code, its result, and what came of one check.
fn test(cell: &Cell) -> (i32, Value) {
    let made = cell.picctl("exit test nl --leaks --json").unwrap();
    let report = serde_json::from_str(&made.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", made.stdout, made.stderr));
    (made.code(), report)
}

fn check<'v>(report: &'v Value, name: &str, result: &str) -> Option<&'v str> {
    let checks = report["checks"].as_array()?;
    let is_it = |check: &&Value| check["name"] == name && check["result"] == result;
    checks.iter().find(is_it).and_then(|check| check["words"].as_str())
}

#[test]
fn a_leak_is_seen_where_there_is_one_and_nowhere_else() {
    let lab = Internet::start().unwrap();
    let nl = Provider::start(&lab, "nl", 40).unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let path = cell.path("nl.conf");
    files::write(&path, nl.config("DNS = 198.51.100.53").unwrap()).unwrap();
    let now =
        |words: &str| cell.picctl(words).unwrap().ok().unwrap_or_else(|e| panic!("{e:#}\n{}", cell.log()));
    now(&format!("exit add nl --file {}", path.display()));
    now("peer set phone --exit nl");
    soon("the exit", || {
        (0..2).all(|family| {
            Internet::seen_as(&lab.client, family, SECOND).as_deref() == Some(&nl.addresses[family])
        })
    });
    let shown = || serde_json::from_str::<Value>(&now("exit show nl --json")).unwrap();
    let of_itself = || shown()["leaks"]["users"] == serde_json::json!(["peer phone"]);
    soon("the test that runs by itself", of_itself);
    soon("its result", || now("doctor").contains("leaks of exit nl"));

    // While the user sends; nothing of the test's own is on the wire.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap()[0];
    wire.prove(|marker| lab.cell.send_udp(echo, marker.bytes())).unwrap();
    let secret = Marker::random().unwrap();
    let _pings =
        lab.client.spawn(&format!("ping -i 0.2 -p {} {}", secret.hex(), address::OUTSIDE[0])).unwrap();
    let (code, report) = test(&cell);
    assert_eq!((code, &report["result"]), (0, &"ok".into()), "{report:#}");
    let traffic = check(&report, "traffic", "ok").unwrap();
    assert!(!traffic.contains("packets 0 left") && traffic.ends_with("and 0 another way"), "{traffic}");
    assert!(
        check(&report, "control", "ok").is_some() && check(&report, "stop", "ok").is_some(),
        "{report:#}"
    );
    wire.ensure_none(&secret).unwrap();
    let packets = wire.packets().unwrap();
    let is_own = |packet: &pic_lab::capture::Packet| packet.data.ends_with(b"pic");
    assert!(!packets.iter().any(is_own), "the test's own packets stay inside");
    assert!(!lab.cell.run("nft list tables").unwrap().stdout.contains("pic_leaks"));

    // Somebody's rule before ours: the firewall still holds, and the test says what does not.
    for family in ["-4", "-6"] {
        lab.cell.ip(&format!("{family} rule add pref 50 iif pic0 lookup main")).unwrap();
        let (code, report) = test(&cell);
        assert_eq!((code, &report["result"]), (1, &"leak".into()), "{report:#}");
        let words = check(&report, "routes", "leak").unwrap();
        assert!(words.contains("peer phone") && words.contains("eth0"), "{words}");
        wire.ensure_none(&secret).unwrap();
        lab.cell.ip(&format!("{family} rule del pref 50")).unwrap();
    }
    // Somebody's route in the exit's table, behind the tunnel: a leak in waiting.
    let interface = shown()["interface"].as_str().unwrap().to_owned();
    let table = interface.trim_start_matches("pic").parse::<u32>().unwrap() + 2700;
    let route = format!("default via {} dev eth0 table {table} metric 9000", address::PROVIDER[0]);
    lab.cell.ip(&format!("route add {route}")).unwrap();
    let (_, report) = test(&cell);
    let words = check(&report, "stop", "leak").unwrap_or_else(|| panic!("{report:#}"));
    assert!(words.contains("IPv4 has a route by eth0"), "{words}");
    lab.cell.ip(&format!("route del {route}")).unwrap();
    assert_eq!(test(&cell).0, 0);

    // Without its provider it is no leak, and what cannot be proved is not called proved.
    nl.connect(false).unwrap();
    soon("that it is known to be dead", || shown()["state"] == "down");
    let (_, report) = test(&cell);
    assert_ne!(report["result"], "leak", "{report:#}");
    wire.ensure_none(&secret).unwrap();
}
