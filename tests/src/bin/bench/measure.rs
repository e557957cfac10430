//! Clocks and counters.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// The middle value.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Runs a command to its end, quietly; milliseconds from before its start until it has ended.
pub(crate) fn wall(command: &mut Command) -> Result<f64> {
    let begin = Instant::now();
    let out = command.stdin(Stdio::null()).stdout(Stdio::null()).output().context("start a command")?;
    let time = milliseconds(begin.elapsed());
    ensure!(out.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&out.stderr));
    Ok(time)
}

/// Processor time of all threads of a process so far, in milliseconds.
pub(crate) fn processor(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the process has ended")? {
        // A thread may end while it is looked at.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(milliseconds(Duration::from_nanos(nanoseconds)))
}

/// Processor time of this thread so far, in nanoseconds: the first word of its schedstat.
pub(crate) fn thread_time() -> Result<f64> {
    let words = fs::read_to_string("/proc/thread-self/schedstat")?;
    words.split(' ').next().unwrap_or_default().parse().context("a schedstat without a number")
}

/// Resident memory of a process, MiB.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// The process of a program that was started through others, which it replaced or which are its parents.
pub(crate) fn find_child(child: &pic_lab::Child, program: &str) -> Result<u32> {
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let mut pid = child.pid();
    for _ in 0..4 {
        if name(pid).trim() == program {
            return Ok(pid);
        }
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        pid = children.split_whitespace().next().context("the program does not run")?.parse()?;
    }
    anyhow::bail!("{program} does not run")
}

/// The process of a program whose command line or record names this folder.
pub(crate) fn find(program: &str, folder: &Path) -> Result<u32> {
    let folder = folder.to_str().context("a folder that is no text")?;
    let record = Path::new(folder).join(format!("run/{program}.service.pid"));
    if let Ok(text) = fs::read_to_string(record) {
        return Ok(text.split_whitespace().next().context("an empty record")?.parse()?);
    }
    let pids =
        fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.split(' ').next().is_some_and(|word| word.ends_with(program)) && line.contains(folder)
    };
    pids.into_iter().find(is_it).with_context(|| format!("{program} does not run"))
}
