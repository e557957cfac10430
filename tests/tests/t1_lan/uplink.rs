//! A cell with one interface: the addresses of its uplink's own network come from it when the router's server is switched
//! off, and nothing else about that network changes.

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Internet, Namespace};

use crate::kit::{Host, dig, http, pings, soon, told};

const CELL: &str = r#"[cell]
name = "home"

[dns]
upstreams = ["198.51.100.53"]
dnssec = false

[[lan]]
name = "home"
interface = "eth0"
ipv4 = "192.168.60.5/24"
uplink = true

[lan.dhcp]
pool = "192.168.60.100-192.168.60.199"
options = { router = "192.168.60.1" }
"#;

#[test]
fn a_home_server_with_one_interface_hands_out_addresses() {
    let lab = Internet::start().unwrap();
    let home = Lan::new("home").unwrap();
    home.plug(&lab.router, "home").unwrap();
    lab.router.address("home", "192.168.60.1/24").unwrap();
    lab.router.run("nft flush ruleset").unwrap().ok().unwrap();
    lab.router
        .nft("table ip home { chain out { type nat hook postrouting priority 100; oifname \"wan\" masquerade; }; }")
        .unwrap();
    let host = Namespace::new("server").unwrap();
    let port = home.plug(&host, "eth0").unwrap();
    host.address("eth0", "192.168.60.5/24").unwrap();
    host.ip("route add default via 192.168.60.1").unwrap();
    let wrong = CELL.replace("192.168.60.5", "192.168.60.6");
    let cell = Cell::start(&host, CELL).unwrap();
    soon("the network to be served", || {
        cell.picctl("dhcp leases --json").unwrap().stdout.contains("\"serving\":true")
    });
    let phone = Host::plug(&home, "phone", "02:00:00:00:00:07");
    let env = phone.udhcpc("eth0", "phone");
    assert_eq!(told(&env, "ip"), "192.168.60.100");
    assert_eq!((told(&env, "router"), told(&env, "dns")), ("192.168.60.1".into(), "192.168.60.5".into()));
    soon("its name", || dig(&phone.namespace, "@192.168.60.5 phone.home.cell") == "192.168.60.100");
    assert!(http(&phone.namespace, address::OUTSIDE[0], 80), "the internet, by the router");
    // The rest of the cell is as closed there as toward any outside, and the host keeps its way.
    let _web = host.spawn("python3 -m http.server --bind :: 8080").unwrap();
    soon("a web server on the cell", || http(&host, "127.0.0.1", 8080));
    assert!(!http(&phone.namespace, "192.168.60.5", 8080));
    assert!(pings(&host, "192.168.60.1") && http(&host, address::OUTSIDE[0], 80));
    let addresses = host.ip("-4 -br address show dev eth0").unwrap();
    assert_eq!(addresses.matches("192.168.60.5/24").count(), 1, "{addresses}");
    assert!(!cell.picctl("doctor").unwrap().stdout.contains("another DHCP server"));

    // The routes stay when the cable is cut.
    let uplink = || {
        let all = cell.picctl("doctor --json").unwrap().stdout;
        let all: serde_json::Value = serde_json::from_str(&all).unwrap();
        let found = all.as_array().unwrap().iter().find(|check| check["name"] == "uplink").unwrap();
        format!("{} {}", found["state"].as_str().unwrap(), found["words"].as_str().unwrap())
    };
    assert_eq!(uplink(), "ok eth0");
    home.namespace().ip(&format!("link set {port} down")).unwrap();
    soon("the cut cable to be told", || uplink().starts_with("failed eth0 has no carrier"));
    assert!(host.ip("route show default").unwrap().contains("eth0"));
    host.ip("route del default").unwrap();
    soon("the missing route to be told", || uplink().starts_with("failed this host has no default route"));

    // An address that the host does not have is refused.
    let file = cell.path("wrong.toml");
    pic_lab::files::write(&file, &wrong).unwrap();
    let refused = cell.picctl(&format!("plan --file {}", file.display())).unwrap();
    assert!(refused.stderr.contains("not this host's address"), "{}{}", refused.stdout, refused.stderr);
    drop(cell);
    let after = host.ip("-4 -br address show dev eth0").unwrap();
    assert!(after.contains("192.168.60.5/24"), "what was the host's stays: {after}");
}
