//! The simulation against the kernel: for each pair of ends, what `picctl why` says is what a connection meets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address::{CELL, OUTSIDE, PROVIDER};
use pic_lab::{Child, Internet, Namespace, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = r#"[cell]
name = "home"
[wireguard]
ipv6 = "fd00:77::/64"
[firewall]
open = ["tcp/8081"]
[[lan]]
name = "guests"
interface = "eth1"
ipv4 = "192.168.41.1/24"
ipv6 = "fd00:41::/64"
allow = ["internet"]
[[lan]]
name = "family"
interface = "eth2"
ipv4 = "192.168.42.1/24"
ipv6 = "fd00:42::/64"
"#;

fn serve(host: &Namespace, port: u16) -> Child {
    host.spawn(&format!("python3 -m http.server --bind :: {port}")).unwrap()
}

fn connects(from: &Namespace, to: IpAddr, port: u16) -> bool {
    from.http_get(SocketAddr::new(to, port), "/", SECOND).is_ok()
}

fn says(cell: &Cell, from: &str, to: IpAddr, port: u16) -> bool {
    let to = if to.is_ipv6() { format!("[{to}]:{port}") } else { format!("{to}:{port}") };
    let answer = cell.picctl(&format!("why {from} {to} --json")).unwrap().ok().unwrap();
    answer.contains("\"allowed\":true")
}

/// A host with a fixed address on a LAN of the cell.
fn settle(lab: &Internet, interface: &str, net: u8) -> (Lan, Namespace) {
    let lan = Lan::new(interface).unwrap();
    lan.plug(&lab.cell, interface).unwrap();
    let host = Namespace::new(interface).unwrap();
    lan.plug(&host, "eth0").unwrap();
    host.address("eth0", &format!("192.168.{net}.77/24")).unwrap();
    host.ip(&format!("address add fd00:{net}::77/64 dev eth0 nodad")).unwrap();
    for (family, gateway) in [("-4", format!("192.168.{net}.1")), ("-6", format!("fd00:{net}::1"))] {
        host.ip(&format!("{family} route replace default via {gateway} dev eth0")).unwrap();
    }
    (lan, host)
}

#[test]
fn the_kernel_does_what_why_says() {
    let lab = Internet::start().unwrap();
    let (_guests, guest) = settle(&lab, "eth1", 41);
    let (_family, family) = settle(&lab, "eth2", 42);
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let place = Namespace::new("tv").unwrap();
    lab.public.plug(&place, "eth0").unwrap();
    place.address("eth0", "203.0.113.30/24").unwrap();
    place.default_route(PROVIDER[0]).unwrap();
    let _tv = Device::connect(&place, "tv", &cell.add("tv", "--allow cell").unwrap()).unwrap();

    let ports = [22, 8080, 8081];
    let _servers: Vec<_> = ports.iter().map(|port| serve(&lab.cell, *port)).collect();
    let _others: Vec<_> =
        [&lab.client, &place, &guest, &family].into_iter().map(|host| serve(host, 8080)).collect();
    for (host, at) in [(&lab.cell, "127.0.0.1"), (&lab.client, "127.0.0.1"), (&place, "127.0.0.1")] {
        let up = || connects(host, at.parse().unwrap(), 8080);
        wait::until(SECOND * 20, "the servers", up).unwrap();
    }
    for (host, at) in [(&lab.client, OUTSIDE[0]), (&place, "10.77.0.1")] {
        let up = || host.ping(at, 1, None).is_ok_and(|pings| pings.all_back());
        wait::until(SECOND * 20, "the tunnels", up).unwrap();
    }

    let sources = [
        ("phone", &lab.client, "10.77.0.2 fd00:77::2"),
        ("tv", &place, "10.77.0.3 fd00:77::3"),
        ("guests", &guest, "192.168.41.77 fd00:41::77"),
        ("family", &family, "192.168.42.77 fd00:42::77"),
        (OUTSIDE[0], &lab.outside, "198.51.100.10 2001:db8:f::10"),
    ];
    let cells = ["10.77.0.1", "fd00:77::1", CELL[0], CELL[1], "192.168.41.1", "fd00:42::1"];
    let others = ["10.77.0.2", "fd00:77::3", "192.168.41.77", "fd00:42::77"];
    let mut ends: Vec<(IpAddr, u16)> = Vec::new();
    ends.extend(cells.iter().flat_map(|at| ports.map(|port| (at.parse().unwrap(), port))));
    ends.extend(others.iter().map(|at| (at.parse().unwrap(), 8080)));
    ends.extend([(OUTSIDE[0].parse().unwrap(), 80), (OUTSIDE[1].parse().unwrap(), 80)]);
    let (mut wrong, mut passed, mut stopped) = (Vec::new(), 0, 0);
    for (name, host, own) in sources {
        let own: Vec<IpAddr> = own.split(' ').map(|text| text.parse().unwrap()).collect();
        for (to, port) in &ends {
            // The outside reaches private addresses by nobody's way, and speaks by the address of its own family.
            let is_public = cells[2..4].iter().any(|at| at.parse() == Ok(*to));
            // The tv has no internet by the tunnel, so its own network takes it to the cell's public address.
            let by_another_way = match name {
                "tv" => is_public,
                _ => name == OUTSIDE[0] && !is_public,
            };
            if own.contains(to) || by_another_way {
                continue;
            }
            let from =
                if name == OUTSIDE[0] { own[usize::from(to.is_ipv6())].to_string() } else { name.to_owned() };
            let (said, met) = (says(&cell, &from, *to, *port), connects(host, *to, *port));
            *if met { &mut passed } else { &mut stopped } += 1;
            if said != met {
                wrong.push(format!("{from} to {to} port {port}: why says {said}, the kernel {met}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(passed >= 15 && stopped >= 30, "{passed} passed, {stopped} stopped: not much was tried");
}

#[test]
fn a_change_that_fails_a_test_is_refused_and_nothing_moves() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, "[cell]\nname = \"home\"\n").unwrap();
    cell.add("tablet", "--allow cell").unwrap();
    let path = cell.path("etc/cell.toml");
    let test = "\n[[test]]\nfrom = \"tablet\"\nto = \"internet\"\nexpect = \"blocked\"\n";
    pic_lab::files::write(&path, std::fs::read_to_string(&path).unwrap() + test).unwrap();
    cell.picctl("apply --yes").unwrap().ok().unwrap();
    assert!(cell.picctl("test run").unwrap().ok().unwrap().contains("tablet"));
    let before = lab.cell.run("nft list table inet pic").unwrap().ok().unwrap();

    let refused = cell.picctl("peer set tablet --allow internet,cell").unwrap();
    assert_eq!(refused.code(), 3, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("tablet to internet must be blocked"), "{}", refused.stderr);
    assert_eq!(lab.cell.run("nft list table inet pic").unwrap().ok().unwrap(), before);
    assert!(cell.picctl("peer list --json").unwrap().ok().unwrap().contains("[\"cell\"]"));
}
