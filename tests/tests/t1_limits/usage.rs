//! What devices and LANs use is counted to the packet, and not forgotten.

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{Internet, Namespace, wait};
use serde_json::Value;

use crate::PATIENCE;

const CELL_TOML: &str = r#"[cell]
name = "home"
[wireguard]
ipv6 = "fd00:77::/64"
[[lan]]
name = "family"
interface = "eth1"
ipv4 = "192.168.41.1/24"
ipv6 = "fd00:41::/64"
"#;

/// Packets and bytes, sent and received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    sent: [u64; 2],
    received: [u64; 2],
}

fn list(cell: &Cell) -> Value {
    serde_json::from_str(&cell.picctl("top --json").unwrap().ok().unwrap()).unwrap()
}

/// As it is now: an answer may be half a second old, so the next reading is waited for.
pub(crate) fn account(cell: &Cell, name: &str) -> Value {
    let (first, mut last) = (list(cell), Value::Null);
    let mut is_new = || {
        last = list(cell);
        last["read_at"] != first["read_at"]
    };
    wait::until(PATIENCE, "the next reading", &mut is_new).unwrap();
    let items = last["items"].as_array().unwrap();
    items.iter().find(|one| one["name"] == name).unwrap().clone()
}

fn used(cell: &Cell, name: &str) -> Used {
    let one = account(cell, name);
    let both = |way: &str| ["packets", "bytes"].map(|what| one[way][what].as_u64().unwrap());
    Used { sent: both("sent"), received: both("received") }
}

/// Pings of 56 bytes with their headers: ICMP and IP.
const PING: [u64; 2] = [56 + 8 + 20, 56 + 8 + 40];

fn pings(from: &Namespace, cell: &Cell, name: &str) {
    for (to, length) in OUTSIDE.into_iter().zip(PING) {
        let up = || from.ping(to, 1, None).is_ok_and(|pings| pings.all_back());
        wait::until(PATIENCE, "the way out", up).unwrap();
        let before = used(cell, name);
        assert!(from.ping(to, 20, None).unwrap().all_back());
        let more = |before: [u64; 2]| [before[0] + 20, before[1] + 20 * length];
        let want = Used { sent: more(before.sent), received: more(before.received) };
        wait::until(PATIENCE, "the counters", || used(cell, name) == want)
            .map_err(|error| format!("{error}: {name} {want:?}, not {:?}", used(cell, name)))
            .unwrap();
    }
}

#[test]
fn traffic_is_counted_to_the_packet_and_not_forgotten() {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("eth1").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let nas = Namespace::new("nas").unwrap();
    lan.plug(&nas, "eth0").unwrap();
    nas.address("eth0", "192.168.41.77/24").unwrap();
    nas.ip("address add fd00:41::77/64 dev eth0 nodad").unwrap();
    nas.ip("-4 route replace default via 192.168.41.1 dev eth0").unwrap();
    nas.ip("-6 route replace default via fd00:41::1 dev eth0").unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let config = cell.add("phone", "").unwrap();
    cell.add("tablet", "").unwrap();
    let device = Device::connect(&lab.client, "phone", &config).unwrap();
    pings(&lab.client, &cell, "phone");
    pings(&nas, &cell, "family");
    let nothing = Used { sent: [0; 2], received: [0; 2] };
    assert_eq!(used(&cell, "tablet"), nothing);

    // What stays in the cell is not counted.
    let before = used(&cell, "phone");
    assert!(lab.client.ping("10.77.0.1", 5, None).unwrap().all_back());
    assert!(lab.client.ping("192.168.41.1", 5, None).unwrap().all_back());
    assert_eq!(used(&cell, "phone"), before);

    // Much of it, in both ways and families: no less than what the program says, and its headers and answers on top.
    let _server = lab.outside.spawn("iperf3 -s").unwrap();
    let ask = |words: &str| lab.client.run(&format!("iperf3 -c {words}")).unwrap();
    wait::until(PATIENCE, "iperf3", || ask(&format!("{} -n 1K", OUTSIDE[0])).code() == 0).unwrap();
    for to in OUTSIDE {
        for (turned, way) in [("", 0), ("-R", 1)] {
            let before = used(&cell, "phone");
            let told = ask(&format!("{to} -J -n 4M {turned}")).ok().unwrap();
            let told: Value = serde_json::from_str(&told).unwrap();
            // What was sent last may be thrown away at the end.
            let arrived = told["end"]["sum_received"]["bytes"].as_u64().unwrap();
            assert!(arrived > 1 << 20, "{arrived}");
            let bytes = |used: Used| [used.sent[1], used.received[1]][way];
            let counted = || bytes(used(&cell, "phone")) - bytes(before);
            wait::until(PATIENCE, "the bytes", || counted() >= arrived).unwrap();
            assert!(counted() < 6 << 20, "{} bytes for 4 MiB", counted());
        }
    }
    let once = cell.picctl("top --once --every 1").unwrap().ok().unwrap();
    assert!(once.contains("phone") && once.contains("family (lan)"), "{once}");
    let month = account(&cell, "phone")["month"].as_u64().unwrap();
    assert!(month > 8 << 20 && month == account(&cell, "phone")["today"].as_u64().unwrap());

    // A reload of the table by the cell, and somebody's flush.
    let before = used(&cell, "phone");
    cell.picctl("config set firewall.limit 9/second --yes").unwrap().ok().unwrap();
    assert_eq!(used(&cell, "phone"), before);
    pings(&lab.client, &cell, "phone");
    let before = used(&cell, "phone");
    lab.cell.run("nft flush ruleset").unwrap().ok().unwrap();
    pings(&lab.client, &cell, "phone");
    assert!(used(&cell, "phone").sent[0] >= before.sent[0] + 40);

    // The agent dies; the kernel counts on.
    let before = used(&cell, "phone");
    cell.kill_agent().unwrap();
    assert!(lab.client.ping(OUTSIDE[0], 20, None).unwrap().all_back());
    cell.start_agent().unwrap();
    let all = || used(&cell, "phone").sent[0] == before.sent[0] + 20;
    wait::until(PATIENCE, "what passed meanwhile", all).unwrap();

    // A power cut: what was on disk counts.
    cell.picctl("config set firewall.limit 8/second --yes").unwrap().ok().unwrap();
    let before = used(&cell, "phone");
    cell.lose_power(&lab.cell, &["eth1"]).unwrap();
    cell.start_agent().unwrap();
    assert_eq!(used(&cell, "phone"), before);
    pings(&lab.client, &cell, "phone");
    drop(device);
}
