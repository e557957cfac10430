//! An exit's path dies while a flow runs through it: how long nothing comes back. Userspace WireGuard where the kernel has
//! none.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pic_lab::cell::{Cell, Device};
use pic_lab::{Internet, Provider, files, wait};

use super::figure;
use crate::figure::Figure;
use crate::measure::{median, milliseconds};

const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two datagrams of the flow.
const EVERY: Duration = Duration::from_millis(10);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

pub(super) fn figures() -> Result<Vec<Figure>> {
    let mut silences = Vec::new();
    for _ in 0..ROUNDS {
        silences.push(round()?);
    }
    let worst = silences.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        Figure { goal: Some(3000.0), ..figure("exit failover, a running flow", "ms", median(silences)) },
        Figure { goal: Some(3000.0), ..figure("exit failover, the slowest", "ms", worst) },
    ])
}

/// From the moment the first provider is cut off until an answer comes by the second one.
fn round() -> Result<f64> {
    let lab = Internet::start()?;
    let (nl, us) = (Provider::start(&lab, "nl", 40)?, Provider::start(&lab, "us", 50)?);
    let cell = Cell::start(&lab.cell, CELL_TOML)?;
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "")?)?;
    for (name, provider) in [("nl", &nl), ("us", &us)] {
        let path = cell.path(&format!("{name}.conf"));
        files::write(&path, provider.config("DNS = 198.51.100.53")?)?;
        cell.picctl(&format!("exit add {name} --file {}", path.display()))?.ok()?;
    }
    cell.picctl("peer set phone --exit nl,us")?.ok()?;
    let is_up = |name: &str| {
        let shown = cell.picctl(&format!("exit show {name} --json")).map(|out| out.stdout);
        shown.is_ok_and(|text| text.contains("\"state\":\"up\""))
    };
    wait::until(PATIENCE, "both exits", || is_up("nl") && is_up("us"))?;
    let echo = *Internet::udp_echo()?.first().context("an echo")?;
    let socket = lab.client.enter(|| UdpSocket::bind("0.0.0.0:0"))??;
    socket.connect(echo)?;
    socket.set_read_timeout(Some(EVERY))?;
    let flow = Flow { socket, stop: AtomicBool::new(false) };
    flow.answer(Duration::from_secs(10)).context("the flow does not run")?;
    let silence = std::thread::scope(|scope| {
        scope.spawn(|| flow.send());
        let silence = nl.connect(false).and_then(|()| {
            let begin = Instant::now();
            flow.drain();
            let answer = flow.answer(PATIENCE);
            answer.map(|()| milliseconds(begin.elapsed()))
        });
        flow.stop.store(true, Ordering::Relaxed);
        silence
    })?;
    let echo = lab.echo.seen();
    ensure!(
        echo.iter().any(|seen| us.addresses.contains(&seen.from.ip().to_string())),
        "not by the second exit"
    );
    Ok(silence)
}

/// Datagrams of one port, and their answers.
struct Flow {
    socket: UdpSocket,
    stop: AtomicBool,
}

impl Flow {
    fn send(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            // Refused while there is no way.
            let _ = self.socket.send(b"flow");
            wait::pause(EVERY);
        }
    }

    /// Takes away what was under way when the path died.
    fn drain(&self) {
        let (mut buffer, begin) = ([0; 64], Instant::now());
        while begin.elapsed() < EVERY * 5 {
            let _ = self.socket.recv(&mut buffer);
        }
    }

    fn answer(&self, patience: Duration) -> Result<()> {
        let (mut buffer, begin) = ([0; 64], Instant::now());
        while begin.elapsed() < patience {
            let _ = self.socket.send(b"flow");
            if self.socket.recv(&mut buffer).is_ok() {
                return Ok(());
            }
        }
        anyhow::bail!("no answer came within {patience:?}")
    }
}
