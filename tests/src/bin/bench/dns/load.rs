//! dnsperf, and what it says.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pic_lab::{cmd, files};

use super::servers::{ADDRESS, Server};
use super::texts::INSIDE;
use crate::measure::median;

const CLIENT_CPU: &str = "0";
const SECONDS: u32 = 3;
const ROUNDS: usize = 3;

/// What one run told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) per_second: f64,
    pub(super) lost: f64,
}

/// Writes the questions: names of the zone in an order that repeats late.
pub(super) fn questions(server: &Server, zone: &str, names: usize) -> Result<std::path::PathBuf> {
    let file = server.scratch.join("questions");
    // A stride without a common factor visits every name once.
    let lines = (0..names).map(|n| format!("n{}.{zone} A\n", n * 379 % names)).collect::<String>();
    files::write(&file, &lines)?;
    Ok(file)
}

fn dnsperf(server: &Server, file: &Path, options: &str) -> Result<String> {
    let mut command = server.namespace.command("taskset");
    command.args(["-c", CLIENT_CPU, "dnsperf", "-s", ADDRESS, "-T", "1", "-d"]).arg(file);
    command.args(options.split_whitespace());
    cmd::run(&mut command)?.ok()
}

/// One run with options of dnsperf.
pub(super) fn run(server: &Server, file: &Path, options: &str) -> Result<Run> {
    let text = dnsperf(server, file, options)?;
    let value = |title: &str| -> Result<f64> {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(title));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        Ok(word.with_context(|| format!("dnsperf does not say {title:?}:\n{text}"))?.parse()?)
    };
    Ok(Run { per_second: value("Queries per second:")?, lost: value("Queries lost:")? })
}

/// Questions per second over several rounds: the middle one.
pub(super) fn rate(server: &Server, zone: &str, mode: &str) -> Result<f64> {
    rate_over(server, zone, mode, 1)
}

/// The same over so many connections.
pub(super) fn rate_over(server: &Server, zone: &str, mode: &str, connections: usize) -> Result<f64> {
    let file = questions(server, zone, super::NAMES)?;
    let options = format!("-c {connections} -q 100 -l {SECONDS} -m {mode}");
    let rates =
        (0..ROUNDS).map(|_| Ok(run(server, &file, &options)?.per_second)).collect::<Result<Vec<_>>>()?;
    Ok(median(rates))
}

/// Milliseconds within which 99 of 100 answers came, at a steady rate of questions.
pub(super) fn p99(server: &Server, per_second: f64) -> Result<f64> {
    let file = questions(server, INSIDE, super::NAMES)?;
    let text = dnsperf(server, &file, &format!("-c 1 -q 100 -l 2 -v -Q {per_second:.0}"))?;
    // `> NOERROR n1.bench.cell A 0.000042`
    let times = text.lines().filter(|line| line.starts_with("> NOERROR"));
    let mut times: Vec<f64> = times.filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect();
    ensure!(times.len() > 1_000, "dnsperf told only {} times", times.len());
    times.sort_by(f64::total_cmp);
    let place = times.len() * 99 / 100;
    Ok(times.get(place).copied().unwrap_or(f64::NAN) * 1e3)
}
