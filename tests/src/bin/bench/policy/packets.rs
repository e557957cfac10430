//! Packets through the firewall beside a ruleset that only accepts and translates. WireGuard is left out: a plain cable
//! that bears the tunnel's name takes its place, so that what differs is the ruleset alone.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pic_lab::{Namespace, Scratch, files, netns::veth};

use super::data::granted;
use super::figure;
use crate::cell::load;
use crate::figure::Figure;
use crate::measure::{median, thread_time};

/// Short windows in turn, so that other work on the machine meets both alike.
const ROUNDS: usize = 75;
const WINDOW: Duration = Duration::from_millis(150);
/// What lets everything through, with the same translation.
const BARE: &str = r#"
table inet bare {
    chain forward { type filter hook forward priority filter; policy accept; }
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "uplink" ip saddr 10.77.0.0/16 masquerade
    }
}
"#;

/// A device, the cell, a host behind its uplink and one of its LAN.
struct Path {
    outside: Way,
    home: Way,
    _cell: Namespace,
    _peer: Namespace,
}

/// From the device to one of the hosts. Fields in the order of their end.
struct Way {
    socket: UdpSocket,
    _sink: UdpSocket,
    host: Namespace,
}

impl Path {
    fn new(ruleset: impl FnOnce(&Namespace) -> Result<()>) -> Result<Self> {
        let [peer, cell, outside, home] = ["peer", "cell", "outside", "home"].map(Namespace::new);
        let (peer, cell, outside, home) = (peer?, cell?, outside?, home?);
        veth(&peer, "tunnel", &cell, "pic0")?;
        veth(&cell, "uplink", &outside, "eth0")?;
        veth(&cell, "lan0", &home, "eth0")?;
        peer.address("tunnel", "10.77.0.2/16")?;
        cell.address("pic0", "10.77.0.1/16")?;
        cell.address("uplink", "203.0.113.5/24")?;
        cell.address("lan0", "192.168.40.1/24")?;
        outside.address("eth0", "203.0.113.1/24")?;
        home.address("eth0", "192.168.40.10/24")?;
        home.default_route("192.168.40.1")?;
        peer.default_route("10.77.0.1")?;
        cell.forward()?;
        ruleset(&cell)?;
        let outside = Way::new(&peer, outside, "203.0.113.1:9")?;
        let home = Way::new(&peer, home, "192.168.40.10:9")?;
        Ok(Self { outside, home, _cell: cell, _peer: peer })
    }
}

impl Way {
    /// Nobody reads: what arrives is counted by the interface, and no error goes back.
    fn new(peer: &Namespace, host: Namespace, to: &str) -> Result<Self> {
        let sink = host.enter(|| UdpSocket::bind(to))??;
        let socket = peer.enter(|| UdpSocket::bind("10.77.0.2:0"))??;
        socket.connect(to)?;
        Ok(Self { socket, _sink: sink, host })
    }

    fn arrived(&self) -> Result<f64> {
        let text = self.host.run("cat /sys/class/net/eth0/statistics/rx_packets")?.ok()?;
        text.trim().parse().context("a counter without a number")
    }

    /// What arrives while one thread sends as fast as it can: packets in a second, and nanoseconds of that thread's
    /// processor for each.
    fn rate(&self) -> Result<[f64; 2]> {
        let (before, begin, busy) = (self.arrived()?, Instant::now(), thread_time()?);
        while begin.elapsed() < WINDOW {
            for _ in 0..64 {
                let _ = self.socket.send(&[0; 64]);
            }
        }
        let (time, busy) = (begin.elapsed().as_secs_f64(), thread_time()? - busy);
        let packets = self.arrived()? - before;
        ensure!(packets > 0.0, "packets do not pass");
        Ok([packets / time, busy / packets])
    }
}

/// Our table with all peers and grants, and a LAN of which a host is granted.
fn ours(cell: &Namespace) -> Result<()> {
    let scratch = Scratch::new("bench")?;
    let file = scratch.join("cell.toml");
    let text = granted()?
        + "\n[uplink]\ninterface = \"uplink\"\n\n[[lan]]\nname = \"home\"\ninterface = \"lan0\"\n\
           ipv4 = \"192.168.40.1/24\"\n\n[[grant]]\nfrom = [\"p0\"]\nto = [\"192.168.40.10:udp/9\"]\n";
    files::write(&file, text)?;
    load(cell, &file).map(drop)
}

pub(super) fn figures() -> Result<Vec<Figure>> {
    let (ours, bare) = (Path::new(ours)?, Path::new(|cell| cell.nft(BARE))?);
    let mut figures = Vec::new();
    for (names, way) in [
        (
            [
                "packets to the internet, share of bare",
                "packets to the internet",
                "processor, to the internet",
            ],
            0,
        ),
        (
            [
                "packets to a granted host, share of bare",
                "packets to a granted host",
                "processor, to a granted host",
            ],
            1,
        ),
    ] {
        let ways = [&ours, &bare].map(|path| if way == 0 { &path.outside } else { &path.home });
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let [ours, bare] = ways;
            rounds.push([ours.rate()?, bare.rate()?]);
        }
        let middle = |value: &dyn Fn(&[[f64; 2]; 2]) -> f64| median(rounds.iter().map(value).collect());
        // Within a round, so that a slow moment of the machine is in both.
        let share = middle(&|[ours, bare]| ours[0] / bare[0]);
        let [whole, rate, busy] = names;
        let beside = |name, unit, at: usize| Figure {
            peer: "bare accept + the same NAT",
            theirs: Some(middle(&|[_, bare]| bare[at])),
            ..figure(name, unit, middle(&|[ours, _]| ours[at]))
        };
        figures.push(Figure {
            peer: "bare accept + the same NAT",
            goal: Some(0.95),
            floor: true,
            ..figure(whole, "ratio", share)
        });
        figures.push(beside(rate, "packets/s", 0));
        figures.push(beside(busy, "ns CPU", 1));
    }
    Ok(figures)
}
