//! Killed at any moment, the service never gives an address to two: what clients were told is compared with what is on
//! disk, and with what all others were told.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pic_dhcp::lease::{Lease, State};
use pic_dhcp::wire::{self, Kind, frame};
use pic_lab::capture::Packet;
use pic_lab::{Capture, stage, wait};

use crate::kit::{Lab, PATIENCE, SECOND};

/// Exchanges begun in a second.
const RATE: u64 = 700;

/// One programme of kills.
#[derive(Debug, Clone, Copy)]
struct Programme {
    kills: u32,
    clients: u32,
    seed: u64,
}

fn seed() -> u64 {
    let said = std::env::var("PIC_SEED").ok().and_then(|seed| seed.parse().ok());
    said.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs()))
}

#[test]
fn killed_again_and_again_no_address_is_given_to_two() {
    Programme { kills: 12, clients: 1500, seed: seed() }.run();
}

/// The promise at its full length, again and again for `PIC_SOAK_MINUTES`.
#[test]
#[ignore = "takes minutes: scripts/soak leases"]
fn ten_thousand_leases_and_a_hundred_kills() {
    let minutes = std::env::var("PIC_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let end = SystemTime::now() + SECOND * 60 * minutes;
    let (mut rounds, mut told, mut seed) = (0, 0, seed());
    while rounds == 0 || SystemTime::now() < end {
        told += Programme { kills: 100, clients: 10_000, seed }.run();
        rounds += 1;
        seed += 1;
    }
    stage::note(&format!(
        "lease kills: {rounds} rounds of 100 kills over 10000 leases, {told} acknowledgements, 0 given to two, 0 lost"
    ));
}

impl Programme {
    /// Number of acknowledgements that were checked.
    fn run(self) -> usize {
        stage::note(&format!("seed {}", self.seed));
        let lab = Lab::new();
        let capture = Capture::start(&lab.client, "cli", "udp and src port 67").unwrap();
        let is_over = AtomicBool::new(false);
        let mut child = lab.start();
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    lab.load(&format!("-r {RATE} -R {} -p 3", self.clients));
                }
            });
            let mut random = self.seed | 1;
            for _ in 0..self.kills {
                // Numerical Recipes' generator: the moment only has to be another one each time.
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                wait::pause(Duration::from_millis(random >> 33 & 0xff));
                child.kill();
                child = lab.start();
            }
            is_over.store(true, Ordering::Relaxed);
            load.join().unwrap();
        });
        let wanted = usize::try_from(self.clients).unwrap();
        // A busy machine also loses packets that are looked at.
        let seen = |capture: &Capture| acknowledged(&capture.packets().unwrap()).len();
        wait::until(PATIENCE, "every client to have its lease", || {
            lab.load(&format!("-r {RATE} -R {} -n {}", self.clients, self.clients));
            lab.leases().len() >= wanted && seen(&capture) >= wanted
        })
        .unwrap();
        child.kill();
        let told = acknowledged(&capture.stop().unwrap());
        let log = lab.leases();
        compare(&told, &log);
        told.len()
    }
}

/// Address and hardware address of every acknowledgement that was on the wire, in order.
fn acknowledged(packets: &[Packet]) -> Vec<(Ipv4Addr, [u8; 6])> {
    let acks = packets.iter().filter_map(|packet| {
        let (_, payload) = frame::udp_payload(&packet.data, wire::SERVER_PORT)?;
        let message = wire::read(payload).filter(|message| message.kind == Kind::Ack)?;
        Some((message.yiaddr(), message.mac()?))
    });
    acks.collect()
}

fn compare(told: &[(Ipv4Addr, [u8; 6])], log: &BTreeMap<Ipv4Addr, Lease>) {
    let mut holders: BTreeMap<Ipv4Addr, [u8; 6]> = BTreeMap::new();
    for (address, mac) in told {
        let other = holders.insert(*address, *mac).filter(|other| other != mac);
        assert!(other.is_none(), "{address} was given to {mac:x?} and to {other:x?}");
        let kept = log.get(address);
        assert!(
            kept.is_some_and(|lease| lease.mac == *mac && lease.state == State::Bound),
            "{mac:x?} was told {address}, and the log says {kept:?}"
        );
    }
}
