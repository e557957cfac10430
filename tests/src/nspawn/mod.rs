//! Containers with a real systemd: Debian hosts at native speed, on this machine's kernel.
//!
//! A host is a writable layer over a shared root directory, booted into a [`Namespace`] that the test has
//! cabled before. The layer's mount lives in a mount namespace of the host's own, and all its processes in a
//! PID namespace of their own that dies with the test: nothing is left to unmount or to kill.
//!
//! Limits: resource limits are not enforced, and the kernel (modules, WireGuard) is the machine's. See [`crate::vm`].

pub(crate) mod cgroup;
mod plumbing;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cmd::{self, Output};
use crate::image::{self, Release};
use crate::netns::Namespace;
use crate::process::Child;
use crate::scratch::Scratch;
use crate::{files, tools, wait};

use cgroup::Groups;
use plumbing::{leader_below, private_mounts};

/// How long a host may take to come up.
pub const BOOT: Duration = Duration::from_secs(60);
/// How long the packages of a test may take to be set up.
const INSTALL: Duration = Duration::from_secs(180);

/// Goes into as many control groups as the first argument says, and becomes the command behind them.
const ENTER: &str =
    r#"n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 >"$1"; shift; n=$((n - 1)); done; exec "$@""#;

/// A container host; stopped and removed on drop.
#[derive(Debug)]
pub struct Nspawn {
    supervisor: Option<Child>,
    /// Behind the processes that are in them.
    groups: Option<Groups>,
    leader: u32,
    name: String,
    release: Release,
    network: PathBuf,
    base: PathBuf,
    scratch: Scratch,
}

impl Nspawn {
    /// Prepares a host that will live in `network`; files may be put on it before [`Nspawn::boot`].
    pub fn prepare(release: Release, name: &str, network: &Namespace) -> Result<Self> {
        tools::require(tools::CONTAINERS)?;
        let base = image::container(release)?;
        let scratch = Scratch::new(name)?;
        for dir in ["layer", "work", "root"] {
            let dir = scratch.join(dir);
            fs::create_dir(&dir).with_context(|| format!("create {}", dir.display()))?;
        }
        let host = Self {
            supervisor: None,
            groups: None,
            leader: 0,
            name: name.to_owned(),
            release,
            network: network.path(),
            base,
            scratch,
        };
        host.write("/etc/hostname", format!("{name}\n"))?;
        host.write("/etc/hosts", format!("127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost\n"))?;
        Ok(host)
    }

    /// Prepares and boots.
    pub fn start(release: Release, name: &str, network: &Namespace) -> Result<Self> {
        let mut host = Self::prepare(release, name, network)?;
        host.boot()?;
        Ok(host)
    }

    /// Boots it and waits until systemd says that all jobs are done.
    pub fn boot(&mut self) -> Result<()> {
        let mut supervisor = self.spawn()?;
        let leader = wait::value(BOOT, &format!("systemd of {}", self.name), || {
            if !supervisor.is_running() {
                bail!("the container ended");
            }
            Ok(leader_below(supervisor.pid()))
        });
        self.leader = leader.with_context(|| self.console(40))?;
        self.supervisor = Some(supervisor);
        wait::value(BOOT, &format!("the boot of {}", self.name), || {
            let state = self.run("systemctl is-system-running")?.stdout;
            Ok(matches!(state.trim(), "running" | "degraded").then_some(()))
        })
        .with_context(|| self.console(40))
    }

    fn spawn(&mut self) -> Result<Child> {
        self.groups = None;
        let groups = Groups::new(&self.name)?;
        let console = self.console_file();
        let log = File::options().create(true).append(true).open(&console);
        let log = log.with_context(|| format!("open {}", console.display()))?;
        let (root, base) = (self.scratch.join("root"), self.base.clone());
        let (layer, work) = (self.scratch.join("layer"), self.scratch.join("work"));
        // The first `unshare` takes all down when it is killed; the second one keeps the container from being
        // process 1 of that PID namespace, a role that it would take for its own boot.
        let mut command = cmd::command("sh");
        command.args(["-euc", ENTER, "sh", &groups.doors().count().to_string()]).args(groups.doors());
        command
            .args(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "unshare", "--fork"])
            .arg("systemd-nspawn")
            .args(["--quiet", "--boot", "--register=no", "--keep-unit", "--kill-signal=SIGRTMIN+3"])
            // Its network is its own, which nspawn knows only of networks that it made itself.
            .arg("--capability=CAP_NET_ADMIN,CAP_NET_RAW")
            .args(["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"])
            .arg(format!("--hostname={}", self.name))
            .arg(format!("--machine={}", self.name))
            .arg(format!("--network-namespace-path={}", self.network.display()))
            .arg("--directory")
            .arg(&root)
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            // As on a host of its own: an agent must be able to turn forwarding on.
            .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network")
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the console log")?)
            .stderr(log);
        if Path::new("/dev/net/tun").exists() {
            command.arg("--bind=/dev/net/tun");
        }
        self.groups = Some(groups);
        Child::spawn_after(command, move || private_mounts(&base, &layer, &work, &root))
    }

    /// A command that will run on the host.
    pub fn command(&self, program: &str) -> Command {
        let mut command = cmd::command("nsenter");
        command
            .args(["--target", &self.leader.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid"])
            .args(["--wd=/", "--", "setpriv", "--pdeathsig", "KILL", "--", program])
            .env_clear()
            .envs([("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")])
            .envs([("HOME", "/root"), ("LANG", "C.UTF-8"), ("USER", "root")])
            .process_group(0);
        command
    }

    /// Runs a command line, split at blanks, to its end.
    pub fn run(&self, line: &str) -> Result<Output> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        cmd::run(self.command(program).args(words))
    }

    /// Runs a shell script on the host.
    pub fn sh(&self, script: &str) -> Result<Output> {
        cmd::run(self.command("sh").args(["-c", script]))
    }

    /// Writes a file on the host, making the directories above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        self.install(path, content.as_ref(), 0o644)
    }

    /// Copies a file of ours to the host, with its mode.
    pub fn put(&self, from: &Path, to: &str) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        let mode =
            fs::metadata(from).with_context(|| format!("look at {}", from.display()))?.permissions().mode();
        self.install(to, &content, mode & 0o7777)
    }

    /// Installs packages of its release, by names with blanks between, and what they need; it has no way to the mirror.
    pub fn install_packages(&self, names: &str) -> Result<()> {
        for package in image::packages(self.release, names)? {
            let name = package.file_name().context("a package without a name")?;
            self.put(&package, &format!("/root/debs/{}", name.to_string_lossy()))?;
        }
        let script =
            "DEBIAN_FRONTEND=noninteractive dpkg -i --force-confold /root/debs/*.deb && rm -r /root/debs";
        let mut command = self.command("sh");
        cmd::run_for(command.args(["-c", script]), INSTALL, b"")?.ok()?;
        Ok(())
    }

    /// A file of the host as text.
    pub fn read(&self, path: &str) -> Result<String> {
        cmd::run(self.command("cat").arg(path))?.ok()
    }

    fn install(&self, path: &str, content: &[u8], mode: u32) -> Result<()> {
        if self.leader == 0 {
            return files::write_mode(
                &self.scratch.join("layer").join(path.trim_start_matches('/')),
                content,
                mode,
            );
        }
        // By a program on the host, not through /proc: links there must not lead out into this machine.
        let mut command = self.command("install");
        command.args(["-D", "-m", &format!("{mode:o}"), "/dev/stdin", path]);
        cmd::run_for(&mut command, cmd::DEADLINE, content)?.ok()?;
        Ok(())
    }

    /// Shuts it down in order. It may be booted again and finds its files as they were.
    pub fn shut_down(&mut self) -> Result<()> {
        let _ = self.run("systemctl --no-block poweroff");
        if let Some(mut supervisor) = self.supervisor.take() {
            supervisor.wait(BOOT).with_context(|| self.console(40))?;
        }
        self.leader = 0;
        Ok(())
    }

    /// Kills everything on it at once, as a crash would. What was written stays, since the kernel lives on.
    pub fn crash(&mut self) {
        self.supervisor = None;
        self.groups = None;
        self.leader = 0;
    }

    /// The end of what it printed while booting.
    pub fn console(&self, lines: usize) -> String {
        format!("console of {}:\n{}", self.name, files::tail(&self.console_file(), lines))
    }

    fn console_file(&self) -> PathBuf {
        self.scratch.join("console.log")
    }
}

impl Drop for Nspawn {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::stage::note(&self.console(40));
        }
        // Processes first: the scratch directory below them goes next.
        self.crash();
    }
}
