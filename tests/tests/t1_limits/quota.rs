//! Quotas that end, and rates that hold.

use std::time::Instant;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{Internet, Namespace, wait};

use crate::PATIENCE;
use crate::usage::account;

const CELL_TOML: &str = "[cell]\nname = \"home\"\n[[group]]\nname = \"kids\"\n";

fn reaches(from: &Namespace, to: &str) -> bool {
    from.ping(to, 1, None).is_ok_and(|pings| pings.all_back())
}

/// Fetches so much of iperf3's server, and says how much came about in which time.
pub(crate) fn fetch(host: &Namespace, to: &str, words: &str) -> Option<(f64, f64)> {
    let out = host.run(&format!("iperf3 -J -c {to} {words}")).ok()?;
    let told: serde_json::Value = serde_json::from_str(&out.stdout).ok()?;
    let end = &told["end"]["sum_received"];
    Some((end["bytes"].as_f64()?, end["seconds"].as_f64()?))
}

/// What may get through in so many seconds at 8 Mbit/s: 1 MB a second, and what the kernel lets through at once after a pause, which is a
/// second's worth and 128 KiB.
pub(crate) fn most(seconds: f64) -> f64 {
    (1_000_000.0 * (seconds + 1.0) + 131_072.0) * 1.2
}

#[test]
fn a_quota_ends_the_internet_and_not_the_cell_until_it_is_raised() {
    let lab = Internet::start().unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let config = cell.add("phone", "").unwrap();
    let _device = Device::connect(&lab.client, "phone", &config).unwrap();
    wait::until(PATIENCE, "the tunnel", || reaches(&lab.client, "10.77.0.1")).unwrap();
    let _server = lab.outside.spawn("iperf3 -s").unwrap();
    cell.picctl("peer set phone --quota 8MB/month").unwrap().ok().unwrap();
    assert!(cell.picctl("peer show phone").unwrap().stdout.contains("8MB/month"));
    wait::until(PATIENCE, "iperf3", || fetch(&lab.client, OUTSIDE[0], "-n 1M").is_some()).unwrap();
    assert!(OUTSIDE.into_iter().all(|to| reaches(&lab.client, to)), "there is some left");

    // More than there is: it is stopped on the way.
    let running = lab.client.spawn(&format!("iperf3 -c {} -t 60 -b 20M", OUTSIDE[0])).unwrap();
    let ended = || OUTSIDE.into_iter().all(|to| !reaches(&lab.client, to));
    wait::until(PATIENCE, "the end of the quota", ended).unwrap();
    let used = account(&cell, "phone");
    let bytes = used["month"].as_u64().unwrap();
    assert!(used["spent"] == true && (8_000_000..60_000_000).contains(&bytes), "{used}");
    drop(running);
    assert!(reaches(&lab.client, "10.77.0.1"), "the cell is still reached");
    let why = cell.picctl(&format!("why phone {}:443", OUTSIDE[0])).unwrap().stdout;
    assert!(why.contains("its quota is used up"), "{why}");
    assert!(cell.picctl("doctor").unwrap().stdout.contains("phone"));

    // Not even for a moment by a restart.
    cell.kill_agent().unwrap();
    cell.start_agent().unwrap();
    assert!(ended());
    // A test of the owner's is about what is granted, not about what is left.
    cell.picctl("peer set phone --quota 10GB/month").unwrap().ok().unwrap();
    let back = || OUTSIDE.into_iter().all(|to| reaches(&lab.client, to));
    wait::until(PATIENCE, "the internet to come back", back).unwrap();
    assert_eq!(account(&cell, "phone")["spent"], false);
    // What a group says holds for its members.
    cell.picctl("peer set phone --quota none --groups kids").unwrap().ok().unwrap();
    let file = cell.path("etc/cell.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("name = \"kids\"", "name = \"kids\"\nquota = \"1MB/day\"");
    pic_lab::files::write(&file, text).unwrap();
    cell.picctl("apply --yes").unwrap().ok().unwrap();
    wait::until(PATIENCE, "the group's quota to end", ended).unwrap();
}

#[test]
fn a_rate_holds_in_both_ways_and_families() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let config = cell.add("phone", "").unwrap();
    let _device = Device::connect(&lab.client, "phone", &config).unwrap();
    let _server = lab.outside.spawn("iperf3 -s").unwrap();
    wait::until(PATIENCE, "iperf3", || fetch(&lab.client, OUTSIDE[0], "-n 1K").is_some()).unwrap();
    cell.picctl("peer set phone --rate 8mbit").unwrap().ok().unwrap();
    for to in OUTSIDE {
        for words in ["-t 5", "-t 5 -R"] {
            let (bytes, seconds) = fetch(&lab.client, to, words).unwrap();
            let most = most(seconds);
            assert!(bytes <= most && bytes >= most * 0.1, "{to} {words}: {bytes} bytes in {seconds} s");
        }
    }
    // One rate for both families: together they are no faster than one.
    let _other = lab.outside.spawn("iperf3 -s -p 5202").unwrap();
    wait::until(PATIENCE, "iperf3", || fetch(&lab.client, OUTSIDE[1], "-p 5202 -n 1K").is_some()).unwrap();
    let begin = Instant::now();
    let (v4, v6) = std::thread::scope(|scope| {
        let v4 = scope.spawn(|| fetch(&lab.client, OUTSIDE[0], "-t 6").unwrap().0);
        let v6 = fetch(&lab.client, OUTSIDE[1], "-p 5202 -t 6").unwrap().0;
        (v4.join().unwrap(), v6)
    });
    let most_of_both = most(begin.elapsed().as_secs_f64());
    assert!(v4 + v6 <= most_of_both, "{v4} and {v6} bytes, of {most_of_both} at the most");
    // Without it there is more.
    cell.picctl("peer set phone --rate none").unwrap().ok().unwrap();
    let (bytes, seconds) = fetch(&lab.client, OUTSIDE[0], "-n 30M").unwrap();
    assert!(bytes > most(seconds), "{bytes} bytes in {seconds} s");
}
