//! Questions per second, latency and memory.

use anyhow::Result;

use super::servers::{self, Server};
use super::texts::{INSIDE, OUTSIDE, Views};
use super::{LISTED, NAMES, load};
use crate::figure::Figure;
use crate::measure::{find_child, resident};

/// Clients at a time on a stream.
const CONNECTIONS: usize = 10;

fn figure(name: &'static str, unit: &'static str, ours: f64, goal: f64) -> Figure {
    Figure { area: "dns", name, unit, peer: "-", ours, goal: Some(goal), ..Figure::default() }
}

/// Goals are ratios; the column holds what they ask for in the unit of the figure.
fn beside(name: &'static str, ours: f64, theirs: f64, peer: &'static str, ratio: f64) -> Figure {
    Figure { theirs: Some(theirs), peer, floor: true, ..figure(name, "queries/s", ours, ratio * theirs) }
}

fn memory(server: &Server) -> Result<f64> {
    resident(find_child(&server.child, "pic-dns")?)
}

pub(super) fn figures() -> Result<Vec<Figure>> {
    let rate = |server: Server, mode: &str| load::rate(&server, INSIDE, mode);
    let echo = rate(servers::echo()?, "udp")?;
    let pic = servers::pic(NAMES, Views::Off)?;
    let plain = load::rate(&pic, INSIDE, "udp")?;
    let latency = load::p99(&pic, plain / 2.0)?;
    let tcp = load::rate(&pic, INSIDE, "tcp")?;
    let resident = memory(&pic)?;
    drop(pic);
    let views = rate(servers::pic(NAMES, Views::On)?, "udp")?;
    let unbound = rate(servers::unbound(false)?, "udp")?;
    let unbound_tcp = rate(servers::unbound(false)?, "tcp")?;
    let dnsmasq = rate(servers::dnsmasq(false)?, "udp")?;
    let mut figures = vec![
        beside("in zone, UDP", plain, echo, "plain UDP echo", 0.9),
        beside("in zone, UDP", plain, unbound, "unbound, local data", 1.0),
        beside("in zone, UDP", plain, dnsmasq, "dnsmasq, hosts", 1.0),
        beside("in zone, TCP", tcp, unbound_tcp, "unbound, local data", 1.0),
        beside("in zone, UDP, views", views, plain, "without views", 0.9),
        figure("99 of 100 answers at half of the load", "ms", latency, 1.0),
        figure("memory", "MiB", resident, 20.0),
    ];
    figures.extend(streams()?);
    figures.extend(cached(echo)?);
    Ok(figures)
}

/// Several clients on connections of their own, by TCP and by TLS.
fn streams() -> Result<Vec<Figure>> {
    let tcp = |server: &Server| load::rate_over(server, INSIDE, "tcp", CONNECTIONS);
    let tls = |server: &Server| load::rate_over(server, INSIDE, "dot", CONNECTIONS);
    let pic = servers::pic_tls(NAMES)?;
    let (pic_tcp, pic_tls) = (tcp(&pic)?, tls(&pic)?);
    drop(pic);
    let unbound = servers::unbound_tls()?;
    let (unbound_tcp, unbound_tls) = (tcp(&unbound)?, tls(&unbound)?);
    Ok(vec![
        beside("in zone, TCP, ten connections", pic_tcp, unbound_tcp, "unbound, local data", 1.0),
        beside("in zone, TLS, ten connections", pic_tls, unbound_tls, "unbound, local data", 1.0),
    ])
}

/// Names that others were asked for.
fn cached(echo: f64) -> Result<Vec<Figure>> {
    let pic = servers::pic_asking(0)?;
    let plain = load::rate(&pic, OUTSIDE, "udp")?;
    let without = memory(&pic)?;
    drop(pic);
    let pic = servers::pic_asking(LISTED)?;
    let blocking = load::rate(&pic, OUTSIDE, "udp")?;
    let listed = memory(&pic)? - without;
    drop(pic);
    let unbound = load::rate(&servers::unbound(true)?, OUTSIDE, "udp")?;
    let dnsmasq = load::rate(&servers::dnsmasq(true)?, OUTSIDE, "udp")?;
    Ok(vec![
        beside("cached, UDP", plain, echo, "plain UDP echo", 0.9),
        beside("cached, UDP", plain, unbound, "unbound, cached", 1.0),
        beside("cached, UDP", plain, dnsmasq, "dnsmasq, cached", 1.0),
        beside("cached, UDP, a million names blocked", blocking, plain, "without a list", 0.9),
        figure("memory of a million names blocked", "MiB", listed, 40.0),
    ])
}
