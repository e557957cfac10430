//! resolvconf(8): Debian's and openresolv, which share the two calls that are needed.
//!
//! What it is told is kept by it in `/run`, so a reboot forgets it.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;

const PROGRAMS: [&str; 3] = ["/usr/sbin/resolvconf", "/sbin/resolvconf", "/usr/bin/resolvconf"];
/// Both put what begins with `lo` before all interfaces, Debian's by its list, openresolv by the metric.
const ENTRY: &str = "lo.pic";

/// The program, unless it is systemd-resolved's by another name.
pub(super) fn program() -> Option<PathBuf> {
    let is_real = |path: &&Path| std::fs::canonicalize(path).is_ok_and(|real| !real.ends_with("resolvectl"));
    PROGRAMS.iter().map(Path::new).find(is_real).map(Path::to_owned)
}

pub(super) fn take(server: IpAddr) -> Result<(), Error> {
    let Some(program) = program() else { return Err(Error::Refused("there is no resolvconf".to_owned())) };
    run(&program, &["-a", ENTRY, "-m", "0"], &format!("nameserver {server}\n"))
}

pub(super) fn release() -> Result<(), Error> {
    // Without the program its entries count for nothing.
    let Some(program) = program() else { return Ok(()) };
    run(&program, &["-d", ENTRY, "-f"], "")
}

fn run(program: &Path, arguments: &[&str], input: &str) -> Result<(), Error> {
    let failed = |words: String| Error::Resolvconf { program: program.to_owned(), words };
    let io = |error: std::io::Error| failed(error.to_string());
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(io)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing has closed its end, and says by its exit code whether that was right.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(io)?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().chars().take(400).collect()))
}
