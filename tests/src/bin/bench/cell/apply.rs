//! All peers at once, from nothing.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pic_lab::{Child, Namespace, Scratch, cmd, wait};

use super::Bench;
use crate::data::{MANY, cell_toml, wg_conf};
use crate::figure::Figure;
use crate::measure::{median, wall};

const ROUNDS: usize = 3;

pub(super) fn apply() -> Result<Vec<Figure>> {
    let text = cell_toml(MANY)?;
    let (mut ours, mut by_nft, mut by_go, mut by_us) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let bench = Bench::new()?;
        ours.push(bench.apply(&text)?);
        let table = bench.namespace.run("nft list table inet pic")?.ok()?;
        by_nft.push(nft_f(&table)?);
        by_go.push(setconf("wireguard-go", |name| vec!["-f".to_owned(), name.to_owned()])?);
        let pic_wg = pic_lab::cell::programs().join("pic-wg");
        let arguments = |name: &str| vec!["--interface".to_owned(), name.to_owned()];
        by_us.push(setconf(pic_wg.to_str().context("a path that is no text")?, arguments)?);
    }
    let (ours, by_nft, by_go, by_us) = (median(ours), median(by_nft), median(by_go), median(by_us));
    let figure = |peer, theirs| Figure {
        area: "cell",
        name: "apply 10000 peers on an empty cell",
        unit: "ms",
        peer,
        ours,
        theirs: Some(theirs),
        goal: Some(1500.0),
        floor: false,
    };
    Ok(vec![
        figure("wg setconf to wireguard-go + nft -f", by_go + by_nft),
        figure("wg setconf to pic-wg + nft -f", by_us + by_nft),
    ])
}

/// The table alone, by our driver and by `nft -f`.
pub(super) fn nftables() -> Result<Vec<Figure>> {
    let scratch = Scratch::new("bench")?;
    let file = scratch.join("cell.toml");
    pic_lab::files::write(&file, cell_toml(MANY)?)?;
    let (mut ours, mut busy, mut theirs) = (vec![], vec![], vec![]);
    for _ in 0..2 * ROUNDS {
        let namespace = Namespace::new("nft")?;
        let took = load(&namespace, &file)?;
        ours.push(took.wall);
        busy.push(took.processor);
        theirs.push(nft_f(&namespace.run("nft list table inet pic")?.ok()?)?);
    }
    let figure = |unit, ours, theirs, goal| Figure {
        area: "cell",
        name: "firewall of 10000 peers",
        unit,
        peer: "nft -f",
        ours,
        theirs,
        goal,
        floor: false,
    };
    Ok(vec![
        figure("ms", median(ours), Some(median(theirs)), Some(60.0)),
        figure("ms CPU", median(busy), None, None),
    ])
}

/// Milliseconds of a load in the driver.
pub(crate) struct Took {
    pub(super) wall: f64,
    pub(super) processor: f64,
}

/// Loads the table of a `cell.toml` by our driver.
pub(crate) fn load(namespace: &Namespace, cell_toml: &std::path::Path) -> Result<Took> {
    let program = pic_lab::cell::programs().join("examples/nft_load");
    let said = cmd::run(namespace.command(program).arg(cell_toml))?.ok()?;
    let (wall, processor) = said.trim().split_once(' ').context("nft_load said no numbers")?;
    Ok(Took { wall: wall.parse()?, processor: processor.parse()? })
}

/// Loads a ruleset into an empty namespace by `nft -f`; milliseconds.
fn nft_f(table: &str) -> Result<f64> {
    let (namespace, scratch) = (Namespace::new("nft")?, Scratch::new("bench")?);
    let file = scratch.join("table.nft");
    pic_lab::files::write(&file, table)?;
    wall(namespace.command("nft").arg("-f").arg(file))
}

/// Gives a fresh userspace device all peers by `wg setconf`; milliseconds.
fn setconf(program: &str, arguments: impl Fn(&str) -> Vec<String>) -> Result<f64> {
    let (namespace, scratch) = (Namespace::new("wg")?, Scratch::new("bench")?);
    let file = scratch.join("wg.conf");
    pic_lab::files::write(&file, wg_conf(MANY)?)?;
    let name = pic_lab::unique::interface();
    std::fs::create_dir_all("/run/wireguard")?;
    let mut command: Command = namespace.command(program);
    command.args(arguments(&name)).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut device = Child::spawn(command)?;
    let socket = std::path::PathBuf::from(format!("/run/wireguard/{name}.sock"));
    wait::until(Duration::from_secs(10), "the device's socket", || socket.exists())?;
    let time = wall(namespace.command("wg").args(["setconf", &name]).arg(&file));
    device.stop(nix::sys::signal::Signal::SIGTERM, Duration::from_secs(5))?;
    let _ = std::fs::remove_file(socket);
    time
}
