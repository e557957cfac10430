//! Another cell as an exit, in both directions at once: a cell in the open leaves by one behind NAT, which dials it, and
//! that one's LAN by the one in the open. Seen on the wires: nothing in clear at the wrong one, and no rounds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Marker, Namespace, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const VPS: &str = "[cell]\nname = \"vps\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";
const HOME: &str = "[cell]\nname = \"home\"\n\n[wireguard]\nipv4 = \"10.88.0.0/16\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\n\
                    dnssec = false\n\n[[lan]]\nname = \"lan\"\ninterface = \"eth1\"\nipv4 = \"192.168.60.1/24\"\n";

fn soon(what: &str, cells: [&Cell; 2], condition: impl FnMut() -> bool) {
    wait::until(SECOND * 40, what, condition)
        .unwrap_or_else(|error| panic!("{error:#}\n{}\n{}", cells[0].log(), cells[1].log()));
}

fn now(cell: &Cell, words: &str) -> String {
    cell.picctl(words).unwrap().ok().unwrap_or_else(|error| panic!("{words}: {error:#}\n{}", cell.log()))
}

fn echo(family: usize) -> SocketAddr {
    SocketAddr::new(address::OUTSIDE[family].parse::<IpAddr>().unwrap(), address::ECHO)
}

fn asked(lab: &Internet, name: &str) -> Vec<String> {
    let queries = lab.dns.as_ref().unwrap().queries().unwrap().into_iter();
    queries.map(|line| line.to_lowercase()).filter(|line| line.contains(&format!("{name}."))).collect()
}

#[test]
fn two_cells_leave_by_each_other_and_nothing_goes_round() {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("home").unwrap();
    lan.plug(&lab.client, "eth1").unwrap();
    let vps = Cell::start(&lab.cell, VPS).unwrap();
    let home = Cell::start(&lab.client, HOME).unwrap();
    let cells = [&vps, &home];
    let phone = &Namespace::new("phone").unwrap();
    lab.public.plug(phone, "eth0").unwrap();
    phone.address("eth0", "203.0.113.30/24").unwrap();
    phone.default_route(address::PROVIDER[0]).unwrap();
    let _phone = Device::connect(phone, "phone", &vps.add("phone", "").unwrap()).unwrap();
    let host = &Namespace::new("host").unwrap();
    lan.plug(host, "eth0").unwrap();
    host.address("eth0", "192.168.60.10/24").unwrap();
    host.default_route("192.168.60.1").unwrap();
    soon("the phone's way", cells, || {
        Internet::seen_as(phone, 0, SECOND).as_deref() == Some(address::CELL[0])
    });
    soon("the host's way", cells, || {
        Internet::seen_as(host, 0, SECOND).as_deref() == Some(address::ROUTER[0])
    });

    // The cell behind NAT offers its internet, and dials.
    let file = home.path("for-vps.conf");
    now(&home, &format!("exit offer vps --dial {}:51821 --out {}", address::CELL[0], file.display()));
    let text = files::read(&file).unwrap();
    assert!(text.contains("ListenPort = 51821") && !text.contains("Endpoint ="), "{text}");
    now(&vps, &format!("exit add home --kind cell --file {}", file.display()));
    now(&vps, "peer set phone --exit home");
    // The cell in the open offers its own, and is dialled.
    let file = vps.path("for-home.conf");
    now(&vps, &format!("exit offer house --out {}", file.display()));
    now(&home, &format!("exit add far --kind cell --file {}", file.display()));
    let toml = files::read(&home.path("etc/cell.toml")).unwrap();
    let toml = toml.replace("ipv4 = \"192.168.60.1/24\"\n", "ipv4 = \"192.168.60.1/24\"\nexit = \"far\"\n");
    files::write(&home.path("etc/cell.toml"), toml).unwrap();
    let applied = home.picctl("apply --yes").unwrap();
    assert!(applied.code() == 4, "a LAN's way is confirmed: {}", applied.stderr);
    now(&home, "confirm");

    // Each is seen at the other's place, in both families.
    let (v4, v6) = (Some(address::ROUTER[0]), Some(address::CLIENT[1]));
    soon("the phone by home", cells, || Internet::seen_as(phone, 0, SECOND).as_deref() == v4);
    soon("the phone by home in v6", cells, || Internet::seen_as(phone, 1, SECOND).as_deref() == v6);
    soon("the host by the vps", cells, || {
        Internet::seen_as(host, 0, SECOND).as_deref() == Some(address::CELL[0])
    });
    for (cell, exit) in [(&vps, "home"), (&home, "far")] {
        soon("both exits", cells, || {
            now(cell, &format!("exit show {exit} --json")).contains("\"state\":\"up\"")
        });
    }
    assert!(now(&vps, "exit show home").contains("dials this cell at udp/51821"));
    // What leaves is in clear on the other's wire alone.
    let mut at_home = Capture::start(&lab.client, "eth0", "").unwrap();
    let mut at_vps = Capture::start(&lab.cell, "eth0", "").unwrap();
    for family in 0..2 {
        at_home.prove(|marker| phone.send_udp(echo(family), marker.bytes())).unwrap();
    }
    at_vps.prove(|marker| host.send_udp(echo(0), marker.bytes())).unwrap();
    let (of_phone, of_host) = (Marker::random().unwrap(), Marker::random().unwrap());
    for family in 0..2 {
        phone.send_udp(echo(family), of_phone.bytes()).unwrap();
    }
    host.send_udp(echo(0), of_host.bytes()).unwrap();
    wait::until(SECOND * 10, "both at their places", || {
        at_home.count(&of_phone).unwrap() >= 2 && at_vps.count(&of_host).unwrap() >= 1
    })
    .unwrap();
    at_vps.ensure_none(&of_phone).unwrap();
    at_home.ensure_none(&of_host).unwrap();
    // So do questions for names.
    phone.run("dig +time=6 +tries=2 for-the-phone.outside.example").unwrap();
    let queries = asked(&lab, "for-the-phone");
    assert!(
        !queries.is_empty() && queries.iter().all(|line| line.contains(address::ROUTER[0])),
        "{queries:?}"
    );

    // What came from the other cell is never sent back to it.
    for (cell, peer, exit) in [(&vps, "house", "home"), (&home, "vps", "far")] {
        let refused = cell.picctl(&format!("peer set {peer} --exit {exit}")).unwrap();
        assert!(
            refused.code() != 0 && refused.stderr.contains("go round between cells"),
            "{}",
            refused.stderr
        );
    }
    // Taken away at home, it is stopped at the vps, and not sent another way.
    let secret = Marker::random().unwrap();
    now(&home, "peer disable vps");
    soon("that the exit is dead", cells, || now(&vps, "exit list").contains("down"));
    for family in 0..2 {
        let _ = phone.send_udp(echo(family), secret.bytes());
        assert_eq!(Internet::seen_as(phone, family, SECOND), None);
    }
    at_vps.ensure_none(&secret).unwrap();
    assert_eq!(
        Internet::seen_as(host, 0, SECOND).as_deref(),
        Some(address::CELL[0]),
        "the other direction goes on"
    );
    now(&home, "peer enable vps");
    soon("the phone by home again", cells, || Internet::seen_as(phone, 0, SECOND).as_deref() == v4);
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_what_to_do() {
    let lab = Internet::start().unwrap();
    let vps = Cell::start(&lab.cell, VPS).unwrap();
    // Of itself: the same network.
    let file = vps.path("own.conf");
    now(&vps, &format!("exit offer twin --dial 203.0.113.20:51821 --out {}", file.display()));
    let refused = vps.picctl(&format!("exit add twin --kind cell --file {}", file.display())).unwrap();
    assert!(refused.code() == 3 && refused.stderr.contains("another wireguard.ipv4"), "{}", refused.stderr);
    // Of another cell that nobody has told of another network, either: both ways round.
    let home = Cell::start(&lab.client, &VPS.replace("vps", "home")).unwrap();
    for (one, other) in [(&home, &vps), (&vps, &home)] {
        let file = one.path("for-other.conf");
        now(one, &format!("exit offer other --dial 203.0.113.20:51821 --out {}", file.display()));
        let refused = other.picctl(&format!("exit add far --kind cell --file {}", file.display())).unwrap();
        let words = ["10.77.0.0/16", "another wireguard.ipv4"];
        assert!(
            refused.code() == 3 && words.iter().all(|word| refused.stderr.contains(word)),
            "{}",
            refused.stderr
        );
    }
    let refused = vps.picctl(&format!("exit add twin --file {}", file.display())).unwrap();
    assert!(refused.code() == 3 && refused.stderr.contains("no Endpoint"), "{}", refused.stderr);
    let refused = vps.picctl("exit offer twin2 --dial example.org").unwrap();
    assert!(refused.code() == 2 && refused.stderr.contains("say the port"), "{}", refused.stderr);
}
