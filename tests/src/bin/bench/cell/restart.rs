//! Traffic of a device while the agent ends and starts again.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pic_lab::cell::{Cell, Device};
use pic_lab::netns::Pings;
use pic_lab::netns::internet::address::{CELL, OUTSIDE};
use pic_lab::{Child, Internet, wait};

use crate::figure::Figure;

const PINGS: u32 = 1000;
const STARTS: u32 = 3;
const ROUNDS: u32 = 5;
/// Above what ten seconds of pings take.
const END: Duration = Duration::from_secs(40);

pub(super) fn figures() -> Result<Vec<Figure>> {
    let lab = Internet::start()?;
    let endpoint = CELL[0];
    let mut cell = Cell::start(
        &lab.cell,
        &format!("[cell]\nname = \"home\"\n[wireguard]\nendpoint = \"{endpoint}\"\n"),
    )?;
    let phone = Device::connect(&lab.client, "phone", &cell.add("phone", "")?)?;
    ensure!(lab.client.ping(OUTSIDE[0], 5, None)?.all_back(), "no way out through the cell");
    // In turn, so that both see the same machine.
    let (mut control, mut ours) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        control += lost(&lab, || Ok(()))?;
        ours += lost(&lab, || {
            for _ in 0..STARTS {
                cell.kill_agent()?;
                cell.start_agent()?;
            }
            Ok(())
        })?;
    }
    drop(phone);
    let (name, peer) = ("agent killed and started 15 times under load", "no restart");
    let (unit, theirs, goal) = ("lost pings", Some(control), Some(0.0));
    Ok(vec![Figure { area: "cell", name, unit, peer, ours, theirs, goal, floor: false }])
}

/// Pings lost of a hundred per second beside a steady stream, while `work` is done.
fn lost(lab: &Internet, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let quiet = |mut command: std::process::Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Child::spawn(command)
    };
    let mut server = lab.outside.command("iperf3");
    server.args(["-s", "-1"]);
    let _server = quiet(server)?;
    wait::pause(Duration::from_millis(500));
    let mut stream = lab.client.command("iperf3");
    // Longer than the pings, whatever they take.
    stream.args(["-c", OUTSIDE[0], "-b", "20M", "-t", "120"]);
    let mut stream = quiet(stream)?;
    let mut pings = lab.client.command("ping");
    pings.args(["-n", "-q", "-i", "0.01", "-W", "3", "-c", &PINGS.to_string(), OUTSIDE[0]]);
    let pings = std::thread::spawn(move || pic_lab::cmd::run_for(&mut pings, END, b""));
    wait::pause(Duration::from_secs(1));
    work()?;
    let said = pings.join().ok().context("the pings' thread panicked")??;
    ensure!(stream.is_running(), "the stream broke");
    stream.kill();
    let pings = Pings::parse(&said.stdout)?;
    Ok(f64::from(pings.sent - pings.received))
}
