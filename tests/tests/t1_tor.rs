//! An exit into the Tor network, with a network of real relays: who is sent by it is seen outside as a Tor exit alone, also in
//! its questions for names; what Tor does not carry is stopped; and nothing leaves in clear, whatever dies.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Marker, Namespace, TorNet, tor, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\n";

fn now(cell: &Cell, words: &str) -> String {
    cell.picctl(words).unwrap().ok().unwrap_or_else(|error| panic!("{words}: {error:#}\n{}", cell.log()))
}

/// Bytes that the phone is said to have received from the internet so far.
fn received(cell: &Cell) -> u64 {
    let top: serde_json::Value = serde_json::from_str(&now(cell, "top --json")).unwrap();
    let mut items = top["items"].as_array().unwrap().iter();
    items.find(|one| one["name"] == "phone").unwrap()["received"]["bytes"].as_u64().unwrap()
}

/// Lets a device try by TCP, UDP and ping, in both families, while `work` is done.
fn while_trying(device: &Namespace, secret: &Marker, work: impl FnOnce()) {
    let (web, echo) = (Internet::web().unwrap(), Internet::udp_echo().unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let trying = scope.spawn(|| {
            let mut tried = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                for family in 0..2 {
                    // That nothing comes of it is what is hoped for, or not looked at.
                    let _ = device.send_udp(echo[family], secret.bytes());
                    let _ = device.ping(address::OUTSIDE[family], 1, Some(secret));
                    let path = format!("/{}", secret.hex());
                    let _ = device.http_get(web[family], &path, Duration::from_millis(300));
                    tried += 1;
                }
            }
            tried
        });
        work();
        wait::pause(SECOND);
        stop.store(true, Ordering::Relaxed);
        assert!(trying.join().unwrap() > 1);
    });
}

/// What the outside name server was asked about a name.
fn asked(lab: &Internet, name: &str) -> Vec<String> {
    let queries = lab.dns.as_ref().unwrap().queries().unwrap().into_iter();
    queries.map(|line| line.to_lowercase()).filter(|line| line.contains(&format!("{name}."))).collect()
}

#[test]
fn who_is_sent_by_tor_leaves_by_it_alone_whatever_happens() {
    let lab = Internet::start().unwrap();
    let net = TorNet::start(&lab).unwrap();
    let mut cell = Cell::with_tor(&lab.cell, CELL_TOML, &net).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let is_by_tor =
        |family| Internet::seen_as(phone, family, SECOND * 8).as_deref() == Some(tor::PLACE[family]);
    let soon = |what: &str, cell: &Cell, condition: &mut dyn FnMut() -> bool| {
        wait::until(SECOND * 120, what, condition).unwrap_or_else(|error| {
            let list = cell.picctl("exit show onion").map(|out| out.stdout).unwrap_or_default();
            panic!("{error:#}\n{list}\n{}\n{}", cell.log(), net.log())
        });
    };
    soon("the way out", &cell, &mut || {
        Internet::seen_as(phone, 0, SECOND * 8).as_deref() == Some(address::CELL[0])
    });
    // The controls: what leaves in clear is seen on the wire, by UDP and by TCP.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    wire.prove(|marker| phone.send_udp(Internet::udp_echo()?[0], marker.bytes())).unwrap();
    let clear = Marker::random().unwrap();
    phone.http_get(Internet::web().unwrap()[1], &format!("/{}", clear.hex()), SECOND * 8).unwrap();
    wait::until(SECOND * 5, "the page on the wire", || wire.count(&clear).unwrap() > 0).unwrap();
    let secret = Marker::random().unwrap();

    // Before it is up: the network is cut off.
    net.connect(false).unwrap();
    now(&cell, "exit add onion --kind tor");
    now(&cell, "peer set phone --exit onion");
    while_trying(phone, &secret, || {
        soon("that it is known not to work", &cell, &mut || now(&cell, "exit list").contains("coming up, "));
    });
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 8), None);

    // It comes up.
    net.connect(true).unwrap();
    soon("Tor", &cell, &mut || now(&cell, "exit show onion --json").contains("\"state\":\"up\""));
    for family in 0..2 {
        soon("a page by Tor", &cell, &mut || is_by_tor(family));
    }
    let before = received(&cell);
    soon("what comes by Tor to be counted", &cell, &mut || is_by_tor(0) && received(&cell) > before);
    let leaks = cell.picctl("exit test onion --leaks").unwrap();
    assert!(leaks.code() == 0, "{}{}", leaks.stdout, leaks.stderr);
    let why = now(&cell, "why phone internet:443");
    assert!(why.contains("by an exit on this host"), "{why}");
    let stopped = cell.picctl("why phone internet:udp/443").unwrap().stdout;
    assert!(!stopped.contains("by an exit on this host"), "{stopped}");
    while_trying(phone, &secret, || {});
    wire.ensure_none(&secret).unwrap();
    for family in 0..2 {
        assert!(!phone.ping(address::OUTSIDE[family], 1, None).unwrap().all_back(), "Tor carries no ping");
    }
    // Its names are asked by the exit, and are right.
    let dig = |name: &str| phone.run(&format!("dig +short +time=8 +tries=1 {name}")).unwrap().stdout;
    assert_eq!(dig(address::OUTSIDE_NAME).trim(), address::OUTSIDE[0]);
    dig(&format!("for-the-phone.{}", address::OUTSIDE_NAME));
    let queries = asked(&lab, "for-the-phone");
    assert!(!queries.is_empty() && queries.iter().all(|line| line.contains(tor::PLACE[0])), "{queries:?}");

    for attack in ["nft flush ruleset", "ip rule flush", "ip -6 rule flush", "ip link del pic0"] {
        while_trying(phone, &secret, || {
            lab.cell.run(attack).unwrap().ok().unwrap();
            soon(attack, &cell, &mut || is_by_tor(0));
        });
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("{attack}: {error:#}"));
    }
    while_trying(phone, &secret, || {
        assert_eq!(cell.kill_program("usr/bin/tor").unwrap(), 1);
        soon("tor anew", &cell, &mut || is_by_tor(0));
    });
    wire.ensure_none(&secret).unwrap();

    // Nobody is there to repair anything.
    cell.kill_agent().unwrap();
    assert!(is_by_tor(0), "it goes on without the agent");
    cell.kill_program("usr/bin/tor").unwrap();
    soon("tor anew without the agent", &cell, &mut || is_by_tor(0));
    cell.kill_program("pic-exit").unwrap();
    wait::until(SECOND * 10, "tor's end", || cell.kill_program("usr/bin/tor").unwrap() == 0).unwrap();
    while_trying(phone, &secret, || {});
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 8), None);
    while_trying(phone, &secret, || lab.cell.run("nft flush ruleset").unwrap().ok().map(drop).unwrap());
    wire.ensure_none(&secret).unwrap();
    dig(&format!("hidden.{}", address::OUTSIDE_NAME));
    assert_eq!(asked(&lab, "hidden"), Vec::<String>::new());
    cell.start_agent().unwrap();
    soon("Tor after the agent's return", &cell, &mut || is_by_tor(0) && is_by_tor(1));

    let refused = cell.picctl("exit remove onion").unwrap();
    assert!(refused.code() != 0 && refused.stderr.contains("peer phone"), "{}", refused.stderr);
    now(&cell, "exit disable onion");
    while_trying(phone, &secret, || {});
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 8), None);
    now(&cell, "peer set phone --exit none");
    now(&cell, "exit remove onion");
    soon("the uplink again", &cell, &mut || {
        Internet::seen_as(phone, 0, SECOND * 8).as_deref() == Some(address::CELL[0])
    });
    assert_eq!(cell.kill_program("pic-exit").unwrap() + cell.kill_program("usr/bin/tor").unwrap(), 0);
}

#[test]
fn without_the_program_it_is_refused_with_the_way_to_get_it() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let refused = cell.picctl("exit add onion --kind tor").unwrap();
    assert!(refused.code() == 3 && refused.stderr.contains("apt-get install tor"), "{}", refused.stderr);
}
