//! Programs that run beside the test and never outlive it.
//!
//! Two nets: dropping the [`Child`] kills its process group, and if the test process itself is killed the
//! kernel kills the child (parent-death signal). That signal follows the *thread* that started the child, so
//! each child gets a thread of its own, which lives exactly as long as the guard.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{cmd, wait};

/// A running program; killed on drop.
#[derive(Debug)]
pub struct Child {
    what: String,
    inner: std::process::Child,
    _thread: mpsc::Sender<()>,
}

impl Child {
    /// Starts a command made by [`cmd::command`] or [`crate::Namespace::command`].
    pub fn spawn(command: Command) -> Result<Self> {
        Self::spawn_after(command, || Ok(()))
    }

    /// Like [`Child::spawn`], running `setup` on the new thread first: whatever it changes for its thread
    /// (mount or network namespace) holds for the child alone.
    pub fn spawn_after(
        mut command: Command,
        setup: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let what = cmd::describe(&command);
        command.process_group(0);
        let (started, child) = mpsc::channel();
        let (guard, end) = mpsc::channel();
        thread::spawn(move || {
            let spawned = setup().and_then(|()| Ok(command.spawn()?));
            if started.send(spawned).is_ok() {
                // Returns when the guard is dropped and with it the sender.
                let _ = end.recv();
            }
        });
        let inner = child
            .recv()
            .context("the starting thread died")
            .and_then(|spawned| spawned)
            .with_context(|| format!("start `{what}`"))?;
        Ok(Self { what, inner, _thread: guard })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.inner.try_wait(), Ok(None))
    }

    /// Sends a signal to it and its descendants in the same process group.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.is_running() {
            killpg(Pid::from_raw(self.inner.id().cast_signed()), signal)
                .with_context(|| format!("send {signal} to `{}`", self.what))?;
        }
        Ok(())
    }

    /// Waits for its end.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        wait::value(deadline, &format!("the end of `{}`", self.what), || Ok(self.inner.try_wait()?))
    }

    /// Asks it to end by `signal`; kills it if that takes longer than `deadline`.
    pub fn stop(&mut self, signal: Signal, deadline: Duration) -> Result<()> {
        self.signal(signal)?;
        if self.wait(deadline).is_err() {
            self.kill();
        }
        Ok(())
    }

    /// Kills it now and reaps it.
    pub fn kill(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
        let _ = self.inner.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_kills_the_whole_group() {
        let mut command = cmd::command("sh");
        command.args(["-c", "sleep 987 & wait"]);
        let child = Child::spawn(command).unwrap();
        let group = Pid::from_raw(child.pid().cast_signed());
        drop(child);
        wait::until(Duration::from_secs(5), "the group to die", || killpg(group, None).is_err()).unwrap();
    }
}
