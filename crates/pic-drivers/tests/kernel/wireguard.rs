//! Userspace WireGuard: what is set is read back by us and by `wg`, with Debian's `wireguard-go` as the device.

use crate::common;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use common::{in_namespace, run, wait_for};
use ipnet::IpNet;
use pic_drivers::wireguard::{self, Error};
use pic_model::key::{PresharedKey, PrivateKey, PublicKey};
use pic_plan::target::wireguard::{Delta, Peer};

/// Variable that names our own `pic-wg`, to be tested in place of `wireguard-go`.
const OTHER: &str = "PIC_TEST_WG";

/// A `wireguard-go` with a name of its own: its socket's folder is shared by all namespaces.
struct Daemon {
    name: String,
    child: Child,
}

impl Daemon {
    fn start(number: u32) -> Self {
        let name = format!("pic{}", 1000 + number + std::process::id() % 10_000 * 10);
        let mut command = match std::env::var_os(OTHER) {
            Some(program) => {
                let mut own = Command::new(program);
                own.args(["--interface", &name]);
                own
            }
            None => {
                let mut debians = Command::new("wireguard-go");
                debians.args(["--foreground", &name]).env("WG_PROCESS_FOREGROUND", "1");
                debians
            }
        };
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let socket = wireguard::socket_path(&name);
        wait_for("the device", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Self { name, child }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(wireguard::socket_path(&self.name));
    }
}

fn key(number: u32) -> PublicKey {
    let mut seed = [1; 32];
    seed[4..8].copy_from_slice(&number.to_be_bytes());
    PublicKey::from_bytes(seed)
}

fn peer(number: u32, networks: u32) -> Peer {
    let mut allowed_ips: BTreeSet<IpNet> = (0..networks)
        .map(|n| IpNet::new(Ipv4Addr::from(0x0a00_0000 + number * 1024 + n).into(), 32).unwrap())
        .collect();
    allowed_ips.insert(IpNet::new(Ipv6Addr::from(0xfd00 << 112 | u128::from(number)).into(), 128).unwrap());
    let mut psk = [2; 32];
    psk[..4].copy_from_slice(&number.to_be_bytes());
    Peer {
        preshared_key: Some(PresharedKey::from_bytes(psk)),
        allowed_ips,
        keepalive: Some(25),
        endpoint: (number == 5).then(|| "192.0.2.5:51820".parse().unwrap()),
    }
}

#[test]
fn sets_changes_and_removes() {
    in_namespace(|| {
        let daemon = Daemon::start(0);
        let private_key = PrivateKey::from_random([9; 32]);
        let first = Delta {
            private_key: Some(private_key.clone()),
            listen_port: Some(51833),
            fwmark: Some(0x0200_0000),
            set: (0..20).map(|n| (key(n), peer(n, if n == 7 { 600 } else { 2 }))).collect(),
            remove: BTreeSet::new(),
        };
        wireguard::apply(&daemon.name, &first).unwrap();
        let (device, live) = wireguard::observe(&daemon.name).unwrap().unwrap();
        assert_eq!(device.private_key.as_ref(), Some(&private_key));
        assert_eq!((device.listen_port, device.fwmark), (51833, 0x0200_0000));
        assert_eq!(device.peers, first.set);
        assert_eq!(live.len(), 20);
        let dump = run(&format!("wg show {} dump", daemon.name));
        assert_eq!(dump.lines().count(), 21);
        assert!(dump.lines().next().unwrap().ends_with("51833\t0x2000000"), "{dump}");
        let line = dump.lines().find(|line| line.starts_with(&key(3).to_string())).unwrap();
        let psk = peer(3, 2).preshared_key.unwrap();
        assert!(line.contains(&**psk.expose_base64()) && line.ends_with("\t25"), "{line}");

        let plain =
            Peer { preshared_key: None, allowed_ips: BTreeSet::new(), keepalive: None, endpoint: None };
        let second = Delta {
            set: [(key(7), plain.clone())].into(),
            remove: [key(3), key(4444)].into(),
            ..Delta::default()
        };
        wireguard::apply(&daemon.name, &second).unwrap();
        wireguard::apply(&daemon.name, &second).unwrap();
        let (device, _) = wireguard::observe(&daemon.name).unwrap().unwrap();
        let mut expected = first.set;
        expected.remove(&key(3));
        expected.insert(key(7), plain);
        assert_eq!(device.peers, expected);
    });
}

#[test]
fn a_refusal_is_told_without_keys() {
    in_namespace(|| {
        let daemon = Daemon::start(1);
        run("ip link add busy type veth peer name busy1");
        let socket = std::net::UdpSocket::bind("0.0.0.0:51844").unwrap();
        run(&format!("ip link set {} up", daemon.name));
        let mut delta = Delta { listen_port: Some(51844), ..Delta::default() };
        delta.set.insert(key(1), peer(1, 1));
        let error = wireguard::apply(&daemon.name, &delta).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        let text = format!("{error:?} {error}");
        assert!(!text.contains("AQEB") && !text.contains("0101"), "{text}");
        drop(socket);
    });
}

#[test]
fn absent_and_foreign_devices() {
    in_namespace(|| {
        assert!(wireguard::observe("pic0").unwrap().is_none());
        assert!(matches!(wireguard::apply("pic0", &Delta::default()).unwrap_err(), Error::Missing { .. }));
        run("ip link add pic0 type bridge");
        assert!(wireguard::observe("pic0").unwrap().is_none());
        assert!(matches!(wireguard::apply("pic0", &Delta::default()).unwrap_err(), Error::Foreign { .. }));
        run("ip tuntap add dev pic987654 mode tun");
        let error = wireguard::observe("pic987654").unwrap_err();
        assert!(error.to_string().contains("/run/wireguard/pic987654.sock"), "{error}");
    });
}

/// Times our side; run with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn ten_thousand_peers() {
    in_namespace(|| {
        let daemon = Daemon::start(2);
        let delta = Delta {
            private_key: Some(PrivateKey::from_random([9; 32])),
            set: (0..10_000).map(|n| (key(n), peer(n % 4000, 1))).collect(),
            ..Delta::default()
        };
        let cpu = || std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let used = |text: &str| text.split(' ').next().unwrap().parse::<u64>().unwrap() / 1000;
        let (begin, before) = (Instant::now(), cpu());
        wireguard::apply(&daemon.name, &delta).unwrap();
        println!("set: {:?}, own CPU {} us", begin.elapsed(), used(&cpu()) - used(&before));
        for _ in 0..3 {
            let (begin, before) = (Instant::now(), cpu());
            let (device, _) = wireguard::observe(&daemon.name).unwrap().unwrap();
            println!("get: {:?}, own CPU {} us", begin.elapsed(), used(&cpu()) - used(&before));
            assert_eq!(device.peers.len(), 10_000);
        }
    });
}
