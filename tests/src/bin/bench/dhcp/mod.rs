//! Area `dhcp`: our server beside Kea and dnsmasq, under `perfdhcp`, which acts as a relay. All in one run, each server
//! on one processor and the load on the other; the disk is the one that the temporary folder is on.

mod load;
mod server;

use anyhow::Result;
use load::Load;
use server::{DNSMASQ, KEA, OURS, Running, Server};

use crate::Group;
use crate::figure::Figure;
use crate::measure;

/// In the order in which they are printed.
pub(crate) const GROUPS: &[Group] = &[("exchanges", exchanges), ("latency", latency), ("leases", leases)];

/// What may be lost at the highest rate that counts.
const LOSS: f64 = 0.01;
/// Rates above are the load generator's limit.
const TOP: u32 = 60_000;

/// The highest rate with less than one in a hundred exchanges unfinished; doubled until it fails, then halved in.
fn highest(server: &Server) -> Result<f64> {
    let good = |rate: u32| -> Result<Option<f64>> {
        let running = Running::start(server)?;
        let load = running.load(rate, 3)?;
        Ok((load.unfinished() < LOSS).then_some(load.rate))
    };
    let (mut low, mut high, mut best) = (0, 125, 0.0);
    while high < TOP {
        match good(high)? {
            Some(rate) => (low, best) = (high, rate),
            None => break,
        }
        high *= 2;
    }
    for _ in 0..4 {
        let middle = (low + high.min(TOP)) / 2;
        match good(middle)? {
            Some(rate) => (low, best) = (middle, rate),
            None => high = middle,
        }
    }
    Ok(best)
}

fn figure(name: &'static str, unit: &'static str, peer: &'static str, ours: f64, theirs: f64) -> Figure {
    Figure { area: "dhcp", name, unit, peer, ours, theirs: Some(theirs), goal: None, floor: false }
}

fn exchanges() -> Result<Vec<Figure>> {
    let ours = highest(&OURS)?;
    let name = "four-way exchanges, every ACK on disk";
    let kea = highest(&KEA)?;
    let first =
        Figure { goal: Some(kea), floor: true, ..figure(name, "1/s", "kea, memfile, no fsync", ours, kea) };
    let dnsmasq = highest(&DNSMASQ)?;
    Ok(vec![first, figure(name, "1/s", "dnsmasq, lease file", ours, dnsmasq)])
}

/// At a thousand a second, and at half of what Kea can: how long, how much lost, at what processor time.
fn latency() -> Result<Vec<Figure>> {
    let at = |server: &Server, rate| -> Result<(Load, f64)> {
        let running = Running::start(server)?;
        let before = measure::processor(running.pid)?;
        let load = running.load(rate, 5)?;
        let spent = (measure::processor(running.pid)? - before) * 1000.0;
        Ok((load.clone(), spent / load.exchanges.max(1.0)))
    };
    let (ours, _) = at(&OURS, 1000)?;
    let (kea, _) = at(&KEA, 1000)?;
    let lost = Figure {
        goal: Some(0.0),
        ..figure(
            "unfinished at 1,000 a second",
            "%",
            "kea",
            ours.unfinished() * 100.0,
            kea.unfinished() * 100.0,
        )
    };
    let (ours, our_time) = at(&OURS, 15_000)?;
    let (kea, their_time) = at(&KEA, 15_000)?;
    let p99 = Figure {
        goal: Some(5.0),
        ..figure("request to ACK, p99, at 15,000 a second", "ms", "kea", ours.p99, kea.p99)
    };
    Ok(vec![
        lost,
        p99,
        figure("processor time per exchange, at 15,000 a second", "us", "kea", our_time, their_time),
    ])
}

fn leases() -> Result<Vec<Figure>> {
    let memory = |server: &Server| -> Result<f64> {
        let running = Running::start(server)?;
        // Twice over, so that nearly all of the fifty thousand clients have come by.
        running.load(9_000, 12)?;
        measure::resident(running.pid)
    };
    let (ours, kea) = (memory(&OURS)?, memory(&KEA)?);
    Ok(vec![Figure { goal: Some(30.0), ..figure("memory with 50,000 leases", "MiB", "kea", ours, kea) }])
}
