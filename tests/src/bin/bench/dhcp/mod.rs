//! Area `dhcp`: our server beside Kea and dnsmasq, under `perfdhcp`, which acts as a relay in v4 and as the clients
//! themselves in v6. All in one run, each server on one processor and the load on the other; the disk is the one that
//! the temporary folder is on.

mod load;
mod server;

use std::sync::OnceLock;

use anyhow::Result;
use load::{Family, Load};
use server::{DNSMASQ, KEA, KEA6, OURS, OURS6, Running, Server};

use crate::Group;
use crate::figure::Figure;
use crate::measure;

/// In the order in which they are printed.
pub(crate) const GROUPS: &[Group] = &[
    ("exchanges", exchanges),
    ("latency", || latency(&V4)),
    ("leases", || leases(&V4)),
    ("exchanges6", exchanges6),
    ("latency6", || latency(&V6)),
    ("leases6", || leases(&V6)),
];

/// What may be lost at the highest rate that counts.
const LOSS: f64 = 0.01;
/// Rates above are the load generator's limit.
const TOP: u32 = 60_000;
const LEASES: usize = 50_000;

/// Two servers of one protocol, and how its figures are called.
struct Pair {
    ours: &'static Server,
    kea: &'static Server,
    unfinished: &'static str,
    p99: &'static str,
    processor: &'static str,
    memory: &'static str,
}

const V4: Pair = Pair {
    ours: &OURS,
    kea: &KEA,
    unfinished: "unfinished at 1,000 a second",
    p99: "request to ACK, p99, at half of our rate",
    processor: "processor per exchange, at half of our rate",
    memory: "memory with 50,000 leases",
};
const V6: Pair = Pair {
    ours: &OURS6,
    kea: &KEA6,
    unfinished: "v6: unfinished at 1,000 a second",
    p99: "v6: request to reply, p99, at half our rate",
    processor: "v6: processor per exchange, at half our rate",
    memory: "v6: memory with 50,000 leases",
};

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

/// Our own highest rate, measured once.
fn our_highest(family: Family) -> Result<f64> {
    static V4: OnceLock<f64> = OnceLock::new();
    static V6: OnceLock<f64> = OnceLock::new();
    let (place, server) = match family {
        Family::V4 => (&V4, &OURS),
        Family::V6 => (&V6, &OURS6),
    };
    match place.get() {
        Some(found) => Ok(*found),
        None => highest(server).map(|found| *place.get_or_init(|| found)),
    }
}

fn figure(name: &'static str, unit: &'static str, peer: &'static str, ours: f64, theirs: f64) -> Figure {
    Figure { area: "dhcp", name, unit, peer, ours, theirs: Some(theirs), goal: None, floor: false }
}

fn exchanges() -> Result<Vec<Figure>> {
    let ours = our_highest(Family::V4)?;
    let name = "four-way exchanges, every ACK on disk";
    let kea = highest(&KEA)?;
    let first =
        Figure { goal: Some(kea), floor: true, ..figure(name, "1/s", "kea, memfile, no fsync", ours, kea) };
    let dnsmasq = highest(&DNSMASQ)?;
    Ok(vec![first, figure(name, "1/s", "dnsmasq, lease file", ours, dnsmasq)])
}

fn exchanges6() -> Result<Vec<Figure>> {
    let (ours, kea) = (our_highest(Family::V6)?, highest(&KEA6)?);
    let name = "v6: four-way exchanges, every reply on disk";
    Ok(vec![Figure {
        goal: Some(kea),
        floor: true,
        ..figure(name, "1/s", "kea, memfile, no fsync", ours, kea)
    }])
}

/// At a thousand a second, and at half of what ours can: how long, how much lost, at what processor time.
fn latency(pair: &Pair) -> Result<Vec<Figure>> {
    let at = |server: &Server, rate| -> Result<(Load, f64)> {
        let running = Running::start(server)?;
        let before = measure::processor(running.pid)?;
        let load = running.load(rate, 5)?;
        let spent = (measure::processor(running.pid)? - before) * 1000.0;
        Ok((load.clone(), spent / load.exchanges.max(1.0)))
    };
    let (ours, _) = at(pair.ours, 1000)?;
    let (kea, _) = at(pair.kea, 1000)?;
    let [ours, kea] = [ours, kea].map(|load| load.unfinished() * 100.0);
    let lost = Figure { goal: Some(0.0), ..figure(pair.unfinished, "%", "kea", ours, kea) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the load's limit")]
    let half = (our_highest(pair.ours.family)? / 2.0) as u32;
    let (ours, our_time) = at(pair.ours, half)?;
    let (kea, their_time) = at(pair.kea, half)?;
    let p99 = Figure { goal: Some(5.0), ..figure(pair.p99, "ms", "kea", ours.p99, kea.p99) };
    Ok(vec![lost, p99, figure(pair.processor, "us", "kea", our_time, their_time)])
}

fn leases(pair: &Pair) -> Result<Vec<Figure>> {
    let memory = |server: &Server| Running::start(server)?.fill(LEASES);
    let (ours, kea) = (memory(pair.ours)?, memory(pair.kea)?);
    Ok(vec![Figure { goal: Some(30.0), ..figure(pair.memory, "MiB", "kea", ours, kea) }])
}
