//! A clock that is years off, at the start and while the service runs: nobody's lease ends, and nobody gets another's
//! address.

use std::path::{Path, PathBuf};

use pic_dhcp::time::Mark;
use pic_lab::{Child, files, wait};
use pic_model::snapshot::dhcp::LeaseState;

use crate::kit::{Lab, PATIENCE, SECOND, number};

const CLIENTS: usize = 20;

fn faketime() -> PathBuf {
    let machines = ["x86_64", "aarch64"];
    let places =
        machines.map(|machine| format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1").into());
    places.into_iter().find(|path: &PathBuf| path.exists()).unwrap()
}

/// The service with a clock that is off by what the file `shift` says, read anew each second.
fn start(lab: &Lab) -> Child {
    lab.start_with(|command| {
        command.env("LD_PRELOAD", faketime());
        command.env("FAKETIME_TIMESTAMP_FILE", lab.scratch.join("shift"));
        command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    })
}

fn set(lab: &Lab, shift: &str) {
    files::write(&lab.scratch.join("shift"), shift).unwrap();
}

/// A reboot: what lasts until then is gone.
fn forget(lab: &Lab) {
    let _ = std::fs::remove_file(lab.scratch.join("run/clock.json"));
}

/// Everyone has the address from before, in the list and when asking again.
fn all_is_as_it_was(lab: &Lab, before: &[LeaseState], when: &str) {
    let now = lab.bound();
    assert_eq!(now.len(), CLIENTS, "{when}");
    for (now, before) in now.iter().zip(before) {
        assert_eq!((now.address, now.mac), (before.address, before.mac), "{when}");
    }
    // Clients whose lease is another's now would not be answered.
    lab.load_until("-r 50 -R 20 -p 1 -W 500000", &format!("everyone to renew {when}"), |told| {
        number(told, "REQUEST-ACK", "received packets:") > 0.0 && number(told, "REQUEST-ACK", "drops:") == 0.0
    });
    lab.leases();
    assert_eq!(lab.bound().len(), CLIENTS, "{when}: an address more was needed");
}

fn mark(path: &Path) -> Mark {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_clock_that_is_years_off_ends_no_lease() {
    let lab = Lab::new();
    set(&lab, "+0d\n");
    let mut child = start(&lab);
    lab.give(CLIENTS);
    let before = lab.bound();
    let real = before[0].expires;
    for shift in ["+3650d\n", "-3650d\n", "-20000d\n", "+0d\n"] {
        child.kill();
        forget(&lab);
        set(&lab, shift);
        child = start(&lab);
        all_is_as_it_was(&lab, &before, &format!("after a reboot at {shift}"));
    }
    assert!(
        lab.bound()[0].expires.abs_diff(real) < 600,
        "the list tells the time as the machine's clock has it"
    );

    // It is set while the service runs, and the service is started again.
    for shift in ["+3650d\n", "-3650d\n", "+0d\n"] {
        let place = lab.scratch.join("leases/clock.json");
        let was = mark(&place).shown;
        set(&lab, shift);
        wait::until(PATIENCE, "the jump to be written down", || mark(&place).shown.abs_diff(was) > 1000)
            .unwrap();
        all_is_as_it_was(&lab, &before, &format!("set to {shift}"));
        child.kill();
        child = start(&lab);
        all_is_as_it_was(&lab, &before, &format!("started again at {shift}"));
    }
    child.kill();
}

/// A board without a battery: the first leases are written in 1970, then the clock is put right.
#[test]
fn leases_of_1970_last_when_the_clock_is_put_right() {
    let lab = Lab::new();
    set(&lab, "-20000d\n");
    let mut child = start(&lab);
    lab.give(CLIENTS);
    let before = lab.bound();
    child.kill();
    forget(&lab);
    set(&lab, "+0d\n");
    let mut child = start(&lab);
    all_is_as_it_was(&lab, &before, "after a reboot");
    let soon = std::time::SystemTime::now() + 3600 * SECOND;
    let soon = soon.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let expires = u64::try_from(lab.bound()[0].expires).unwrap();
    assert!(expires.abs_diff(soon) < 600, "{expires} is in an hour by the machine's clock, {soon}");
    child.kill();
}
