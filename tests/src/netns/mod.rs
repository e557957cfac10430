//! Network namespaces: hosts of the lab without a system of their own.

mod enter;
pub mod internet;
mod lan;
mod link;
mod traffic;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::cmd::{self, Output};
use crate::process::Child;
use crate::{files, sweep, tools, unique};

pub use lan::Lan;
pub use link::veth;
pub use traffic::Pings;

/// A network namespace with loopback up; deleted on drop.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace; `label` shows in its name and in messages.
    pub fn new(label: &str) -> Result<Self> {
        require_root()?;
        tools::require(tools::NETWORK)?;
        sweep::once();
        let name = unique::name(label);
        cmd::run(cmd::command("ip").args(["netns", "add", &name]))?.ok()?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// The namespace that a process is in, under a name of its own; it stays as long as somebody uses it.
    pub fn of_process(label: &str, pid: i32) -> Result<Self> {
        let name = unique::name(label);
        cmd::run(cmd::command("ip").args(["netns", "attach", &name, &pid.to_string()]))?.ok()?;
        Ok(Self { name })
    }

    /// The name that `ip netns` knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it, for `setns` and `--network-namespace-path`.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// A command that will run in it, and die with the thread that starts it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = cmd::command("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a command line, split at blanks, to its end.
    pub fn run(&self, line: &str) -> Result<Output> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        cmd::run(self.command(program).args(words))
    }

    /// Starts a command line, split at blanks, that runs beside the test.
    pub fn spawn(&self, line: &str) -> Result<Child> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        let mut command = self.command(program);
        command.args(words);
        Child::spawn(command)
    }

    /// `ip …` for this namespace; fails if `ip` does.
    pub fn ip(&self, line: &str) -> Result<String> {
        let mut command = cmd::command("ip");
        command.args(["-n", &self.name]).args(line.split_whitespace());
        cmd::run(&mut command)?.ok().with_context(|| format!("in namespace {}", self.name))
    }

    /// Loads a ruleset into its own nftables.
    pub fn nft(&self, ruleset: &str) -> Result<()> {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        cmd::run_for(&mut command, cmd::DEADLINE, ruleset.as_bytes())?.ok()?;
        Ok(())
    }

    /// Sets a key below `net.` for this namespace.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        ensure!(key.starts_with("net."), "{key} is not a property of a network namespace");
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        self.enter(|| files::write(&path, value))?
    }

    /// Lets it forward packets, both families.
    pub fn forward(&self) -> Result<()> {
        self.sysctl("net.ipv4.ip_forward", "1")?;
        self.sysctl("net.ipv6.conf.all.forwarding", "1")
    }

    /// The `resolv.conf` that commands in it see.
    pub fn set_resolv_conf(&self, content: &str) -> Result<()> {
        files::write(&self.etc().join("resolv.conf"), content)
    }

    /// What `ip netns exec` lays over `/etc`.
    fn etc(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = cmd::run(cmd::command("ip").args(["netns", "del", &self.name]));
        let _ = fs::remove_dir_all(self.etc());
    }
}

/// Fails with a sentence a newcomer understands when the test does not run as root.
pub fn require_root() -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "the lab needs root: run it by `sudo scripts/test`");
    Ok(())
}
