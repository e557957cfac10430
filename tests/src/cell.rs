//! A cell and its devices in namespaces, without systemd: the real agent with its real services as children, and
//! ordinary `wg-quick` clients.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::cmd::Output;
use crate::{Child, Namespace, Scratch, TorNet, chrony, cmd, files, openvpn, scratch, tor, wait};

/// Longest time the agent takes to be ready on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// Folder of the programs under test: `PIC_BIN`, else the debug build.
pub fn programs() -> PathBuf {
    std::env::var_os("PIC_BIN").map_or_else(|| scratch::workspace().join("target/debug"), PathBuf::from)
}

/// Userspace WireGuard has its control sockets in `/run/wireguard`, which namespaces of the network share: gives the
/// program that follows a folder of its own there, so that two cells on one machine do not meet.
pub(crate) fn own_sockets(namespace: &str, scratch: &Scratch) -> std::process::Command {
    own_folders(namespace, scratch, "true")
}

/// The same, after a script in the program's own view of the file system.
fn own_folders(namespace: &str, scratch: &Scratch, first: &str) -> std::process::Command {
    let script = format!(
        "mkdir -p \"$1\" /run/wireguard && mount --bind \"$1\" /run/wireguard && {first} && shift && exec \"$@\""
    );
    let mut command = cmd::command("ip");
    command.args(["netns", "exec", namespace, "sh", "-c", &script, "sh"]).arg(scratch.join("sockets"));
    command
}

/// A cell in a namespace. Its services end with it.
#[derive(Debug)]
pub struct Cell {
    namespace: String,
    agent: Option<Child>,
    /// Where the cell finds chrony, if not where the machine would have it.
    chrony: Option<PathBuf>,
    /// Where the cell finds tor, and not what the machine may have.
    tor: PathBuf,
    /// Where the cell finds openvpn.
    openvpn: PathBuf,
    /// The size of the disk that its state is on, where that is one of its own.
    disk: Option<&'static str>,
    scratch: Scratch,
}

impl Cell {
    /// Starts a cell with this `cell.toml`.
    pub fn start(namespace: &Namespace, cell_toml: &str) -> Result<Self> {
        Self::made(namespace, cell_toml)?.started()
    }

    /// Starts a cell whose state is on a disk of its own of this size, as `2m`; seen by [`Cell::on_its_disk`] alone.
    pub fn with_disk(namespace: &Namespace, cell_toml: &str, size: &'static str) -> Result<Self> {
        let mut cell = Self::made(namespace, cell_toml)?;
        cell.disk = Some(size);
        cell.started()
    }

    /// Starts a cell on a host that has Debian's chrony.
    pub fn with_chrony(namespace: &Namespace, cell_toml: &str) -> Result<Self> {
        let mut cell = Self::made(namespace, cell_toml)?;
        cell.chrony = Some(chrony::root()?);
        cell.started()
    }

    /// Starts a cell on a host that has Debian's tor, which finds this network instead of the world's.
    pub fn with_tor(namespace: &Namespace, cell_toml: &str, net: &TorNet) -> Result<Self> {
        let mut cell = Self::made(namespace, cell_toml)?;
        cell.tor = tor::root()?;
        let template = files::read(&scratch::workspace().join("templates/torrc"))?;
        files::write(&cell.path("etc/templates/torrc"), template + "\n" + &net.config())?;
        cell.started()
    }

    /// Starts a cell on a host that has Debian's openvpn.
    pub fn with_openvpn(namespace: &Namespace, cell_toml: &str) -> Result<Self> {
        let mut cell = Self::made(namespace, cell_toml)?;
        cell.openvpn = openvpn::root()?;
        cell.started()
    }

    /// The files of a cell that does not run yet.
    fn made(namespace: &Namespace, cell_toml: &str) -> Result<Self> {
        let scratch = Scratch::new("cell")?;
        for folder in ["etc", "state", "run"] {
            std::fs::create_dir(scratch.join(folder))?;
        }
        files::write(&scratch.join("etc/cell.toml"), cell_toml)?;
        let namespace = namespace.name().to_owned();
        Ok(Self {
            namespace,
            agent: None,
            chrony: None,
            tor: scratch.join("none"),
            openvpn: scratch.join("none"),
            disk: None,
            scratch,
        })
    }

    fn started(mut self) -> Result<Self> {
        self.start_agent()?;
        Ok(self)
    }

    fn agent_command(&self, verb: &str) -> std::process::Command {
        let state = self.scratch.join("state");
        let mount = |size| format!("mount -t tmpfs -o size={size} none '{}'", state.display());
        let first = self.disk.map_or_else(|| "true".to_owned(), mount);
        let mut command = own_folders(&self.namespace, &self.scratch, &first);
        command.arg(programs().join("pic-agent")).arg(verb);
        for (option, name) in [("--config", "etc/cell.toml"), ("--state", "state"), ("--run", "run")] {
            command.arg(option).arg(self.scratch.join(name));
        }
        if let Some(chrony) = &self.chrony {
            command.arg("--chrony").arg(chrony);
        }
        command.arg("--openvpn").arg(&self.openvpn).env("LD_LIBRARY_PATH", openvpn::libraries(&self.openvpn));
        command.arg("--tor").arg(&self.tor).arg("--children").arg(programs());
        command
    }

    /// Starts the agent, which must not run, and waits until it answers.
    pub fn start_agent(&mut self) -> Result<()> {
        let mut command = self.agent_command("run");
        command.arg("--socket").arg(self.socket());
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.scratch.join("agent.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.agent = Some(Child::spawn(command)?);
        let ready = wait::until(READY, "the agent's answer", || {
            self.picctl("status").is_ok_and(|out| out.code() == 0)
        });
        ready.with_context(|| self.log())
    }

    /// Kills the agent alone, as a crash would; its services go on.
    pub fn kill_agent(&mut self) -> Result<()> {
        if let Some(mut agent) = self.agent.take() {
            // `setpriv` and `ip netns exec` have become the agent by exec: this is its own process.
            agent.stop(Signal::SIGKILL, READY)?;
        }
        Ok(())
    }

    /// Runs a shell script in the folder of the cell's state as the agent sees it.
    pub fn on_its_disk(&self, script: &str) -> Result<Output> {
        let pid = self.agent.as_ref().context("no agent runs")?.pid().to_string();
        let mut command = cmd::command("nsenter");
        command.args(["--target", &pid, "--mount", "--", "sh", "-c"]);
        command.arg(format!("cd '{}' && {script}", self.scratch.join("state").display()));
        cmd::run(&mut command)
    }

    /// Kills a service and starts it anew as it was, which is what systemd does where the agent is away.
    pub fn restart_alone(&self, program: &str) -> Result<Child> {
        let is_it = |pid: &nix::unistd::Pid| {
            std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(program))
        };
        let pid =
            self.services()?.into_iter().find(is_it).with_context(|| format!("{program} does not run"))?;
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).context("read its command line")?;
        let words: Vec<_> = words.split(|byte| *byte == 0).filter(|word| !word.is_empty()).collect();
        let mut command = own_sockets(&self.namespace, &self.scratch);
        command.args(
            words
                .into_iter()
                .map(std::os::unix::ffi::OsStrExt::from_bytes)
                .collect::<Vec<&std::ffi::OsStr>>(),
        );
        nix::sys::signal::kill(pid, Signal::SIGKILL).context("kill it")?;
        wait::until(READY, "its end", || self.services().is_ok_and(|left| !left.contains(&pid)))?;
        Child::spawn(command)
    }

    /// Kills every service that is this program, such as `pic-wg`, as a crash would; how many there were.
    pub fn kill_service(&self, program: &str) -> Result<usize> {
        let is_it = |pid: &nix::unistd::Pid| {
            std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(program))
        };
        let all: Vec<_> = self.services()?.into_iter().filter(is_it).collect();
        for pid in &all {
            let _ = nix::sys::signal::kill(*pid, Signal::SIGKILL);
        }
        Ok(all.len())
    }

    /// What a power cut leaves of the cell: its files. Every process of it ends at once, and the namespace is as a host is
    /// when it comes up, but for `links`: interfaces whose addresses were the cell's.
    pub fn lose_power(&mut self, namespace: &Namespace, links: &[&str]) -> Result<()> {
        self.kill_agent()?;
        for pid in self.services()? {
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
        }
        wait::until(READY, "the services' end", || self.services().is_ok_and(|left| left.is_empty()))?;
        namespace.run("nft flush ruleset")?.ok()?;
        for link in links {
            namespace.ip(&format!("address flush dev {link} scope global"))?;
        }
        for family in ["-4", "-6"] {
            // Not there in a cell that did not get that far.
            while namespace.run(&format!("ip {family} rule del lookup 7700"))?.code() == 0 {}
            for mark in ["0x1000000", "0xfe000000", "0xff000000"] {
                while namespace.run(&format!("ip {family} rule del fwmark {mark}/0xff000000"))?.code() == 0 {}
            }
            let _ = namespace.run(&format!("ip {family} route flush table all proto 77"))?;
        }
        let _ = namespace.run("ip link del pic0")?;
        namespace.sysctl("net.ipv4.ip_forward", "0")?;
        namespace.sysctl("net.ipv6.conf.all.forwarding", "0")?;
        let run = self.scratch.join("run");
        std::fs::remove_dir_all(&run)?;
        std::fs::create_dir(&run)?;
        Ok(())
    }

    /// Kills a program of the cell's namespace, wherever it is installed; how many of them there were.
    pub fn kill_program(&self, program: &str) -> Result<usize> {
        let pids = self.programs(|exe| exe.ends_with(program))?;
        for pid in &pids {
            let _ = nix::sys::signal::kill(*pid, Signal::SIGKILL);
        }
        Ok(pids.len())
    }

    /// The services that run in the cell's namespace.
    fn services(&self) -> Result<Vec<nix::unistd::Pid>> {
        self.programs(|exe| exe.starts_with(programs()))
    }

    fn programs(&self, wanted: impl Fn(&std::path::Path) -> bool) -> Result<Vec<nix::unistd::Pid>> {
        let pids = cmd::run(cmd::command("ip").args(["netns", "pids", &self.namespace]))?.ok()?;
        let pids = pids.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok());
        let is_ours = |pid: &i32| wanted(&std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default());
        Ok(pids.filter(is_ours).map(nix::unistd::Pid::from_raw).collect())
    }

    /// The API's socket.
    pub fn socket(&self) -> PathBuf {
        self.scratch.join("run/agent.sock")
    }

    /// The agent's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.join("agent.log")).unwrap_or_default()
    }

    /// A path in the cell's own folder: `etc`, `state`, `run` and whatever the test puts there.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// The namespace of an app as a program sees that joined it, with whom it asks for names.
    pub fn app(&self, name: &str) -> Result<Namespace> {
        let record = files::read(&self.path(&format!("run/pic-app@{name}.service.pid")))?;
        let pid = record.split_whitespace().next().and_then(|pid| pid.parse().ok());
        let app = Namespace::of_process(name, pid.context("a record without a process")?)?;
        app.set_resolv_conf(&files::read(&self.path(&format!("state/apps/{name}.resolv.conf")))?)?;
        Ok(app)
    }

    /// Runs `picctl` with words separated by spaces, as somebody who sits at the host.
    pub fn picctl(&self, words: &str) -> Result<Output> {
        self.picctl_as("", words)
    }

    /// The same as somebody who is logged in by ssh, with what sshd says of that in `SSH_CONNECTION`.
    pub fn picctl_as(&self, session: &str, words: &str) -> Result<Output> {
        let mut command = cmd::command(programs().join("picctl"));
        command.args(words.split_whitespace()).env("PIC_SOCKET", self.socket());
        cmd::run(command.env("SSH_CONNECTION", session))
    }

    /// Adds a device with options of `picctl peer add`; returns its configuration.
    pub fn add(&self, name: &str, options: &str) -> Result<String> {
        self.picctl(&format!("peer add {name} --qr none {options}"))?.ok()
    }

    /// Takes everything of the cell off its namespace, as removing the package does.
    pub fn teardown(&mut self) -> Result<String> {
        self.kill_agent()?;
        cmd::run(&mut self.agent_command("teardown"))?.ok()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // The services were started by the agent in sessions of their own; teardown ends them.
        let _ = self.teardown();
    }
}

/// A device in a namespace, connected by `wg-quick` over userspace WireGuard written by others.
#[derive(Debug)]
pub struct Device<'n> {
    namespace: &'n Namespace,
    file: PathBuf,
    scratch: Scratch,
}

impl<'n> Device<'n> {
    /// Brings the tunnel up with exactly this configuration; only the resolver is set the namespace's own way, as a
    /// namespace has no resolvconf.
    pub fn connect(namespace: &'n Namespace, name: &str, config: &str) -> Result<Self> {
        let scratch = Scratch::new("device")?;
        let file = scratch.join(format!("{name}.conf"));
        let (dns, rest): (Vec<&str>, Vec<&str>) = config.lines().partition(|line| line.starts_with("DNS"));
        files::write(&file, &(rest.join("\n") + "\n"))?;
        let servers = dns.iter().flat_map(|line| line.split(['=', ','])).map(str::trim);
        let servers: Vec<_> = servers.filter(|word| word.parse::<std::net::IpAddr>().is_ok()).collect();
        ensure!(!servers.is_empty(), "the configuration names no resolver:\n{config}");
        let resolv = servers.iter().map(|server| format!("nameserver {server}\n")).collect::<String>();
        let device = Self { namespace, file, scratch };
        device.wg_quick("up")?;
        namespace.set_resolv_conf(&resolv)?;
        Ok(device)
    }

    fn wg_quick(&self, verb: &str) -> Result<String> {
        let mut command = own_sockets(self.namespace.name(), &self.scratch);
        command
            .arg("wg-quick")
            .arg(verb)
            .arg(&self.file)
            .env("WG_QUICK_USERSPACE_IMPLEMENTATION", "wireguard-go");
        cmd::run(&mut command)?.ok()
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        let _ = self.wg_quick("down");
    }
}
