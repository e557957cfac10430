//! The namespace of an app: both ends of its cable, read by `ip`.

use pic_drivers::namespace::{self, Host};
use pic_model::snapshot::app::{AppSnapshot, VERSION};

use super::common::{attempt, in_namespace, run};

fn wanted() -> AppSnapshot {
    AppSnapshot {
        version: VERSION,
        outer: "pic6001".into(),
        mtu: 1500,
        addresses: ["10.79.0.6/30", "fd00:1::2/64"].map(|net| net.parse().unwrap()).into(),
        gateways: ["10.79.0.5", "fd00:1::1"].map(|at| at.parse().unwrap()).into(),
    }
}

#[test]
fn a_cable_is_laid_once_and_again_when_somebody_takes_it() {
    in_namespace(|| {
        let outside = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        let host = Host::leave().unwrap();
        let inside = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        let go = |to: &std::fs::File| nix::sched::setns(to, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        for _ in 0..2 {
            namespace::ensure(&wanted(), &host).unwrap();
            namespace::ensure(&wanted(), &host).unwrap();
            let addresses = run("ip -br address show eth0");
            assert!(addresses.contains("10.79.0.6/30") && addresses.contains("fd00:1::2/64"), "{addresses}");
            assert!(!attempt("ip link show pic6001").0, "only its own end");
            assert!(namespace::holds(&wanted()).unwrap());
            let moved = AppSnapshot { addresses: ["10.79.0.10/30".parse().unwrap()].into(), ..wanted() };
            assert!(!namespace::holds(&moved).unwrap());
            go(&outside);
            assert!(run("ip -d link show pic6001").contains("veth"));
            assert!(!attempt("ip link show eth0").0);
            run("ip address add 10.79.0.5/30 dev pic6001");
            run("ip address add fd00:1::1/64 dev pic6001 nodad");
            run("ip link set pic6001 up");
            go(&inside);
            // The way out, once the other end is up.
            namespace::ensure(&wanted(), &host).unwrap();
            assert!(run("ip route get 192.0.2.1").contains("via 10.79.0.5 dev eth0 src 10.79.0.6"));
            assert!(run("ip route get 2001:db8::1").contains("via fd00:1::1 dev eth0"));
            run("ping -c 1 -W 2 10.79.0.5");
            run("ping -c 1 -W 2 fd00:1::1");
            go(&outside);
            run("ip link del pic6001");
            go(&inside);
            assert!(!namespace::has_cable().unwrap());
        }
        go(&outside);
        run("ip link add pic6001 type bridge");
        go(&inside);
        let error = namespace::ensure(&wanted(), &host).unwrap_err();
        assert!(matches!(error, namespace::Error::Taken { .. }), "{error:?}");
        go(&outside);
        run("ip link del pic6001");
        go(&inside);
        namespace::ensure(&wanted(), &host).unwrap();
        namespace::cut().unwrap();
        namespace::cut().unwrap();
        go(&outside);
        assert!(!attempt("ip link show pic6001").0);
    });
}
