//! Facts of a host with an uplink, a LAN and a cell.

use crate::common;

use common::{in_namespace, run};
use pic_drivers::host;

fn interface(name: &str) {
    run(&format!("ip tuntap add dev {name} mode tap"));
    run(&format!("ip link set {name} up"));
}

#[test]
fn finds_the_uplink_and_the_networks_that_are_taken() {
    in_namespace(|| {
        for name in ["wan0", "wan1", "lan0", "pic0"] {
            interface(name);
        }
        run("ip addr add 198.51.100.7/24 dev wan0");
        run("ip addr add fd12::7/64 dev wan0 nodad");
        run("ip addr add 2001:db8:1::7/64 dev wan0 nodad");
        run("ip addr add 203.0.113.9/32 dev wan1");
        run("ip addr add 192.168.1.1/24 dev lan0");
        run("ip addr add 10.77.0.1/24 dev pic0");
        run("ip route add default via 198.51.100.1 metric 50");
        run("ip route add default dev wan1 metric 100");
        run("ip -6 route add default dev wan0");
        run("ip route add default dev pic0 metric 10");
        run("ip route add 172.16.0.0/12 via 192.168.1.2 dev lan0");
        run("ip route add 10.50.0.0/16 dev lan0 table 99");
        let facts = host::observe().unwrap();
        let uplink = facts.uplink.unwrap();
        assert_eq!(uplink.interface.as_str(), "wan0");
        assert_eq!(uplink.ipv4, Some("198.51.100.7".parse().unwrap()));
        assert_eq!(uplink.ipv6, Some("2001:db8:1::7".parse().unwrap()), "the internet's before the site's");
        assert!(uplink.routes6);
        assert!(facts.advertised.contains(&uplink.interface));
        let networks: Vec<String> =
            facts.host_networks.iter().map(|n| format!("{} {}", n.network, n.interface)).collect();
        assert_eq!(
            networks,
            [
                "10.50.0.0/16 lan0",
                "172.16.0.0/12 lan0",
                "192.168.1.0/24 lan0",
                "198.51.100.0/24 wan0",
                "203.0.113.9/32 wan1",
                "2001:db8:1::/64 wan0",
                "fd12::/64 wan0",
            ]
        );
    });
}

#[test]
fn a_host_with_only_ipv6_or_nothing() {
    in_namespace(|| {
        let facts = host::observe().unwrap();
        assert!(facts.uplink.is_none() && facts.host_networks.is_empty());
        interface("wan0");
        run("ip addr add 2001:db8::7/64 dev wan0 nodad");
        run("ip -6 route add default via 2001:db8::1 dev wan0");
        let uplink = host::observe().unwrap().uplink.unwrap();
        assert_eq!((uplink.interface.as_str(), uplink.ipv4), ("wan0", None));
        assert_eq!(uplink.ipv6, Some("2001:db8::7".parse().unwrap()));
    });
}
