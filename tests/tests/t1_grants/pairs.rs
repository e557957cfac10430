//! Every pair of ends: what `picctl why` says is what a connection meets.

use std::net::IpAddr;

use pic_lab::netns::internet::address::{CELL, OUTSIDE};

use crate::scene::{Place, Scene, connects};

#[test]
fn the_kernel_does_what_the_grants_and_why_say() {
    let place = Place::new();
    let scene = Scene::start(&place);
    let (lab, before) =
        (&place.lab, "table inet foreign {\n chain c {\n type filter hook input priority 5;\n }\n}\n");
    lab.cell.nft(before).unwrap();
    let foreign = || lab.cell.run("nft list table inet foreign").unwrap().ok().unwrap();
    let untouched = foreign();
    let sources = [
        ("phone", &lab.client, "10.77.0.2 fd00:77::2"),
        ("tv", &place.tv, "10.77.0.3 fd00:77::3"),
        ("visitor", &place.visitor, "192.168.41.77 fd00:41::77"),
        ("nas", &place.nas, "192.168.42.77 fd00:42::77"),
        (OUTSIDE[0], &lab.outside, "198.51.100.10 2001:db8:f::10"),
    ];
    let hosts = ["10.77.0.2", "fd00:77::2", "10.77.0.3", "fd00:77::3", "192.168.41.77", "fd00:41::77"];
    let mut ends: Vec<(&str, u16)> = hosts.map(|host| (host, 8080)).to_vec();
    for nas in ["192.168.42.77", "fd00:42::77"] {
        ends.extend([(nas, 8080), (nas, 8081)]);
    }
    ends.extend(["10.77.0.1", "192.168.42.1", "fd00:42::1"].map(|own| (own, 8080)));
    for public in CELL {
        ends.extend([(public, 9000), (public, 9001), (public, 8080)]);
    }
    let (mut wrong, mut passed, mut stopped) = (Vec::new(), 0, 0);
    for (name, host, own) in sources {
        let own: Vec<IpAddr> = own.split(' ').map(|text| text.parse().unwrap()).collect();
        for (to, port) in &ends {
            let is_public = CELL.contains(to);
            let to: IpAddr = to.parse().unwrap();
            // By nobody's way, or by another than the cell's: the tv's own network has the cell's public address.
            let by_another_way = match name {
                "tv" => is_public,
                _ => name == OUTSIDE[0] && !is_public,
            };
            if own.contains(&to) || by_another_way {
                continue;
            }
            let from =
                if name == OUTSIDE[0] { own[usize::from(to.is_ipv6())].to_string() } else { name.to_owned() };
            let (said, met) = (scene.says(&from, to, *port), connects(host, to, *port));
            *if met { &mut passed } else { &mut stopped } += 1;
            if said != met {
                wrong.push(format!("{from} to {to} port {port}: why says {said}, the kernel {met}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    // Some that are known by heart.
    let reaches = |host, to: &str, port| connects(host, to.parse().unwrap(), port);
    assert!(reaches(&lab.client, "192.168.42.77", 8080) && !reaches(&lab.client, "192.168.42.77", 8081));
    assert!(reaches(&place.tv, "fd00:42::77", 8081) && reaches(&place.tv, "10.77.0.2", 8080));
    assert!(reaches(&lab.outside, CELL[0], 9000) && reaches(&lab.outside, CELL[1], 9000));
    assert!(!reaches(&lab.outside, CELL[0], 9001) && reaches(&place.visitor, CELL[0], 9001));
    assert!(reaches(&place.nas, CELL[0], 9000) && reaches(&place.nas, CELL[1], 9000), "its own forward");
    assert!(passed >= 20 && stopped >= 20, "{passed} passed, {stopped} stopped: not much was tried");
    assert_eq!(foreign(), untouched);
}
