//! A disk that takes nothing.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use pic_dhcp::lease::{Lease, State};
use pic_dhcp::store::{self, Store};
use pic_lab::{Child, Scratch, cmd, wait};

use crate::kit::{Lab, PATIENCE, number};

/// A small disk; gone on drop.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(folder: &Path, size: &str) -> Self {
        let mut command = cmd::command("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(folder);
        cmd::run(&mut command).unwrap().ok().unwrap();
        Self(folder.to_owned())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = cmd::run(cmd::command("umount").args(["--lazy"]).arg(&self.0));
    }
}

#[test]
fn a_slow_disk_holds_up_no_packet() {
    let lab = Lab::new();
    let mut child = lab.start();
    // Each flush takes longer than what the kernel keeps for us lasts.
    let pid = child.pid().to_string();
    let mut slow = cmd::command("strace");
    slow.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:delay_enter=600000", "-p", &pid]);
    let mut slow = Child::spawn(slow).unwrap();
    wait::until(PATIENCE, "strace", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
    .unwrap();
    // Held up by its disk it would lose more than every second packet in each run.
    let is_lost =
        |told: &str, what| number(told, what, "drops:") > number(told, what, "sent packets:") * 0.01;
    lab.load_until("-r 1000 -R 10000 -p 3 -W 3000000 -d 3", "a run without losses", |told| {
        ["DISCOVER-OFFER", "REQUEST-ACK"].iter().all(|what| !is_lost(told, what))
    });
    slow.kill();
    child.kill();
}

#[test]
fn on_a_full_disk_known_clients_renew_and_new_ones_wait() {
    let lab = Lab::new();
    let folder = lab.scratch.join("leases");
    let _disk = Tmpfs::mount(&folder, "64k");
    let mut child = lab.start();
    lab.give(50);
    // Whatever is left of the disk goes.
    let filler = folder.join("filler");
    let mut filled = cmd::command("dd");
    filled.arg("if=/dev/zero").arg(format!("of={}", filler.display())).args(["bs=1k", "count=100"]);
    let _ = cmd::run(&mut filled);
    let mut flood = String::new();
    for _ in 0..3 {
        flood = lab.load("-r 500 -R 5000 -p 2");
    }
    assert!(
        number(&flood, "REQUEST-ACK", "received packets:")
            < number(&flood, "DISCOVER-OFFER", "sent packets:")
    );
    let told = || lab.state().disk.is_some_and(|why| why.contains("No space left"));
    wait::until(PATIENCE, "the agent to be told", told).unwrap();
    lab.load_until("-r 100 -R 50 -p 1 -W 500000", "known ones to be served", |told| {
        number(told, "REQUEST-ACK", "drops ratio:") == 0.0
            && number(told, "REQUEST-ACK", "received packets:") > 0.0
    });
    assert!(told(), "it is full all the time");
    std::fs::remove_file(&filler).unwrap();
    // Of the fifty that are known, and of others.
    let before = lab.bound().len();
    lab.load_until("-r 100 -R 90 -n 90 -W 500000", "new clients to be served again", |_| {
        lab.bound().len() >= before.max(90)
    });
    child.kill();
    lab.leases();
}

#[test]
fn a_log_that_cannot_be_written_anew_stays_as_it_was() {
    let scratch = Scratch::new("full").unwrap();
    let folder = scratch.join("leases");
    std::fs::create_dir(&folder).unwrap();
    let _disk = Tmpfs::mount(&folder, "1m");
    let (mut store, _) = Store::open(&folder).unwrap();
    let lease = |n: u32| Lease {
        client: n.to_be_bytes().into(),
        mac: [2, 0, 0, 0, 0, 1],
        state: State::Bound,
        expires: 10,
        first_seen: 1,
        last_seen: 1,
        name: None,
        relay: None,
        via: None,
    };
    let at = |n: u32| Ipv4Addr::from_bits(n).into();
    let mut batch = Vec::new();
    for n in 0..14_000 {
        store::write(at(n), &lease(n), &mut batch);
    }
    store.append(&batch).unwrap();
    let leases: Vec<_> = (0..14_000).map(|n| (at(n), lease(n))).collect();
    let failed = store.rewrite(leases.iter().map(|(address, lease)| (*address, lease))).unwrap_err();
    assert!(failed.to_string().contains("leases.new"), "{failed}");
    assert!(!folder.join("leases.new").exists(), "its half takes no room");
    batch.clear();
    store::write(at(20_000), &lease(20_000), &mut batch);
    store.append(&batch).unwrap();
    drop(store);
    let (_, found) = Store::open(&folder).unwrap();
    assert_eq!((found.leases.len(), found.damaged), (14_001, 0));
}

#[test]
fn a_damaged_log_costs_no_more_than_what_is_damaged() {
    let lab = Lab::new();
    let mut child = lab.start();
    lab.give(200);
    child.kill();
    let before = lab.leases();
    let mut bytes = std::fs::read(lab.log()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.extend_from_slice(&[7; 11]);
    pic_lab::files::write(&lab.log(), &bytes).unwrap();
    let mut child = lab.start();
    wait::until(PATIENCE, "the log to be written anew", || {
        let bytes = std::fs::read(lab.log()).unwrap_or_default();
        store::contents(&bytes).is_some_and(|found| found.damaged == 0 && found.end == bytes.len())
    })
    .unwrap();
    let after = lab.leases();
    assert!(after.len() >= before.len() / 2, "{} of {} are left", after.len(), before.len());
    assert!(after.iter().all(|(address, lease)| before[address].client == lease.client));
    // All who are known, and whose lease was lost anew.
    lab.give(200);
    child.kill();
}
