//! Packets through the firewall. WireGuard is left out: a plain cable that bears the tunnel's name takes its place, so
//! that what differs between few and many peers is the firewall alone.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pic_lab::{Namespace, Scratch, netns::veth};

use super::apply::load;
use crate::data::{FEW, MANY, cell_toml};
use crate::figure::Figure;
use crate::measure::median;

/// Short windows in turn, so that other work on the machine meets both alike.
const ROUNDS: usize = 15;
const WINDOW: Duration = Duration::from_millis(400);

/// A member of the sets, behind the cell, and a host behind its uplink. Fields in the order of their end.
struct Path {
    socket: UdpSocket,
    cell: Namespace,
    outside: Namespace,
    _peer: Namespace,
    _sink: UdpSocket,
}

impl Path {
    fn new(peers: u32) -> Result<Self> {
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
        let scratch = Scratch::new("bench")?;
        let file = scratch.join("cell.toml");
        pic_lab::files::write(&file, cell_toml(peers)? + "\n[uplink]\ninterface = \"uplink\"\n")?;
        load(&cell, &file)?;
        // Nobody reads: what arrives is counted by the interface, and no error goes back.
        let sink = outside.enter(|| UdpSocket::bind("203.0.113.1:9"))??;
        let socket = peer.enter(|| UdpSocket::bind("10.77.0.2:0"))??;
        socket.connect("203.0.113.1:9")?;
        Ok(Self { socket, cell, outside, _peer: peer, _sink: sink })
    }

    fn arrived(&self) -> Result<f64> {
        let text = self.outside.run("cat /sys/class/net/eth0/statistics/rx_packets")?.ok()?;
        text.trim().parse().context("a counter without a number")
    }

    /// Packets per second that arrive while one thread sends as fast as it can.
    fn rate(&self) -> Result<f64> {
        let (before, begin) = (self.arrived()?, Instant::now());
        while begin.elapsed() < WINDOW {
            for _ in 0..64 {
                let _ = self.socket.send(&[0; 64]);
            }
        }
        let time = begin.elapsed();
        Ok((self.arrived()? - before) / time.as_secs_f64())
    }
}

pub(super) fn figures() -> Result<Vec<Figure>> {
    let (few, many) = (Path::new(FEW)?, Path::new(MANY)?);
    ensure!(few.rate()? > 1000.0 && many.rate()? > 1000.0, "packets do not pass");
    let (mut slow, mut fast, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (f, m) = (few.rate()?, many.rate()?);
        ratios.push(m / f);
        slow.push(m);
        fast.push(f);
    }
    many.cell.nft("delete table inet pic")?;
    let open = many.rate()?;
    let figure = |name, unit, peer, ours, theirs| Figure {
        area: "cell",
        name,
        unit,
        peer,
        ours,
        theirs,
        ..Figure::default()
    };
    let share = figure("packets with 10000 peers / with 10", "ratio", "-", median(ratios), None);
    let many = figure(
        "packets, 10000 peers",
        "packets/s",
        "the same with 10 peers",
        median(slow),
        Some(median(fast)),
    );
    let bare = figure("packets, 10000 peers", "packets/s", "no firewall", many.ours, Some(open));
    Ok(vec![Figure { goal: Some(0.95), floor: true, ..share }, many, bare])
}
