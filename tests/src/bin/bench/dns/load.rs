//! dnsperf, and what it says.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pic_lab::{cmd, files};

use super::servers::{ADDRESS, Server};
use crate::measure::{median, processor};

const CLIENT_CPU: &str = "0";
const SECONDS: u32 = 2;
const ROUNDS: usize = 5;

/// What one run told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) per_second: f64,
    pub(super) answered: f64,
    pub(super) lost: f64,
}

/// How fast a server is: the middle of several rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Answers each second.
    pub(super) per_second: f64,
    /// Processor time of the server for each, in microseconds. On a busy machine this is what to compare.
    pub(super) processor: f64,
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
    let (per_second, answered) = (value("Queries per second:")?, value("Queries completed:")?);
    Ok(Run { per_second, answered, lost: value("Queries lost:")? })
}

/// What a server is asked, and how.
#[derive(Clone, Copy)]
pub(super) struct Load<'s> {
    pub(super) server: &'s Server,
    /// Zone of the names.
    pub(super) zone: &'static str,
    /// As dnsperf calls it: udp, tcp or dot.
    pub(super) mode: &'static str,
    pub(super) connections: usize,
}

/// By UDP.
pub(super) fn udp<'s>(server: &'s Server, zone: &'static str) -> Load<'s> {
    Load { server, zone, mode: "udp", connections: 1 }
}

impl Load<'_> {
    fn run(self) -> Result<Rate> {
        let file = questions(self.server, self.zone, super::NAMES)?;
        let Self { server, mode, connections, .. } = self;
        let before = processor(server.pid)?;
        let run = run(server, &file, &format!("-c {connections} -q 100 -l {SECONDS} -m {mode}"))?;
        ensure!(run.answered > 0.0, "nothing was answered");
        let processor = (processor(server.pid)? - before) * 1e3 / run.answered;
        Ok(Rate { per_second: run.per_second, processor })
    }
}

/// How fast servers are that are compared: all are loaded in turn, again and again, so that what else the machine does meanwhile
/// is the same for all of them.
pub(super) fn in_turn<const N: usize>(loads: [Load<'_>; N]) -> Result<[Rate; N]> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(loads.iter().map(|load| load.run()).collect::<Result<Vec<_>>>()?);
    }
    let middle = |of: &dyn Fn(&Rate) -> f64, at: usize| {
        median(rounds.iter().filter_map(|round| round.get(at)).map(of).collect())
    };
    Ok(std::array::from_fn(|at| Rate {
        per_second: middle(&|rate| rate.per_second, at),
        processor: middle(&|rate| rate.processor, at),
    }))
}

/// Milliseconds within which 99 of 100 answers came, at a steady rate of questions.
pub(super) fn p99(server: &Server, zone: &str, per_second: f64) -> Result<f64> {
    let file = questions(server, zone, super::NAMES)?;
    let text = dnsperf(server, &file, &format!("-c 1 -q 100 -l 2 -v -Q {per_second:.0}"))?;
    // `> NOERROR n1.bench.cell A 0.000042`
    let times = text.lines().filter(|line| line.starts_with("> NOERROR"));
    let mut times: Vec<f64> = times.filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect();
    ensure!(times.len() > 1_000, "dnsperf told only {} times", times.len());
    times.sort_by(f64::total_cmp);
    let place = times.len() * 99 / 100;
    Ok(times.get(place).copied().unwrap_or(f64::NAN) * 1e3)
}
