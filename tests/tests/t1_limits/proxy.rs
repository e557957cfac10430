//! Who leaves by an exit that is a program on this host is counted, limited and cut off like everybody else.

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{Internet, Namespace, files, proxies, wait};

use crate::PATIENCE;
use crate::quota::{fetch, most};
use crate::usage::account;

const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

/// Whether the outside sees the device as the proxy, in a family.
fn is_by_proxy(device: &Namespace, family: usize) -> bool {
    let page = device.http_get(Internet::web().unwrap()[family], "/", PATIENCE / 4);
    page.is_ok_and(|page| page.trim_end().ends_with(proxies::PLACE[family]))
}

fn bytes(cell: &Cell, way: &str) -> u64 {
    account(cell, "phone")[way]["bytes"].as_u64().unwrap()
}

#[test]
fn what_leaves_by_a_proxy_is_counted_and_limited_and_ends_with_its_quota() {
    let lab = Internet::start().unwrap();
    let place = proxies::place(&lab).unwrap();
    let _proxy = proxies::socks5(&place).unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _device = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let login = cell.path("login");
    files::write(&login, format!("{}\n{}\n", proxies::LOGIN[0], proxies::LOGIN[1])).unwrap();
    let at = format!("{}:{}", proxies::PLACE[0], proxies::SOCKS5);
    let add = format!("exit add office --kind socks5 --proxy {at} --credentials {}", login.display());
    for words in [add.as_str(), "peer set phone --exit office"] {
        cell.picctl(words).unwrap().ok().unwrap();
    }
    let by_proxy = || (0..2).all(|family| is_by_proxy(phone, family));
    wait::until(PATIENCE, "the proxy", by_proxy).unwrap();
    let _server = lab.outside.spawn("iperf3 -s").unwrap();
    wait::until(PATIENCE, "iperf3", || fetch(phone, OUTSIDE[0], "-n 1K").is_some()).unwrap();

    for to in OUTSIDE {
        for (turned, way) in [("", "sent"), ("-R", "received")] {
            let before = bytes(&cell, way);
            let (arrived, _) = fetch(phone, to, &format!("-n 4M {turned}")).unwrap();
            let counted = || bytes(&cell, way).saturating_sub(before);
            // The relay may still hold much of it when the program ends.
            assert!(arrived > 0.0, "{to} {way}");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few millions")]
            wait::until(PATIENCE, "the bytes", || counted() >= arrived as u64).unwrap();
            assert!(counted() < 8 << 20, "{to} {way}: {} bytes for 4 MiB", counted());
        }
    }

    cell.picctl("peer set phone --rate 8mbit").unwrap().ok().unwrap();
    for to in OUTSIDE {
        for words in ["-t 4", "-t 4 -R"] {
            let (bytes, seconds) = fetch(phone, to, words).unwrap();
            let (least, most) = (most(seconds) * 0.1, most(seconds));
            assert!(bytes <= most && bytes >= least, "{to} {words}: {bytes} bytes in {seconds} s");
        }
    }

    // A little more than what was used already, and more than there is.
    let left = account(&cell, "phone")["month"].as_u64().unwrap() / 1_000_000 + 8;
    cell.picctl(&format!("peer set phone --rate none --quota {left}MB/month")).unwrap().ok().unwrap();
    assert!(by_proxy(), "there is some left");
    let running = phone.spawn(&format!("iperf3 -c {} -t 60 -b 20M -R", OUTSIDE[0])).unwrap();
    let ended = || (0..2).all(|family| !is_by_proxy(phone, family));
    wait::until(PATIENCE, "the end of the quota", ended).unwrap();
    assert_eq!(account(&cell, "phone")["spent"], true);
    let why = cell.picctl(&format!("why phone {}:443", OUTSIDE[0])).unwrap().stdout;
    assert!(why.contains("its quota is used up"), "{why}");
    // Nothing of what runs gets through, in either way.
    let before = ["sent", "received"].map(|way| bytes(&cell, way));
    assert!(ended());
    assert_eq!(["sent", "received"].map(|way| bytes(&cell, way)), before);
    drop(running);
    cell.picctl("peer set phone --quota none").unwrap().ok().unwrap();
    wait::until(PATIENCE, "the internet to come back", by_proxy).unwrap();
}
