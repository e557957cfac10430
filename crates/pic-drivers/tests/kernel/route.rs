//! Routes against the real kernel; `ip route` is the judge.

use crate::common;

use std::collections::BTreeSet;

use common::{in_namespace, run};
use pic_drivers::route::{self, Error};
use pic_plan::plan::Action;
use pic_plan::target::route::{Route, RouteKind};

fn unreachable(destination: &str) -> Route {
    Route {
        table: 7700,
        destination: destination.parse().unwrap(),
        metric: u32::MAX,
        kind: RouteKind::Unreachable,
    }
}

fn device(destination: &str, table: u32) -> Route {
    let kind = RouteKind::Device("pic0".into());
    Route { table, destination: destination.parse().unwrap(), metric: 77, kind }
}

fn stage() {
    run("ip tuntap add dev pic0 mode tun");
    run("ip link set pic0 up");
    run("ip route add 192.0.2.0/24 dev pic0 proto static table 7700");
}

#[test]
fn reads_back_what_it_adds() {
    in_namespace(|| {
        stage();
        let wanted: BTreeSet<Route> = [
            unreachable("0.0.0.0/0"),
            unreachable("::/0"),
            device("10.88.0.0/16", 254),
            device("fd88::/48", 254),
            device("0.0.0.0/0", 7701),
            device("::/0", 7701),
        ]
        .into();
        for route in wanted.iter().chain(&wanted) {
            route::apply(&Action::RouteAdd(route.clone())).unwrap();
        }
        assert_eq!(route::observe().unwrap(), wanted);
        let v4 = run("ip -4 route show table all proto 77");
        assert!(v4.contains("unreachable default table 7700 metric 4294967295"), "{v4}");
        assert_eq!(v4.lines().count(), 3, "{v4}");
        let v6 = run("ip -6 route show table all proto 77");
        assert!(v6.contains("unreachable default dev lo table 7700 metric 4294967295"), "{v6}");
        assert_eq!(v6.lines().count(), 3, "{v6}");

        for route in wanted.iter().chain(&wanted) {
            route::apply(&Action::RouteRemove(route.clone())).unwrap();
        }
        assert!(route::observe().unwrap().is_empty());
        assert!(run("ip route show table 7700").contains("192.0.2.0/24"), "another's route stays");
    });
}

#[test]
fn a_foreign_route_of_the_same_destination_survives_removal() {
    in_namespace(|| {
        stage();
        run("ip route add 10.88.0.0/16 dev pic0 proto static metric 77");
        route::apply(&Action::RouteRemove(device("10.88.0.0/16", 254))).unwrap();
        assert!(run("ip route").contains("10.88.0.0/16"));
    });
}

#[test]
fn a_route_of_another_shape_is_told_and_removed() {
    in_namespace(|| {
        stage();
        run("ip addr add 10.9.0.1/24 dev pic0");
        run("ip route add default via 10.9.0.2 proto 77 metric 77 table 7701");
        let seen = route::observe().unwrap();
        assert_eq!(seen.len(), 1);
        assert!(!seen.contains(&device("0.0.0.0/0", 7701)));
        for route in seen {
            route::apply(&Action::RouteRemove(route)).unwrap();
        }
        assert!(route::observe().unwrap().is_empty());
    });
}

#[test]
fn a_missing_interface_is_named() {
    in_namespace(|| {
        let error = route::apply(&Action::RouteAdd(device("10.88.0.0/16", 254))).unwrap_err();
        assert!(matches!(error, Error::NoInterface { .. }), "{error:?}");
        route::apply(&Action::RouteRemove(device("10.88.0.0/16", 254))).unwrap();
    });
}

#[test]
fn through_a_router() {
    in_namespace(|| {
        stage();
        run("ip address add 10.99.0.1/24 dev pic0");
        let kind = RouteKind::Gateway { device: "pic0".into(), via: "10.99.0.2".parse().unwrap() };
        let route = Route { table: 254, destination: "10.5.0.0/24".parse().unwrap(), metric: 77, kind };
        for _ in 0..2 {
            route::apply(&Action::RouteAdd(route.clone())).unwrap();
        }
        assert_eq!(route::observe().unwrap(), [route.clone()].into());
        let shown = run("ip -4 route show proto 77");
        assert!(shown.contains("10.5.0.0/24 via 10.99.0.2 dev pic0 metric 77"), "{shown}");
        for _ in 0..2 {
            route::apply(&Action::RouteRemove(route.clone())).unwrap();
        }
        assert!(route::observe().unwrap().is_empty());
    });
}
