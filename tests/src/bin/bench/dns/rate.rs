//! Questions per second, processor time for each, latency and memory.

use anyhow::Result;

use super::load::{Load, Rate, in_turn, udp};
use super::servers::{self, Server};
use super::texts::{BLOCKED, INSIDE, OUTSIDE, Views};
use super::{LISTED, LOGGED, NAMES, load};
use crate::figure::Figure;
use crate::measure::{median, resident};

/// Clients at a time on a stream.
const CONNECTIONS: usize = 10;
/// Times that delays are looked at.
const WAITS: usize = 3;

fn figure(name: &'static str, unit: &'static str, ours: f64, goal: f64) -> Figure {
    Figure { area: "dns", name, unit, peer: "-", ours, goal: Some(goal), ..Figure::default() }
}

/// Answers each second, of which the goal is a part of theirs, and what one costs.
fn beside(name: &'static str, ours: Rate, theirs: Rate, peer: &'static str, ratio: f64) -> [Figure; 2] {
    let rate = figure(name, "queries/s", ours.per_second, ratio * theirs.per_second);
    let cost = figure(name, "us CPU", ours.processor, 0.0);
    [
        Figure { theirs: Some(theirs.per_second), peer, floor: true, ..rate },
        Figure { theirs: Some(theirs.processor), peer, goal: None, ..cost },
    ]
}

pub(super) fn figures() -> Result<Vec<Figure>> {
    let server = Servers::start()?;
    let tcp = |server| Load { mode: "tcp", ..udp(server, INSIDE) };
    let [echo, plain, views, logged, unbound, dnsmasq, one, unbound_one] = in_turn([
        udp(&server.echo, INSIDE),
        udp(&server.pic, INSIDE),
        udp(&server.views, INSIDE),
        udp(&server.logged, INSIDE),
        udp(&server.unbound, INSIDE),
        udp(&server.dnsmasq, INSIDE),
        tcp(&server.pic),
        tcp(&server.unbound),
    ])?;
    let mut figures: Vec<Figure> = [
        beside("in zone, UDP", plain, echo, "plain UDP echo", 0.9),
        beside("in zone, UDP", plain, unbound, "unbound, local data", 1.0),
        beside("in zone, UDP", plain, dnsmasq, "dnsmasq, hosts", 1.0),
        beside("in zone, TCP, one connection", one, unbound_one, "unbound, local data", 1.0),
        beside("in zone, UDP, views", views, plain, "without views", 0.9),
        beside("in zone, UDP, query log", logged, plain, "without a log", 0.9),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut waits = [Vec::new(), Vec::new()];
    for _ in 0..WAITS {
        for (waits, server) in waits.iter_mut().zip([&server.pic, &server.echo]) {
            waits.push(load::p99(server, INSIDE, plain.per_second / 2.0)?);
        }
    }
    let [wait, wait_echo] = waits.map(median);
    let wait = figure("99 of 100 answers at half of the load", "ms", wait, 1.0);
    figures.push(Figure { theirs: Some(wait_echo), peer: "plain UDP echo", ..wait });
    figures.push(figure("memory", "MiB", resident(server.pic.pid)?, 20.0));
    drop(server);
    figures.extend(streams()?);
    figures.extend(cached()?);
    Ok(figures)
}

/// With names of their own.
struct Servers {
    echo: Server,
    pic: Server,
    views: Server,
    logged: Server,
    unbound: Server,
    dnsmasq: Server,
}

impl Servers {
    fn start() -> Result<Self> {
        Ok(Self {
            echo: servers::echo()?,
            pic: servers::pic(NAMES, Views::Off, 0)?,
            views: servers::pic(NAMES, Views::On, 0)?,
            logged: servers::pic(NAMES, Views::Off, LOGGED)?,
            unbound: servers::unbound(false)?,
            dnsmasq: servers::dnsmasq(false)?,
        })
    }
}

/// Several clients on connections of their own, by TCP and by TLS with the same certificate.
fn streams() -> Result<Vec<Figure>> {
    let pair = servers::Pair::new()?;
    let (pic, unbound) = (servers::pic_tls(NAMES, &pair)?, servers::unbound_tls(&pair)?);
    let by = |server, mode| Load { mode, connections: CONNECTIONS, ..udp(server, INSIDE) };
    let [tcp, unbound_tcp, tls, unbound_tls] =
        in_turn([by(&pic, "tcp"), by(&unbound, "tcp"), by(&pic, "dot"), by(&unbound, "dot")])?;
    let both = [
        beside("in zone, TCP, ten connections", tcp, unbound_tcp, "unbound, local data", 1.0),
        beside("in zone, TLS, ten connections", tls, unbound_tls, "unbound, local data", 1.0),
    ];
    Ok(both.into_iter().flatten().collect())
}

/// Names that others were asked for, and names that nobody may ask for.
fn cached() -> Result<Vec<Figure>> {
    let echo = servers::echo()?;
    let (pic, listing) = (servers::pic_asking(0)?, servers::pic_asking(LISTED)?);
    let (unbound, dnsmasq) = (servers::unbound(true)?, servers::dnsmasq(true)?);
    let [echo, plain, blocking, blocked, unbound, dnsmasq] = in_turn([
        udp(&echo, OUTSIDE),
        udp(&pic, OUTSIDE),
        udp(&listing, OUTSIDE),
        udp(&listing, BLOCKED),
        udp(&unbound, OUTSIDE),
        udp(&dnsmasq, OUTSIDE),
    ])?;
    let all = [
        beside("cached, UDP", plain, echo, "plain UDP echo", 0.9),
        beside("cached, UDP", plain, unbound, "unbound, cached", 1.0),
        beside("cached, UDP", plain, dnsmasq, "dnsmasq, cached", 1.0),
        beside("cached, UDP, a million names blocked", blocking, plain, "without a list", 0.9),
        beside("blocked, UDP, by one of a million names", blocked, plain, "cached, without a list", 0.9),
    ];
    let listed = resident(listing.pid)? - resident(pic.pid)?;
    let memory = figure("memory of a million names blocked", "MiB", listed, 40.0);
    Ok(all.into_iter().flatten().chain([memory]).collect())
}
