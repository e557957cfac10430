//! `pic-fuzz`: mutates a corpus until something breaks or the time is over.
//!
//! Two processes: the worker runs inputs and keeps the present one in a file; the other looks at how the worker ends,
//! so that an input which kills it (stack, memory) or never ends is kept as well.
#![forbid(unsafe_code)]

#[cfg(test)]
mod replay;
mod worker;

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use pic_fuzz::run::Meter;
use pic_fuzz::{TARGETS, Target, corpus};

#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

const METER: Meter =
    Meter { now: || HEAP.current_usage(), peak: || HEAP.peak_usage(), reset: || HEAP.reset_peak_usage() };

/// Gives mutated inputs to one or all targets.
#[derive(Debug, Parser)]
struct Options {
    /// Only this one.
    #[arg(long)]
    target: Option<String>,
    /// For each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Repeats a run; by default from the clock.
    #[arg(long)]
    seed: Option<u64>,
    /// Names of the targets.
    #[arg(long)]
    list: bool,
    /// File for the present input; set by the outer process.
    #[arg(long, hide = true)]
    worker: Option<std::path::PathBuf>,
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let seed = options
        .seed
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs()));
    let wanted = |target: &&Target| options.target.as_ref().is_none_or(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(wanted).collect();
    if targets.is_empty() {
        bail!("there is no such target; see --list");
    }
    let time = Duration::from_secs(options.seconds);
    match (&options.worker, targets.first()) {
        _ if options.list => {
            targets.iter().for_each(|target| say(&format!("{:13} {}", target.name, target.from)))
        }
        (Some(file), Some(target)) => return worker::mutate(target, seed, time, file, &METER),
        _ => {
            let mut good = true;
            for target in targets {
                good &= supervise(target, seed, time)?;
            }
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a target in a process of its own; whether nothing was found.
fn supervise(target: &Target, seed: u64, time: Duration) -> Result<bool> {
    let file = tempfile::NamedTempFile::new_in("/dev/shm").or_else(|_| tempfile::NamedTempFile::new())?;
    let mut worker = Command::new(std::env::current_exe()?);
    worker.args([
        "--target",
        target.name,
        "--seed",
        &seed.to_string(),
        "--seconds",
        &time.as_secs().to_string(),
    ]);
    let output = worker
        .arg("--worker")
        .arg(file.path())
        .stderr(Stdio::inherit())
        .output()
        .context("start a worker")?;
    let words = String::from_utf8_lossy(&output.stdout);
    say(&format!("{:13} seed {seed}: {}", target.name, words.trim()));
    if let Some(signal) = output.status.signal() {
        let kept = corpus::keep(target.name, &std::fs::read(file.path())?)?;
        say(&format!("{:13} FAILED  ended by signal {signal}: {}", target.name, kept.display()));
    }
    Ok(output.status.success())
}
