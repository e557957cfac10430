//! `picctl why --live`: a real packet meets what was simulated, and where it does not, that is said.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{Internet, Namespace, wait};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n[wireguard]\nipv6 = \"fd00:77::/64\"\n";

/// Follows a packet while `from` sends such: exit code and answer.
fn follow(cell: &Cell, from: &Namespace, at: SocketAddr, words: &str) -> (i32, Value) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // A new connection each time: each is another socket. Refusals are what some of them meet.
                let _ = from.send_udp(at, b"marker");
                wait::pause(Duration::from_millis(50));
            }
        });
        let made = cell.picctl(&format!("why --live=20s {words} --json"));
        stop.store(true, Ordering::Relaxed);
        let made = made.unwrap();
        let answer = serde_json::from_str(&made.stdout)
            .unwrap_or_else(|error| panic!("{words}: {error}: {}{}", made.stdout, made.stderr));
        (made.code(), answer)
    })
}

#[test]
fn a_real_packet_meets_what_was_simulated() {
    let lab = Internet::start().unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    cell.add("tablet", "").unwrap();
    let up = || phone.ping(OUTSIDE[0], 1, None).is_ok_and(|pings| pings.all_back());
    wait::until(SECOND * 30, "the tunnel", up).unwrap();

    // Let pass, refused at the cell, and without a way; both families.
    let cases = [
        (format!("{}:7", OUTSIDE[0]), "phone internet:udp/7", "allowed"),
        (format!("[{}]:7", OUTSIDE[1]), "phone internet:udp/7", "allowed"),
        ("10.77.0.1:9999".to_owned(), "phone cell:udp/9999", "dropped"),
        ("10.77.0.1:53".to_owned(), "phone cell:udp/53", "allowed"),
        ("10.77.0.3:7".to_owned(), "phone tablet:udp/7", "unreachable"),
    ];
    for (at, words, verdict) in cases {
        let (code, answer) = follow(&cell, phone, at.parse().unwrap(), words);
        let live = &answer["live"];
        assert_eq!((code, &live["differs"]), (0, &serde_json::json!([])), "{words}: {answer:#}");
        assert_eq!((&live["seen"], &live["verdict"]), (&true.into(), &verdict.into()), "{words}: {answer:#}");
    }

    // Somebody else's rules are not simulated: told, with their place.
    lab.cell
        .nft("table inet other { chain mine { type filter hook forward priority 5; udp dport 7 drop; }; }")
        .unwrap();
    let at = format!("{}:7", OUTSIDE[0]).parse().unwrap();
    let (code, answer) = follow(&cell, phone, at, "phone internet:udp/7");
    assert_eq!(code, 1, "{answer:#}");
    let differs = answer["live"]["differs"].to_string();
    assert!(differs.contains("chain mine of somebody's table other stops it"), "{differs}");
    lab.cell.run("nft delete table inet other").unwrap().ok().unwrap();

    // Nothing comes: said, and nothing stays.
    let made = cell.picctl("why --live=1s phone internet:udp/9").unwrap();
    assert!(made.code() == 1 && made.stderr.contains("no packet"), "{}{}", made.stdout, made.stderr);
    let tables = || lab.cell.run("nft list tables").unwrap().stdout;
    assert!(!tables().contains("pic_live"), "{}", tables());

    // Nor when the agent is killed meanwhile.
    std::thread::scope(|scope| {
        let asked = cell.socket();
        scope.spawn(move || {
            let mut command = std::process::Command::new(pic_lab::cell::programs().join("picctl"));
            command.args(["why", "--live=30s", "phone", "internet:udp/9"]).env("PIC_SOCKET", asked);
            let _ = command.output();
        });
        wait::until(SECOND * 20, "the table", || tables().contains("pic_live")).unwrap();
        cell.kill_agent().unwrap();
        wait::until(SECOND * 10, "its end", || !tables().contains("pic_live")).unwrap();
    });
    assert!(tables().contains("table inet pic"), "the cell's own stays: {}", tables());
}
