//! The way into a VM. One connection is kept open and shared: a key exchange on an emulated processor takes
//! about a second, which every command would pay otherwise.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::Child;
use crate::scratch::Scratch;
use crate::{cmd, wait};

/// A try that takes longer met a guest that went down meanwhile: such a connection never ends by itself.
const LOGIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Ssh {
    key: PathBuf,
    port: u16,
    socket: PathBuf,
    master: Option<Child>,
}

impl Ssh {
    pub(super) fn new(key: &Path, scratch: &Scratch) -> Result<Self> {
        Ok(Self { key: key.to_path_buf(), port: free_port()?, socket: scratch.join("ssh"), master: None })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// One try to open the shared connection; the guest's boot id if that worked.
    pub(super) fn connect(&mut self) -> Result<Option<String>> {
        self.disconnect();
        let mut command = self.program("ssh");
        // The forwarded port takes connections before the guest listens: the greeting must come in time.
        command.args(["-N", "-o", "ConnectTimeout=10", "-o", "ControlMaster=yes"]);
        command.args(["-o", "ServerAliveInterval=5", "-p", &self.port.to_string(), "root@127.0.0.1"]);
        let mut master = Child::spawn(quiet(command))?;
        let settled = wait::until(LOGIN, "ssh to log in", || self.socket.exists() || !master.is_running());
        if settled.is_err() || !self.socket.exists() {
            return Ok(None);
        }
        self.master = Some(master);
        let mut command = self.command("root", "cat /proc/sys/kernel/random/boot_id");
        let answer = cmd::run_for(&mut command, LOGIN, b"").and_then(cmd::Output::ok);
        Ok(answer.ok().map(|id| id.trim().to_owned()))
    }

    /// Waits until the guest, on its way down, has closed the shared connection.
    pub(super) fn wait_closed(&mut self) {
        if let Some(mut master) = self.master.take() {
            // Not closed in time is no failure: the next connection shows whether the guest is back.
            let _ = master.wait(LOGIN);
        }
    }

    /// Gives up the shared connection.
    pub(super) fn disconnect(&mut self) {
        self.master = None;
        // A killed ssh leaves its socket behind, and a socket means "connected" above.
        let _ = std::fs::remove_file(&self.socket);
    }

    /// A command line for the guest's shell. Users other than root get a connection of their own.
    pub(super) fn command(&self, user: &str, line: &str) -> Command {
        let mut command = self.program("ssh");
        if user != "root" {
            command.args(["-o", "ControlPath=none"]);
        }
        command.args(["-p", &self.port.to_string(), &format!("{user}@127.0.0.1"), "--", line]);
        command
    }

    /// A copy between here and there; remote paths as [`Ssh::remote`] gives them.
    pub(super) fn copy(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Command {
        let mut command = self.program("scp");
        command.args(["-q", "-r", "-p", "-P", &self.port.to_string()]).arg(from.as_ref()).arg(to.as_ref());
        command
    }

    pub(super) fn remote(path: &str) -> String {
        format!("root@127.0.0.1:{path}")
    }

    fn program(&self, program: &str) -> Command {
        let mut command = cmd::command(program);
        command
            .args([
                "-F",
                "/dev/null",
                "-o",
                "BatchMode=yes",
                "-o",
                "LogLevel=ERROR",
                "-o",
                "IdentitiesOnly=yes",
            ])
            // The guest's host key is as new as its disk: there is nothing to compare it with.
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"])
            .arg(&self.key)
            .args(["-o", &format!("ControlPath={}", self.socket.display())]);
        command
    }
}

fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}
