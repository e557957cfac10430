//! A network behind a router of the LAN, whose hosts get their addresses through a relay written by others.

use nix::sys::signal::Signal;
use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Child, Internet, Namespace};

use crate::kit::{CELL_TOML, Host, dig, http, pings, soon, told};

const SUBNET: &str = r#"
[[subnet]]
name = "upstairs"
lan = "lan"
via = "192.168.40.2"
ipv4 = "10.5.0.0/24"
allow = ["internet"]

[subnet.dhcp]
pool = "10.5.0.50-10.5.0.99"
options = { router = "10.5.0.1" }

[[reservation]]
lan = "upstairs"
mac = "02:00:00:00:00:42"
address = "10.5.0.10"
name = "camera"
"#;

/// A router with a relay between the LAN and another network.
struct Upstairs {
    _relay: Child,
    _router: Namespace,
    wires: Lan,
}

fn router(lan: &Lan) -> Upstairs {
    let wires = Lan::new("upstairs").unwrap();
    let router = Namespace::new("router").unwrap();
    lan.plug(&router, "eth0").unwrap();
    wires.plug(&router, "eth1").unwrap();
    router.address("eth0", "192.168.40.2/24").unwrap();
    router.address("eth1", "10.5.0.1/24").unwrap();
    router.ip("route add default via 192.168.40.1").unwrap();
    router.forward().unwrap();
    let relay = router.spawn("dhcrelay -4 -d -a -m replace -iu eth0 -id eth1 --no-pid 192.168.40.1").unwrap();
    Upstairs { _relay: relay, _router: router, wires }
}

#[test]
fn hosts_behind_a_relay_live_like_those_of_the_lan() {
    let lab = Internet::start().unwrap();
    let (lan, guests) = (Lan::new("lan").unwrap(), Lan::new("guests").unwrap());
    lan.plug(&lab.cell, "eth1").unwrap();
    guests.plug(&lab.cell, "eth2").unwrap();
    let upstairs = router(&lan);
    let cell = Cell::start(&lab.cell, &format!("{CELL_TOML}{SUBNET}")).unwrap();
    soon("all networks to be served", || {
        cell.picctl("dhcp leases --json").unwrap().stdout.matches("\"serving\":true").count() == 3
    });
    // Somebody has the first address already, and is found through the relay.
    let squatter = Host::plug(&upstairs.wires, "squatter", "02:00:00:00:00:40");
    squatter.namespace.address("eth0", "10.5.0.50/24").unwrap();
    squatter.namespace.ip("route add default via 10.5.0.1").unwrap();

    let reader = Host::plug(&upstairs.wires, "reader", "02:00:00:00:00:41");
    let mut program = reader.stay("eth0", "-x hostname:reader");
    soon("an address through the relay", || reader.events().contains("event=bound"));
    let env = reader.events();
    assert_eq!((told(&env, "ip"), told(&env, "router")), ("10.5.0.51".into(), "10.5.0.1".into()), "{env}");
    assert_eq!((told(&env, "dns"), told(&env, "subnet")), ("192.168.40.1".into(), "255.255.255.0".into()));
    let camera = Host::plug(&upstairs.wires, "camera", "02:00:00:00:00:42");
    assert_eq!(told(&camera.udhcpc("eth0", "cam"), "ip"), "10.5.0.10", "its reservation");

    // Names both ways, the internet by the cell's address, and not the cell itself.
    let at = "@192.168.40.1";
    soon("the name", || dig(&reader.namespace, &format!("{at} reader.home.cell")) == "10.5.0.51");
    assert_eq!(dig(&reader.namespace, &format!("{at} -x 10.5.0.10")), "camera.home.cell.");
    assert!(http(&reader.namespace, address::OUTSIDE[0], 80), "the internet");
    assert!(!pings(&reader.namespace, "192.168.40.1"), "not granted");
    let laptop = Host::plug(&lan, "laptop", "02:00:00:00:00:01");
    laptop.udhcpc("eth0", "laptop");
    assert!(pings(&laptop.namespace, "192.168.40.1"), "the LAN keeps its own grant");

    // It renews by itself, past the relay, and where it is stays known.
    program.signal(Signal::SIGUSR1).unwrap();
    soon("the renewal", || reader.events().contains("event=renew"));
    let listed = cell.picctl("dhcp leases --lan upstairs").unwrap().ok().unwrap();
    let line = listed.lines().find(|line| line.starts_with("10.5.0.51\t")).unwrap();
    assert!(line.contains("bound") && line.contains("10.5.0.1 eth1"), "{listed}");
    assert!(listed.contains("used by another") && !listed.contains("laptop"), "{listed}");
    drop(program);
}
