//! A host for one test: namespaces for network and mounts, an uplink, folders, and an agent.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pic_api::client::Client;

const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const CELL: &str = "[cell]\nname = \"home\"\n";

/// Runs a test on a thread that is a host of its own: what it starts lives in its namespaces.
pub(crate) fn on_a_host(test: impl FnOnce(&Stage) + Send + 'static) {
    assert!(nix::unistd::Uid::effective().is_root(), "these tests need root for their namespaces");
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        // WireGuard's sockets have a fixed place; this one is ours alone.
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        let stage = Stage::new();
        test(&stage);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

pub(crate) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        for line in [
            "ip link set lo up",
            "ip link add up0 type veth peer name up1",
            // Link-local addresses come when they like, and would differ between two looks.
            "sysctl -qw net.ipv6.conf.up0.addr_gen_mode=1 net.ipv6.conf.up1.addr_gen_mode=1",
            "ip addr add 192.0.2.5/24 dev up0",
            "ip -6 addr add 2001:db8::5/64 dev up0 nodad",
            "ip link set up0 up",
            "ip link set up1 up",
            "ip route add default via 192.0.2.1",
        ] {
            run(line);
        }
        stage.write_cell(CELL);
        stage
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write_cell(&self, text: &str) {
        pic_drivers::files::write_atomic(&self.at("cell.toml"), text.as_bytes(), 0o644).unwrap();
    }

    fn places(&self) -> Vec<String> {
        let at = |name: &str| self.at(name).display().to_string();
        let (socket, config, state) = (at("sock"), at("cell.toml"), at("state"));
        let run = "/run/pic".to_owned();
        let flags = [("--socket", socket), ("--config", config), ("--state", state), ("--run", run)];
        let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
        flags.chain(["--children".to_owned(), programs().display().to_string()]).collect()
    }

    /// Starts an agent that may have nothing to be happy about.
    pub(crate) fn agent_whatever(&self) -> Agent<'_> {
        let log = std::fs::File::options().create(true).append(true).open(self.at("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_pic-agent"))
            .arg("run")
            .args(self.places())
            .env("PIC_LOG", "debug")
            .stderr(log)
            .spawn()
            .unwrap();
        Agent { stage: self, child, client: Client::new(self.at("sock")) }
    }

    /// Starts an agent and waits until it has made the cell.
    pub(crate) fn agent(&self) -> Agent<'_> {
        let agent = self.agent_whatever();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ready =
            || runtime.block_on(agent.client.health()).is_ok_and(|health| health.value.status == "ok");
        wait_for(&format!("the agent: {}", self.log()), ready);
        agent
    }

    /// Runs `pic-agent` with the same folders.
    pub(crate) fn call(&self, command: &str) -> (bool, String) {
        let output =
            Command::new(env!("CARGO_BIN_EXE_pic-agent")).arg(command).args(self.places()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text.into_owned())
    }

    pub(crate) fn guard(&self) -> bool {
        let at = |name: &str| self.at(name).display().to_string();
        let arguments = ["--config", &at("cell.toml"), "--state", &at("state")];
        Command::new(env!("CARGO_BIN_EXE_pic-guard")).args(arguments).status().unwrap().success()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.at("log")).unwrap_or_default()
    }
}

/// A running agent, killed with its children when dropped.
pub(crate) struct Agent<'a> {
    stage: &'a Stage,
    child: Child,
    client: Client,
}

impl Agent<'_> {
    pub(crate) fn signal(&mut self, signal: Signal) -> bool {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
        self.child.wait().unwrap().success()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ask<T>(&self, ask: impl AsyncFnOnce(&Client) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ask(&self.client))
    }

    /// Memory of its own, in KiB. The program's pages are left out: a debug build has many more than the one that is
    /// installed, whose whole memory `scripts/bench cell` measures.
    pub(crate) fn own_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for unit in ["pic-dns.service", "pic-wg.service"] {
            stop_child(unit);
        }
        if std::thread::panicking() {
            eprintln!("{}", self.stage.log());
        }
    }
}

/// Ends a child of the agent by its record, if it is still that program.
fn stop_child(unit: &str) {
    let record = std::fs::read_to_string(format!("/run/pic/{unit}.pid")).unwrap_or_default();
    let Some(pid) = record.split(' ').next().and_then(|pid| pid.parse::<i32>().ok()) else { return };
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    if program.starts_with(programs()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Folder of our programs.
fn programs() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_pic-agent")).parent().unwrap().to_owned();
    for program in ["pic-wg", "pic-dns"] {
        assert!(
            folder.join(program).exists(),
            "build the cell's programs first: cargo build -p pic-wg -p pic-dns"
        );
    }
    folder
}

/// Runs a command line that must succeed, split at blanks, and returns what it prints.
#[track_caller]
pub(crate) fn run(line: &str) -> String {
    let (ok, text) = attempt(line);
    assert!(ok, "{line}: {text}");
    text
}

/// Runs a command line that may fail.
pub(crate) fn attempt(line: &str) -> (bool, String) {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

/// Everything of the network that a person could look at.
pub(crate) fn network() -> String {
    let lines = [
        "nft list ruleset",
        "ip rule",
        "ip -6 rule",
        "ip route show table all",
        "ip -6 route show table all",
        "ip -br link",
        "sysctl net.ipv4.ip_forward net.ipv4.conf.all.accept_redirects net.ipv6.conf.all.forwarding \
         net.ipv6.conf.up0.forwarding net.ipv6.conf.up0.accept_ra net.ipv6.conf.default.forwarding \
         net.ipv4.conf.up0.forwarding net.ipv4.conf.up1.forwarding net.ipv6.conf.up1.forwarding",
    ];
    lines.map(|line| format!("$ {line}\n{}", run(line))).concat()
}

/// Waits for a condition, with a deadline, and says how long it took.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    begin.elapsed()
}
