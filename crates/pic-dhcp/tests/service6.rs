//! The real program in namespaces under a load of DHCPv6 clients, killed again and again: what clients were told is compared
//! with what is on disk, and with what all others were told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pic_dhcp::store;
use pic_dhcp::v6::{Options, kind, option};
use pic_lab::capture::Packet;
use pic_lab::netns::veth;
use pic_lab::{Capture, Child, Namespace, Scratch, cmd, files, stage, wait};

const LANS: &str = r#"{"version":1,"duid":"00040102030405060708090a0b0c0d0e0f10","lans":[{"name":"lan","interface":"srv",
    "address":"10.88.0.1/16","ipv6":{"prefix":"fd00:88::/64","router":false,"dns":["fd00:88::1"],"search":["home.cell"],
        "dhcp6":{"pools":[["::1:0","::ffff:ffff"]],"lease":3600,"slaac":true,"preference":0}}}]}"#;
const SECOND: Duration = Duration::from_secs(1);
/// Exchanges begun in a second.
const RATE: u64 = 700;
/// For what takes a moment, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

struct Lab {
    server: Namespace,
    client: Namespace,
    scratch: Scratch,
}

impl Lab {
    fn new() -> Self {
        let (server, client) = (Namespace::new("srv").unwrap(), Namespace::new("cli").unwrap());
        // The load sends from its link-local address only if it has no other.
        client.sysctl("net.ipv6.conf.default.accept_ra", "0").unwrap();
        veth(&server, "srv", &client, "cli").unwrap();
        let scratch = Scratch::new("dhcp6").unwrap();
        for folder in ["leases", "run"] {
            std::fs::create_dir(scratch.join(folder)).unwrap();
        }
        files::write(&scratch.join("lans.json"), LANS).unwrap();
        for (host, interface) in [(&server, "srv"), (&client, "cli")] {
            wait::until(PATIENCE, "link-local addresses", || {
                let shown = host.ip(&format!("-6 -o address show dev {interface} scope link -tentative"));
                shown.is_ok_and(|shown| shown.contains("fe80"))
            })
            .unwrap();
        }
        Self { server, client, scratch }
    }

    fn start(&self) -> Child {
        let mut command = self.server.command(env!("CARGO_BIN_EXE_pic-dhcp"));
        for (option, name) in [("--snapshot", "lans.json"), ("--leases", "leases"), ("--run", "run")] {
            command.arg(option).arg(self.scratch.join(name));
        }
        let child = Child::spawn(command).unwrap();
        wait::until(PATIENCE, "the server", || {
            self.server.run("ss -Hlun sport = :547").is_ok_and(|out| out.stdout.contains(":547"))
        })
        .unwrap();
        child
    }

    fn load(&self, words: &str) -> String {
        let mut command = self.client.command("perfdhcp");
        command.args("-6 -g single -l cli".split(' ')).args(words.split(' ')).arg("all");
        cmd::run_for(&mut command, 60 * SECOND, b"").unwrap().stdout
    }

    /// Who has which address by the log, which must never have given one to two.
    fn leases(&self) -> BTreeMap<IpAddr, Box<[u8]>> {
        let bytes = std::fs::read(self.scratch.join("leases/leases.log")).unwrap();
        let found = store::contents(&bytes).unwrap();
        assert_eq!(found.damaged, 0);
        let mut holders = BTreeMap::new();
        for (address, lease) in found.leases {
            if let Some(other) = holders.insert(address, lease.client.clone()) {
                assert_eq!(other, lease.client, "{address} was given to two");
            }
        }
        holders
    }
}

/// One programme of kills.
#[derive(Debug, Clone, Copy)]
struct Programme {
    kills: u32,
    clients: usize,
}

impl Programme {
    /// Number of addresses told that were checked.
    fn run(self) -> usize {
        let lab = Lab::new();
        let capture = Capture::start(&lab.client, "cli", "ip6 and udp and src port 547").unwrap();
        let is_over = AtomicBool::new(false);
        let mut child = lab.start();
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    lab.load(&format!("-r {RATE} -R {} -p 3", self.clients));
                }
            });
            for kill in 0..self.kills {
                // Each time another moment, spread over a quarter of a second.
                wait::pause(Duration::from_millis(u64::from(kill * 97 % 251)));
                child.kill();
                child = lab.start();
            }
            is_over.store(true, Ordering::Relaxed);
            load.join().unwrap();
        });
        // A busy machine also loses packets that are looked at.
        wait::until(PATIENCE, "every client to have its lease", || {
            lab.load(&format!("-r {RATE} -R {0} -n {0}", self.clients));
            lab.leases().len() >= self.clients && told(&capture.packets().unwrap()).len() >= self.clients
        })
        .unwrap();
        child.kill();
        let told = told(&capture.stop().unwrap());
        let log = lab.leases();
        for (address, client) in &told {
            let kept = log.get(address);
            assert!(
                kept.is_some_and(|kept| **kept == **client),
                "{address} was told to {client:x?}, and the log says {kept:x?}"
            );
        }
        told.len()
    }
}

/// Address and client of every lease that was on the wire, in order.
fn told(packets: &[Packet]) -> Vec<(IpAddr, Vec<u8>)> {
    // Behind the headers of Ethernet, IPv6 and UDP.
    packets.iter().filter_map(|packet| lease_in(packet.data.get(14 + 40 + 8..)?)).collect()
}

fn lease_in(message: &[u8]) -> Option<(IpAddr, Vec<u8>)> {
    let (kind, options) = (*message.first()?, Options::new(message.get(4..)?));
    let ia = options.clone().find(option::IA_NA).filter(|_| kind == kind::REPLY)?;
    let address = Options::new(ia.get(12..)?).find(option::IA_ADDRESS)?;
    let address: [u8; 16] = address.get(..16)?.try_into().ok()?;
    let client = [options.find(option::CLIENT_ID)?, ia.get(..4)?].concat();
    Some((Ipv6Addr::from(address).into(), client))
}

#[test]
fn killed_again_and_again_no_address_is_given_to_two_and_each_is_on_disk() {
    Programme { kills: 8, clients: 1500 }.run();
}

/// The promise at its full length.
#[test]
#[ignore = "takes minutes: scripts/soak leases"]
fn ten_thousand_leases_and_a_hundred_kills() {
    let told = Programme { kills: 100, clients: 10_000 }.run();
    stage::note(&format!(
        "lease kills of IPv6: 100 kills over 10000 leases, {told} replies, 0 given to two, 0 lost"
    ));
}
