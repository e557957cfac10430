//! Interfaces and addresses against the real kernel; `ip` is the judge.

use crate::common;

use common::{attempt, in_namespace, run};
use pic_drivers::link::{self, Error};
use pic_plan::plan::Action;
use pic_plan::target::link::Kind;

fn address_add(address: &str) -> Action {
    Action::AddressAdd { link: "pic0".into(), address: address.parse().unwrap() }
}

#[test]
fn tun_is_seen_changed_and_deleted() {
    in_namespace(|| {
        run("ip tuntap add dev pic0 mode tun");
        run("ip link add pic-veth type veth peer name other0");
        run("ip tuntap add dev tun5 mode tun");
        let set = Action::LinkSet { name: "pic0".into(), mtu: 1380, up: true };
        for action in [set, address_add("10.77.0.1/24"), address_add("fd77::1/64")] {
            link::apply(&action).unwrap();
            link::apply(&action).unwrap();
        }
        let links = link::observe("pic").unwrap();
        assert_eq!(links.keys().collect::<Vec<_>>(), ["pic0"]);
        let pic0 = &links["pic0"];
        assert_eq!((pic0.kind, pic0.mtu, pic0.up), (Kind::Tun, 1380, true));
        let addresses: Vec<String> = pic0.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.77.0.1/24", "fd77::1/64"]);
        let shown = run("ip -j addr show dev pic0");
        assert!(shown.contains("\"nodad\":true") && !shown.contains("tentative\":true"), "{shown}");
        assert!(run("ip route").contains("10.77.0.0/24 dev pic0 proto kernel"));

        let remove = Action::AddressRemove { link: "pic0".into(), address: "10.77.0.1/24".parse().unwrap() };
        link::apply(&remove).unwrap();
        link::apply(&remove).unwrap();
        link::apply(&Action::LinkSet { name: "pic0".into(), mtu: 1280, up: false }).unwrap();
        let pic0 = &link::observe("pic").unwrap()["pic0"];
        assert_eq!(
            (pic0.addresses.len(), pic0.mtu, pic0.up),
            (0, 1280, false),
            "v6 goes when the link goes down"
        );

        let delete = Action::LinkDelete { name: "pic0".into() };
        link::apply(&delete).unwrap();
        link::apply(&delete).unwrap();
        link::apply(&remove).unwrap();
        assert!(link::observe("pic").unwrap().is_empty());
    });
}

#[test]
fn foreign_interfaces_are_told_as_such() {
    in_namespace(|| {
        run("ip link add pic0 type bridge");
        assert_eq!(link::observe("pic").unwrap()["pic0"].kind, Kind::Foreign);
        let create =
            Action::LinkCreate { name: "pic0".into(), kind: Kind::Wireguard, mtu: 1420, parent: None };
        let error = link::apply(&create).unwrap_err();
        assert!(matches!(error, Error::Taken { .. } | Error::NoKernelWireguard { .. }), "{error:?}");
    });
}

#[test]
fn kernel_wireguard_or_a_clear_word() {
    in_namespace(|| {
        let (has, _) = attempt("ip link add probe type wireguard");
        assert_eq!(link::probe_kernel_wireguard().unwrap(), has);
        assert!(!run("ip link").contains("pic-probe"));
        let create =
            Action::LinkCreate { name: "pic0".into(), kind: Kind::Wireguard, mtu: 1420, parent: None };
        match link::apply(&create) {
            Ok(()) => assert!(has && run("ip -d link show pic0").contains("wireguard")),
            Err(error) => assert!(!has && matches!(error, Error::NoKernelWireguard { .. }), "{error:?}"),
        }
    });
}

#[test]
fn what_is_missing_is_named() {
    in_namespace(|| {
        let error = link::apply(&address_add("10.0.0.1/24")).unwrap_err();
        assert_eq!(error.to_string(), "cannot add address 10.0.0.1/24 on interface pic0");
        let tun = Action::LinkCreate { name: "pic0".into(), kind: Kind::Tun, mtu: 1420, parent: None };
        assert!(matches!(link::apply(&tun).unwrap_err(), Error::NotOurs { .. }));
    });
}

#[test]
fn a_cable_that_is_out_is_seen() {
    in_namespace(|| {
        run("ip link add eth1 type veth peer name other0");
        let carrier = || link::has_carrier("eth1").unwrap();
        assert_eq!((carrier(), link::has_carrier("eth2").unwrap()), (Some(false), None));
        run("ip link set eth1 up");
        assert_eq!(carrier(), Some(false), "its other end is down");
        run("ip link set other0 up");
        assert_eq!(carrier(), Some(true));
        run("ip address add 192.0.2.9/24 dev eth1");
        run("ip route add default via 192.0.2.1");
        run("ip link set other0 down");
        assert_eq!(carrier(), Some(false), "whatever its routes say");
    });
}

#[test]
fn of_the_hosts_own_interfaces_only_our_addresses_are_ours() {
    in_namespace(|| {
        run("ip link add eth1 type veth peer name other0");
        run("ip address add 192.0.2.9/24 dev eth1");
        run("ip address add fd09::9/64 dev eth1");
        link::apply(&Action::LinkUp { name: "eth1".into() }).unwrap();
        for address in ["192.168.40.1/24", "fd40::1/64"] {
            let add = Action::AddressAdd { link: "eth1".into(), address: address.parse().unwrap() };
            link::apply(&add).unwrap();
            link::apply(&add).unwrap();
        }
        let eth1 = &link::observe_host("pic").unwrap()["eth1"];
        assert!(eth1.up);
        let text = |all: &std::collections::BTreeSet<ipnet::IpNet>| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(text(&eth1.ours), ["192.168.40.1/24", "fd40::1/64"]);
        assert_eq!(text(&eth1.others), ["192.0.2.9/24", "fd09::9/64"]);
    });
}
