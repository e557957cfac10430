//! Exits: who is sent by one is seen outside from the provider's addresses alone, in both families, whatever happens to
//! the exit, the agent, the firewall and the rules. Seen on the wires, with a control that a leak would have been seen.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Marker, Namespace, Provider, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

fn another_place(lab: &Internet) -> Namespace {
    let place = Namespace::new("tv").unwrap();
    lab.public.plug(&place, "eth0").unwrap();
    place.address("eth0", "203.0.113.30/24").unwrap();
    place.default_route(address::PROVIDER[0]).unwrap();
    place
}

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 20, what, condition).unwrap();
}

fn now(cell: &Cell, words: &str) -> String {
    cell.picctl(words).unwrap().ok().unwrap_or_else(|error| panic!("{words}: {error:#}\n{}", cell.log()))
}

/// Adds an exit by a file as a person would.
fn add_exit(cell: &Cell, name: &str, provider: &Provider, more: &str) {
    let path = cell.path(&format!("{name}.conf"));
    files::write(&path, provider.config(more).unwrap()).unwrap();
    now(cell, &format!("exit add {name} --file {}", path.display()));
}

/// What the outside name server was asked, and by whom. Letters of names come in any case.
fn asked_outside(lab: &Internet) -> Vec<String> {
    let queries = lab.dns.as_ref().unwrap().queries().unwrap();
    queries.into_iter().map(|line| line.to_lowercase()).collect()
}

/// The exit's interface, as the cell says itself.
fn interface(cell: &Cell, name: &str) -> String {
    let shown: serde_json::Value =
        serde_json::from_str(&now(cell, &format!("exit show {name} --json"))).unwrap();
    shown["interface"].as_str().unwrap().to_owned()
}

/// A socket that stays the same.
fn running(device: &Namespace, to: SocketAddr) -> UdpSocket {
    let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = device.enter(|| UdpSocket::bind(own)).unwrap().unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    socket
}

/// Whether what it sends now is answered.
fn is_answered(flow: &UdpSocket) -> bool {
    let _ = flow.send(b"flow");
    flow.recv(&mut [0; 64]).is_ok()
}

#[test]
fn who_has_an_exit_leaves_by_it_alone_whatever_happens() {
    let lab = Internet::start().unwrap();
    let nl = Provider::start(&lab, "nl", 40).unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let tv_place = another_place(&lab);
    let _tv = Device::connect(&tv_place, "tv", &cell.add("tv", "").unwrap()).unwrap();
    soon("the tv's way out", || Internet::seen_as(&tv_place, 0, SECOND).as_deref() == Some(address::CELL[0]));
    // The control: what leaves directly is seen.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap();
    wire.prove(|marker| tv_place.send_udp(echo[0], marker.bytes())).unwrap();
    wire.prove(|marker| tv_place.send_udp(echo[1], marker.bytes())).unwrap();
    let secret = Marker::random().unwrap();

    // Before the exit first comes up: its provider is cut off, and does not even exist for the cell yet.
    nl.connect(false).unwrap();
    add_exit(&cell, "nl", &nl, "DNS = 198.51.100.53");
    now(&cell, "peer set phone --exit nl");
    Internet::while_sending(&lab.client, &secret, || wait::pause(SECOND)).unwrap();
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(&lab.client, 0, SECOND), None);

    // It comes up.
    nl.connect(true).unwrap();
    for family in 0..2 {
        soon("the exit", || {
            Internet::seen_as(&lab.client, family, SECOND).as_deref() == Some(&nl.addresses[family])
        });
        assert_eq!(
            Internet::seen_as(&tv_place, family, SECOND).as_deref(),
            Some(address::CELL[family]),
            "others leave as before"
        );
    }
    let why = cell.picctl("why phone internet:443").unwrap();
    assert!(why.stdout.contains("exit nl"), "{}", why.stdout);
    soon("the state of the exit", || now(&cell, "exit list").contains("up"));
    // Names are asked by the same way: the outside name server sees the provider.
    let asked = |place: &Namespace, name: &str| {
        let answer =
            place.run(&format!("dig +short +time=2 +tries=2 {name}.{}", address::OUTSIDE_NAME)).unwrap();
        let queries = asked_outside(&lab);
        let mine: Vec<_> = queries.into_iter().filter(|line| line.contains(&format!("{name}."))).collect();
        assert!(!mine.is_empty(), "nobody was asked for {name}: {}", answer.stdout);
        mine
    };
    assert!(asked(&lab.client, "for-the-phone").iter().all(|line| line.contains(&nl.addresses[0])));
    assert!(asked(&tv_place, "for-the-tv").iter().all(|line| line.contains(address::CELL[0])));
    // The other wire sees it in clear: the marker would be found where it is.
    let mut out = Capture::start(&nl.place, "eth0", "").unwrap();
    out.prove(|marker| lab.client.send_udp(echo[0], marker.bytes())).unwrap();

    let link = interface(&cell, "nl");
    let attacks = [
        "nft flush ruleset".to_owned(),
        "nft delete table inet pic".to_owned(),
        "ip rule flush".to_owned(),
        "ip rule del pref 7705".to_owned(),
        "ip -6 rule flush".to_owned(),
        format!("ip link set {link} down"),
        format!("ip link del {link}"),
        format!("ip -6 addr flush dev {link}"),
    ];
    for attack in &attacks {
        let begin = Instant::now();
        Internet::while_sending(&lab.client, &secret, || {
            lab.cell.run(attack).unwrap().ok().unwrap();
            let back = || {
                (0..2).all(|family| {
                    Internet::seen_as(&lab.client, family, SECOND).as_deref() == Some(&nl.addresses[family])
                })
            };
            wait::until(SECOND * 30, "the exit again", back)
                .unwrap_or_else(|error| panic!("{attack}: {error:#}\n{}", cell.log()));
        })
        .unwrap();
        println!("{attack}: back after {} ms", begin.elapsed().as_millis());
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("{attack}: {error:#}"));
    }

    // Nobody is there to repair anything.
    cell.kill_agent().unwrap();
    assert_eq!(
        Internet::seen_as(&lab.client, 0, SECOND).as_deref(),
        Some(nl.addresses[0].as_str()),
        "it goes on without the agent"
    );
    for attack in [format!("ip link set {link} down"), "nft flush ruleset".to_owned()] {
        Internet::while_sending(&lab.client, &secret, || {
            lab.cell.run(&attack).unwrap().ok().map(drop).unwrap()
        })
        .unwrap();
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("without an agent, {attack}: {error:#}"));
    }
    cell.start_agent().unwrap();
    soon("the exit after the agent's return", || {
        Internet::seen_as(&lab.client, 1, SECOND).as_deref() == Some(&nl.addresses[1])
    });

    // Nothing comes in by the exit: neither to the cell nor through it.
    nl.place.ip("route add 10.77.0.0/16 dev nl").unwrap();
    assert!(!nl.place.ping("10.40.0.2", 1, None).unwrap().all_back());
    assert!(!nl.place.ping("10.77.0.1", 1, None).unwrap().all_back());

    // Switched off it stops; the file and its keys are where nobody sees them.
    now(&cell, "exit disable nl");
    Internet::while_sending(&lab.client, &secret, || {}).unwrap();
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(&lab.client, 0, SECOND), None);
    let dig =
        lab.client.run(&format!("dig +time=6 +tries=1 hidden.{}", address::OUTSIDE_NAME)).unwrap().stdout;
    assert!(dig.contains("SERVFAIL"), "{dig}");
    let queries = asked_outside(&lab);
    assert!(!queries.iter().any(|line| line.contains("hidden.")), "{queries:?}");
    let refused = cell.picctl("exit remove nl").unwrap();
    assert!(refused.code() != 0 && refused.stderr.contains("peer phone"), "{}", refused.stderr);
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    assert!(!toml.contains(nl.customer_key()) && !cell.log().contains(nl.customer_key()));
    for file in std::fs::read_dir(cell.path("state/secrets/exits")).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    now(&cell, "peer set phone --exit none");
    now(&cell, "exit remove nl");
    soon("the uplink again", || {
        Internet::seen_as(&lab.client, 0, SECOND).as_deref() == Some(address::CELL[0])
    });
    let left = lab.cell.run("ip link").unwrap().stdout;
    assert!(!left.contains(&link), "{left}");
}

#[test]
fn when_an_exit_dies_the_next_takes_over_and_gives_back() {
    let lab = Internet::start().unwrap();
    let (nl, us) = (Provider::start(&lab, "nl", 40).unwrap(), Provider::start(&lab, "us", 50).unwrap());
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    soon("the way out", || Internet::seen_as(&lab.client, 0, SECOND).is_some());
    for (name, provider) in [("nl", &nl), ("us", &us)] {
        add_exit(&cell, name, provider, "DNS = 198.51.100.53");
    }
    now(&cell, "peer set phone --exit nl,us");
    soon("the first exit", || Internet::seen_as(&lab.client, 0, SECOND).as_deref() == Some(&nl.addresses[0]));
    let up = |name: &str| now(&cell, &format!("exit show {name} --json")).contains("\"state\":\"up\"");
    soon("both exits", || up("nl") && up("us"));
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap()[0];
    wire.prove(|marker| lab.cell.send_udp(echo, marker.bytes())).unwrap();
    let secret = Marker::random().unwrap();
    // What runs when the exit dies: datagrams of one port in both families, and a connection that waits.
    let flows = Internet::udp_echo().unwrap().map(|echo| running(&lab.client, echo));
    for flow in &flows {
        soon("an answer by the first exit", || is_answered(flow));
    }
    let web = Internet::web().unwrap()[0];
    let mut waiting = lab.client.enter(|| TcpStream::connect_timeout(&web, SECOND * 5)).unwrap().unwrap();

    let begin = Instant::now();
    Internet::while_sending(&lab.client, &secret, || {
        nl.connect(false).unwrap();
        let moved = || Internet::seen_as(&lab.client, 0, SECOND).as_deref() == Some(&us.addresses[0]);
        wait::until(SECOND * 20, "the second exit", moved)
            .unwrap_or_else(|e| panic!("{e:#}\n{}", cell.log()));
        println!("failover: seen from the second provider after {} ms", begin.elapsed().as_millis());
    })
    .unwrap();
    // Flows are moved rather than left hanging, or ended where they cannot be.
    for (flow, family) in flows.iter().zip(0..) {
        soon("an answer by the second exit", || is_answered(flow));
        let port = flow.local_addr().unwrap().port();
        let seen = lab.echo.seen();
        let by_us = seen
            .iter()
            .any(|one| one.payload == b"flow" && one.from.ip().to_string() == us.addresses[family]);
        assert!(by_us, "port {port}: {seen:?}");
    }
    waiting.set_read_timeout(Some(SECOND * 10)).unwrap();
    let _ = waiting.write_all(b"GET / HTTP/1.1\r\n\r\n");
    let ended = waiting.read(&mut [0; 64]).unwrap_err().kind();
    assert_eq!(ended, std::io::ErrorKind::ConnectionReset, "it was left hanging");
    soon("the second exit in v6", || {
        Internet::seen_as(&lab.client, 1, SECOND).as_deref() == Some(&us.addresses[1])
    });
    assert!(now(&cell, "peer show phone").contains("us"));
    let doctor = cell.picctl("doctor").unwrap().stdout;
    assert!(doctor.contains("exit nl") && doctor.contains("nothing comes back"), "{doctor}");

    nl.connect(true).unwrap();
    wait::until(SECOND * 60, "the first exit again", || {
        Internet::seen_as(&lab.client, 0, SECOND).as_deref() == Some(&nl.addresses[0])
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", cell.log()));
    // Both die: nothing leaves.
    Internet::while_sending(&lab.client, &secret, || {
        nl.connect(false).unwrap();
        us.connect(false).unwrap();
        soon("that both are known to be dead", || !up("nl") && !up("us"));
    })
    .unwrap();
    assert_eq!(Internet::seen_as(&lab.client, 0, SECOND), None);
    wire.ensure_none(&secret).unwrap();
    // Unless it was said by name.
    now(&cell, "peer set phone --exit nl,us,direct");
    soon("the uplink", || Internet::seen_as(&lab.client, 0, SECOND).as_deref() == Some(address::CELL[0]));
}
