//! Working on a running guest.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Vm;
use super::ssh::Ssh;
use crate::cmd::{self, Output};
use crate::process::Child;
use crate::wait;

/// How long a command on a guest may take if not said otherwise.
const DEADLINE: Duration = Duration::from_secs(180);

impl Vm<'_> {
    /// Runs a command line in the guest's shell as root.
    pub fn ssh(&self, line: &str) -> Result<Output> {
        self.ssh_for(line, DEADLINE, b"")
    }

    /// Like [`Vm::ssh`] with a deadline and standard input (such as a script for `sh -s`).
    pub fn ssh_for(&self, line: &str, deadline: Duration, input: &[u8]) -> Result<Output> {
        cmd::run_for(&mut self.ssh.command("root", line), deadline, input)
    }

    /// Runs a command line as the user `admin`, who may become root by sudo.
    pub fn ssh_as_admin(&self, line: &str) -> Result<Output> {
        cmd::run_for(&mut self.ssh.command("admin", line), DEADLINE, b"")
    }

    /// Starts a command line that runs beside the test.
    pub fn spawn(&self, line: &str) -> Result<Child> {
        Child::spawn(self.ssh.command("root", line))
    }

    /// Like [`Vm::spawn`], with the standard output going into a file of ours as it comes.
    pub fn spawn_into(&self, line: &str, file: &Path) -> Result<Child> {
        let out = std::fs::File::create(file).with_context(|| format!("create {}", file.display()))?;
        let mut command = self.ssh.command("root", line);
        command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null());
        Child::spawn(command)
    }

    /// Copies a file or directory of ours to the guest.
    pub fn put(&self, from: &Path, to: &str) -> Result<()> {
        cmd::run_for(&mut self.ssh.copy(from, Ssh::remote(to)), DEADLINE, b"")?.ok()?;
        Ok(())
    }

    /// Copies a file or directory of the guest to us.
    pub fn get(&self, from: &str, to: &Path) -> Result<()> {
        cmd::run_for(&mut self.ssh.copy(Ssh::remote(from), to), DEADLINE, b"")?.ok()?;
        Ok(())
    }

    /// Writes a file on the guest, making the directories above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        self.ssh_for(&format!("install -D -m 644 /dev/stdin '{path}'"), DEADLINE, content.as_ref())?.ok()?;
        Ok(())
    }

    /// Changes with each boot.
    pub fn boot_id(&self) -> Result<String> {
        Ok(self.ssh("cat /proc/sys/kernel/random/boot_id")?.ok()?.trim().to_owned())
    }

    /// Waits until systemd has finished booting; gives its verdict (`running`, `degraded`).
    pub fn wait_booted(&self) -> Result<String> {
        let what = format!("the boot of {}", self.options.name);
        wait::value_every(Duration::from_millis(500), super::BOOT, &what, || {
            let state = self.ssh("systemctl is-system-running")?.stdout.trim().to_owned();
            Ok(matches!(state.as_str(), "running" | "degraded").then_some(state))
        })
        .with_context(|| self.console(40))
    }

    /// Gives a LAN interface addresses and, if any, gateways, now and after every boot.
    pub fn configure(&self, interface: &str, addresses: &[&str], gateways: &[&str]) -> Result<()> {
        let mut text = format!("[Match]\nName={interface}\n\n[Network]\nIPv6AcceptRA=no\n");
        for address in addresses {
            text.push_str(&format!("Address={address}\n"));
        }
        for gateway in gateways {
            text.push_str(&format!("Gateway={gateway}\n"));
        }
        self.write(&format!("/etc/systemd/network/20-{interface}.network"), text)?;
        self.ssh("networkctl reload")?.ok()?;
        let all_there = || {
            let shown = self.ssh(&format!("ip -o address show dev {interface}"))?.ok()?;
            let settled = !shown.contains("tentative") && addresses.iter().all(|a| shown.contains(a));
            Ok(settled.then_some(()))
        };
        wait::value_every(Duration::from_millis(300), DEADLINE, "the guest's addresses", all_there)
    }
}
