//! Somebody flushes the firewall of a cell with all peers and grants: how long until a device's packets pass again, and
//! what of a device without a right to the internet is seen outside meanwhile.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address::PROVIDER;
use pic_lab::{Capture, Internet, Marker, Namespace, wait};

use super::data::granted;
use super::figure;
use crate::figure::Figure;
use crate::measure::{median, milliseconds, wall};

const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(20);

pub(super) fn figures() -> Result<Vec<Figure>> {
    let lab = Internet::start()?;
    let text = granted()?;
    let cell = Cell::start(&lab.cell, "[cell]\nname = \"home\"\n")?;
    let file = cell.path("bench.toml");
    pic_lab::files::write(&file, &text)?;
    let mut apply = std::process::Command::new(pic_lab::cell::programs().join("picctl"));
    apply.args(["apply", "--yes", "-f"]).arg(&file).env("PIC_SOCKET", cell.socket());
    wall(&mut apply)?;
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "")?)?;
    let place = Namespace::new("tv")?;
    lab.public.plug(&place, "eth0")?;
    place.address("eth0", "203.0.113.30/24")?;
    place.default_route(PROVIDER[0])?;
    let _tv = Device::connect(&place, "tv", &cell.add("tv", "--allow cell")?)?;
    let echo = *Internet::udp_echo()?.first().context("an echo")?;
    let works = || lab.client.ask_udp(echo, b"works", SOON).is_ok();
    wait::until(PATIENCE, "the way out", works)?;
    let reaches_cell = || place.ping("10.77.0.1", 1, None).is_ok_and(|pings| pings.all_back());
    wait::until(PATIENCE, "the other tunnel", reaches_cell)?;
    // The control: what leaves is seen.
    let mut wire = Capture::start(&lab.cell, "eth0", &format!("host {}", echo.ip()))?;
    wire.prove(|marker| lab.client.send_udp(echo, marker.bytes()))?;
    let secret = Marker::random()?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(while_sending(&place, echo, &secret, || {
            lab.cell.run("nft flush ruleset")?.ok()?;
            let begin = Instant::now();
            wait::until(PATIENCE, "the way out again", works)?;
            Ok(milliseconds(begin.elapsed()))
        })?);
    }
    let seen = f64::from(u32::try_from(wire.count(&secret)?)?);
    let worst = times.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        Figure { goal: Some(2000.0), ..figure("repair after a flush, 100000 grants", "ms", median(times)) },
        Figure { goal: Some(2000.0), ..figure("repair after a flush, the slowest", "ms", worst) },
        Figure { goal: Some(0.0), ..figure("marker packets outside meanwhile", "packets", seen) },
    ])
}

/// Sends what must not leave while `work` is done.
fn while_sending<T>(
    device: &Namespace,
    echo: SocketAddr,
    secret: &Marker,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = device.send_udp(echo, secret.bytes());
                wait::pause(Duration::from_millis(2));
            }
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        done
    })
}
