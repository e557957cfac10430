//! Running a program to its end, with a deadline, keeping what it said.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::wait;

/// How long [`run`] lets a program take.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// The command line, for messages.
    pub what: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Its exit code; 128 plus the number if a signal ended it, as shells count.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Its standard output, if it succeeded.
    pub fn ok(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        bail!("`{}` ended with {}\n{}{}", self.what, self.code(), self.stdout, self.stderr)
    }
}

/// A command that dies with the thread that starts it.
///
/// The parent-death signal is set by `setpriv`, as setting it from here would take unsafe code.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Runs to the end with no input, for at most [`DEADLINE`].
pub fn run(command: &mut Command) -> Result<Output> {
    run_for(command, DEADLINE, b"")
}

/// Runs to the end with `input` on standard input; kills it when the deadline passes.
pub fn run_for(command: &mut Command, deadline: Duration, input: &[u8]) -> Result<Output> {
    let what = describe(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("start `{what}`"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        // Threads for all three pipes: a full pipe in one direction must not stop the others.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input)));
        let stdout = scope.spawn(move || drain(stdout));
        let stderr = scope.spawn(move || drain(stderr));
        let ended = wait::value(deadline, &format!("the end of `{what}`"), || Ok(child.try_wait()?));
        if ended.is_err() {
            let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
            child.wait().context("reap a killed program")?;
        }
        let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        let status = ended.with_context(|| format!("it said:\n{stdout}{stderr}"))?;
        Ok(Output { what, status, stdout, stderr })
    })
}

fn drain(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The command line as a person would type it, without our own wrapper.
pub fn describe(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let skip = if words.first().is_some_and(|word| word == "setpriv") { 4 } else { 0 };
    words[skip.min(words.len())..].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_output_and_code_come_back() {
        let output = run_for(&mut command("cat"), DEADLINE, b"hello").unwrap();
        assert_eq!(output.stdout, "hello");
        assert_eq!(run(&mut command("false")).unwrap().code(), 1);
    }

    #[test]
    fn a_slow_program_is_killed() {
        let error = run_for(command("sleep").arg("100"), Duration::from_millis(100), b"").unwrap_err();
        assert!(format!("{error:#}").contains("sleep 100"), "{error:#}");
    }
}
