//! A line that is the bottleneck is shared fairly among those behind it, whoever opens more connections.

use std::time::Duration;

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{Child, Internet, Namespace, wait};

use crate::PATIENCE;
use crate::quota::fetch;

const CELL_TOML: &str = r#"[cell]
name = "home"
[[lan]]
name = "family"
interface = "eth1"
ipv4 = "192.168.41.1/24"
"#;
/// A router's or modem's own: first come, first served.
const LINE: &str = "root handle 1: tbf rate 20mbit burst 32k limit 250000";
/// The agent looks at the host this often where nothing tells it of a change, and some.
const NEXT_LOOK: Duration = Duration::from_secs(60);

struct Home {
    lab: Internet,
    hosts: [Namespace; 2],
    _lan: Lan,
    _servers: [Child; 2],
}

impl Home {
    fn start() -> Self {
        let lab = Internet::start().unwrap();
        let lan = Lan::new("eth1").unwrap();
        lan.plug(&lab.cell, "eth1").unwrap();
        let hosts = [("greedy", 21), ("modest", 22)].map(|(name, number)| {
            let host = Namespace::new(name).unwrap();
            lan.plug(&host, "eth0").unwrap();
            host.address("eth0", &format!("192.168.41.{number}/24")).unwrap();
            host.ip("-4 route replace default via 192.168.41.1 dev eth0").unwrap();
            host
        });
        let servers = [5201, 5202].map(|port| lab.outside.spawn(&format!("iperf3 -s -p {port}")).unwrap());
        lab.provider.run(&format!("tc qdisc replace dev out {LINE}")).unwrap().ok().unwrap();
        lab.provider.run(&format!("tc qdisc replace dev customers {LINE}")).unwrap().ok().unwrap();
        Self { lab, hosts, _lan: lan, _servers: servers }
    }

    /// What part of the line the one with a single connection has beside the one with eight, and what both have in bits a second.
    fn share(&self, turned: &str) -> (f64, f64) {
        let [greedy, modest] = &self.hosts;
        let words = |port, flows| format!("-p {port} -P {flows} -t 8 {turned}");
        for (host, port) in [(greedy, 5201), (modest, 5202)] {
            let ready = || fetch(host, OUTSIDE[0], &format!("-p {port} -n 1K")).is_some();
            wait::until(PATIENCE, "iperf3", ready).unwrap();
        }
        let rate = |(bytes, seconds): (f64, f64)| bytes * 8.0 / seconds;
        let (many, one) = std::thread::scope(|scope| {
            let many = scope.spawn(|| rate(fetch(greedy, OUTSIDE[0], &words(5201, 8)).unwrap()));
            let one = rate(fetch(modest, OUTSIDE[0], &words(5202, 1)).unwrap());
            (many.join().unwrap(), one)
        });
        (one / (many + one), many + one)
    }

    fn queues(&self) -> String {
        ["eth0", "eth1"].map(|name| queue(&self.lab.cell, name)).concat()
    }
}

fn queue(host: &Namespace, interface: &str) -> String {
    host.run(&format!("tc qdisc show dev {interface}")).unwrap().ok().unwrap()
}

#[test]
fn a_line_is_shared_by_devices_and_not_by_connections() {
    let home = Home::start();
    let before = home.queues();
    let mut cell = Cell::start(&home.lab.cell, CELL_TOML).unwrap();
    for (field, turned) in [("uplink.upload", ""), ("uplink.download", "-R")] {
        let (share, _) = home.share(turned);
        assert!(share < 0.3, "{field}: shared by connections without a queue, as a control: {share}");
        cell.picctl(&format!("config set {field} 18mbit --yes")).unwrap().ok().unwrap();
        let (share, all) = home.share(turned);
        assert!((0.35..0.65).contains(&share), "{field}: {share}");
        assert!((14e6..19e6).contains(&all), "{field}: {all} bits in a second, of 18 million");
    }
    let status = cell.picctl("status").unwrap().stdout;
    assert!(
        status.contains("eth0 18mbit, eth1 18mbit, pic0 18mbit (") && status.contains("home.cell is ok"),
        "{status}"
    );
    let doctor = cell.picctl("doctor").unwrap().stdout;
    assert!(doctor.contains("eth0 18mbit by "), "{doctor}");

    // Somebody takes it away.
    home.lab.cell.run("tc qdisc del dev eth0 root").unwrap().ok().unwrap();
    wait::until(NEXT_LOOK, "the repair", || queue(&home.lab.cell, "eth0").contains(" 7700: root")).unwrap();

    for field in ["uplink.upload", "uplink.download"] {
        cell.picctl(&format!("config unset {field} --yes")).unwrap().ok().unwrap();
    }
    assert_eq!(home.queues(), before);
    cell.picctl("config set uplink.upload 18mbit --yes").unwrap().ok().unwrap();
    assert!(home.queues().contains(" 7700: root"));
    cell.teardown().unwrap();
    assert_eq!(home.queues(), before);
}

#[test]
fn a_queue_of_somebody_else_is_left_alone_and_told() {
    let lab = Internet::start().unwrap();
    lab.cell.run(&format!("tc qdisc add dev eth0 {LINE}")).unwrap().ok().unwrap();
    let before = queue(&lab.cell, "eth0");
    let cell = Cell::start(&lab.cell, "[cell]\nname = \"home\"\n").unwrap();
    cell.picctl("config set uplink.upload 18mbit --yes").unwrap().ok().unwrap();
    assert_eq!(queue(&lab.cell, "eth0"), before);
    let doctor = cell.picctl("doctor").unwrap().stdout;
    assert!(doctor.contains("eth0 has a queue of its own (tbf 1:)"), "{doctor}");
    let status = cell.picctl("status").unwrap().stdout;
    assert!(status.contains("degraded") && status.contains("eth0 18mbit (not in force)"), "{status}");
    lab.cell.run("tc qdisc del dev eth0 root").unwrap().ok().unwrap();
    wait::until(NEXT_LOOK, "the cell's own", || queue(&lab.cell, "eth0").contains(" 7700: root")).unwrap();
}
