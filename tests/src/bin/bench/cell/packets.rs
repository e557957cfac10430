//! Packets through the firewall. WireGuard is left out: a plain cable that bears the tunnel's name takes its place, so
//! that what differs between few and many peers is the firewall alone.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pic_lab::{Namespace, Scratch, netns::veth};

use super::apply::load;
use crate::data::{FEW, MANY, cell_toml};
use crate::figure::Figure;
use crate::measure::{median, thread_time};

/// Short windows in turn, so that other work on the machine meets both alike.
const ROUNDS: usize = 75;
const WINDOW: Duration = Duration::from_millis(150);

/// A member of the sets, behind the cell, and a host behind its uplink. Fields in the order of their end.
struct Path {
    socket: UdpSocket,
    _cell: Namespace,
    outside: Namespace,
    _peer: Namespace,
    _sink: UdpSocket,
}

impl Path {
    /// Without a number of peers there is no firewall.
    fn new(peers: Option<u32>) -> Result<Self> {
        let [peer, cell, outside] = ["peer", "cell", "outside"].map(Namespace::new);
        let (peer, cell, outside) = (peer?, cell?, outside?);
        veth(&peer, "tunnel", &cell, "pic0")?;
        veth(&cell, "uplink", &outside, "eth0")?;
        peer.address("tunnel", "10.77.0.2/16")?;
        cell.address("pic0", "10.77.0.1/16")?;
        cell.address("uplink", "203.0.113.5/24")?;
        outside.address("eth0", "203.0.113.1/24")?;
        peer.default_route("10.77.0.1")?;
        cell.forward()?;
        if let Some(peers) = peers {
            let scratch = Scratch::new("bench")?;
            let file = scratch.join("cell.toml");
            let text = cell_toml(peers)? + "\n[uplink]\ninterface = \"uplink\"\n";
            pic_lab::files::write(&file, text)?;
            load(&cell, &file)?;
        }
        // Nobody reads: what arrives is counted by the interface, and no error goes back.
        let sink = outside.enter(|| UdpSocket::bind("203.0.113.1:9"))??;
        let socket = peer.enter(|| UdpSocket::bind("10.77.0.2:0"))??;
        socket.connect("203.0.113.1:9")?;
        Ok(Self { socket, _cell: cell, outside, _peer: peer, _sink: sink })
    }

    fn arrived(&self) -> Result<f64> {
        let text = self.outside.run("cat /sys/class/net/eth0/statistics/rx_packets")?.ok()?;
        text.trim().parse().context("a counter without a number")
    }

    /// What arrives while one thread sends as fast as it can.
    fn rate(&self) -> Result<Rate> {
        let (before, begin, busy) = (self.arrived()?, Instant::now(), thread_time()?);
        while begin.elapsed() < WINDOW {
            for _ in 0..64 {
                let _ = self.socket.send(&[0; 64]);
            }
        }
        let (time, busy) = (begin.elapsed().as_secs_f64(), thread_time()? - busy);
        let packets = self.arrived()? - before;
        ensure!(packets > 0.0, "packets do not pass");
        Ok(Rate { per_second: packets / time, nanoseconds: busy / packets })
    }
}

struct Rate {
    per_second: f64,
    /// Processor time of the sending thread per packet; the kernel forwards most packets on that thread.
    nanoseconds: f64,
}

pub(super) fn figures() -> Result<Vec<Figure>> {
    let paths = [Path::new(Some(FEW))?, Path::new(Some(MANY))?, Path::new(None)?];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let [few, many, bare] = &paths;
        rounds.push([few.rate()?, many.rate()?, bare.rate()?]);
    }
    let middle = |value: &dyn Fn(&[Rate; 3]) -> f64| median(rounds.iter().map(value).collect());
    let figure = |name, unit, peer, ours, theirs| Figure {
        area: "cell",
        name,
        unit,
        peer,
        ours,
        theirs: Some(theirs),
        ..Figure::default()
    };
    let [few, many, bare] = [0, 1, 2].map(|n| middle(&|round| round[n].per_second));
    let [few_cpu, many_cpu, bare_cpu] = [0, 1, 2].map(|n| middle(&|round| round[n].nanoseconds));
    // Within a round, so that a slow moment of the machine is in both.
    let share = middle(&|[few, many, _]| many.per_second / few.per_second);
    let (name, unit, peer) = ("packets with 10000 peers / with 10", "ratio", "-");
    let share = Figure { area: "cell", name, unit, peer, ours: share, ..Figure::default() };
    Ok(vec![
        Figure { goal: Some(0.95), floor: true, ..share },
        figure("packets, 10000 peers", "packets/s", "the same with 10 peers", many, few),
        figure("packets, 10000 peers", "packets/s", "no firewall", many, bare),
        figure("processor per packet, 10000 peers", "ns CPU", "the same with 10 peers", many_cpu, few_cpu),
        figure("processor per packet, 10000 peers", "ns CPU", "no firewall", many_cpu, bare_cpu),
    ])
}
