//! A program as a child that does not outlive us: running, or ended.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;

/// Asked to end, it does within a moment; one that does not is killed.
const STOP: Duration = Duration::from_secs(5);

/// The child, while there is one.
#[derive(Debug, Default)]
pub struct Child(Option<tokio::process::Child>);

impl Child {
    /// Whether it was started and has not ended.
    pub fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// Starts it. Nobody would know of one that outlives us, and its ports would be taken: it is told when the thread that
    /// started it ends, so that must be one that lives as long as the daemon.
    ///
    /// # Errors
    /// There is no `setpriv`, or no process to be had. A program that cannot be run is one that ends.
    pub fn start<S: AsRef<OsStr>>(
        &mut self,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> io::Result<()> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(program).args(arguments);
        self.0 = Some(command.stdin(Stdio::null()).kill_on_drop(true).spawn()?);
        Ok(())
    }

    /// Waits for its end; for ever when it does not run.
    ///
    /// # Errors
    /// The system's; it counts as ended all the same.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.0 else { return std::future::pending().await };
        let status = child.wait().await;
        self.0 = None;
        status
    }

    /// Ends it.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if tokio::time::timeout(STOP, child.wait()).await.is_err() {
            tracing::warn!("it does not end and is killed");
            let _ = child.kill().await;
        }
    }
}
