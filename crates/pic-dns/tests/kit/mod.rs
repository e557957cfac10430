//! Runs the real program on loopback addresses of its own.

pub(crate) mod signed;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use pic_model::snapshot::dns::{DnsRequest, DnsSnapshot, DnsStatus, Host, Upstream, VERSION, Zone};

/// An address nobody else uses: tests run at the same time, in this process and in others.
pub(crate) fn fresh_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [a, b, ..] = std::process::id().to_le_bytes();
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{}.{n}:5353", 1 + a % 250, 1 + b % 250).parse().unwrap()
}

/// How much longer everything may take on a machine that is busy with other tests.
const PATIENCE: u64 = 10;

/// Calls `check` until it returns something, for at most so many `seconds`, and longer where the machine is busy.
pub(crate) fn wait_for<T>(seconds: u64, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds * PATIENCE);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain", seconds * PATIENCE);
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A snapshot with a phone, served on `listen` to loopback.
pub(crate) fn snapshot(listen: SocketAddr, upstreams: Vec<Upstream>) -> DnsSnapshot {
    let host = |name: &str, addresses: Vec<IpAddr>| Host { name: name.into(), addresses, views: None };
    let hosts = vec![
        host("", vec![[10, 77, 0, 1].into()]),
        host("many", (1..=150).map(|n| [10, 77, 1, n].into()).collect()),
        host("phone", vec![[10, 77, 0, 2].into(), "fd77::2".parse().unwrap()]),
    ];
    DnsSnapshot {
        version: VERSION,
        generation: 1,
        listen: vec![listen],
        clients: vec!["127.0.0.0/8".parse().unwrap()],
        zones: vec![Zone { name: "home.cell".into(), ttl: 60, hosts, records: Vec::new() }],
        reverse: vec!["77.10.in-addr.arpa".into()],
        upstreams,
        ..DnsSnapshot::empty()
    }
}

/// A running `pic-dns`, killed when dropped.
pub(crate) struct Service {
    child: Child,
    dir: tempfile::TempDir,
    pub(crate) at: SocketAddr,
}

impl Service {
    /// Starts it with `snapshot` and waits until it listens.
    pub(crate) fn start(snapshot: &DnsSnapshot, env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), &serde_json::to_vec(snapshot).unwrap());
        let service = Self::spawn(dir, snapshot.listen[0], env);
        service.wait();
        service
    }

    /// Starts it in a folder with or without a snapshot, which will make it listen at `at`.
    pub(crate) fn spawn(dir: tempfile::TempDir, at: SocketAddr, env: &[(&str, &str)]) -> Self {
        // Not a variable of the service: where a test wants its lists to outlive it.
        let lists = env.iter().find(|(name, _)| *name == "PIC_TEST_LISTS");
        let child = Command::new(env!("CARGO_BIN_EXE_pic-dns"))
            .arg("--snapshot")
            .arg(dir.path().join("zone.json"))
            .arg("--status")
            .arg(dir.path().join("status.json"))
            .arg("--control")
            .arg(dir.path().join("control"))
            .arg("--certificate")
            .arg(dir.path().join("tls.pem"))
            .arg("--metrics")
            .arg(dir.path().join("metrics"))
            .arg("--lists")
            .arg(lists.map_or_else(|| dir.path().to_owned(), |(_, folder)| folder.into()))
            .envs(env.iter().copied())
            .spawn()
            .unwrap();
        Self { child, dir, at }
    }

    /// Waits until it listens.
    pub(crate) fn wait(&self) {
        wait_for(10, || TcpStream::connect(self.at).ok());
    }

    /// Replaces the snapshot as the agent does.
    pub(crate) fn put(&self, snapshot: &DnsSnapshot) {
        put(self.dir.path(), &serde_json::to_vec(snapshot).unwrap());
    }

    /// Puts any bytes where the snapshot belongs.
    pub(crate) fn put_bytes(&self, bytes: &[u8]) {
        put(self.dir.path(), bytes);
    }

    pub(crate) fn status(&self) -> Option<DnsStatus> {
        serde_json::from_slice(&std::fs::read(self.dir.path().join("status.json")).ok()?).ok()
    }

    /// What the control socket answers.
    pub(crate) fn control(&self, request: &DnsRequest) -> serde_json::Value {
        let mut stream = wait_for(5, || UnixStream::connect(self.dir.path().join("control")).ok());
        stream.write_all(&serde_json::to_vec(request).unwrap()).unwrap();
        stream.write_all(b"\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Where it tells numbers to programs.
    pub(crate) fn metrics(&self) -> std::path::PathBuf {
        self.dir.path().join("metrics")
    }

    /// Output of dig at the first address.
    pub(crate) fn dig(&self, args: &[&str]) -> String {
        dig(self.at, args)
    }

    /// Ends it as systemd does; whether it went cleanly.
    pub(crate) fn terminate(mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        wait_for(5, || self.child.try_wait().unwrap()).success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What dnsperf says of `questions`, one in a line, asked by so many clients that are in no hurry, for some seconds.
pub(crate) fn dnsperf(at: SocketAddr, questions: &str, words: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("questions");
    write(&file, questions);
    let mut command = Command::new("dnsperf");
    command.args(["-s", &at.ip().to_string(), "-p", &at.port().to_string(), "-t", "20", "-d"]).arg(file);
    let output = command.args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// Output of dig.
pub(crate) fn dig(at: SocketAddr, args: &[&str]) -> String {
    let mut command = Command::new("dig");
    command
        .arg(format!("@{}", at.ip()))
        .args(["-p", &at.port().to_string(), "+tries=1", "+time=20"])
        .args(args);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn put(dir: &std::path::Path, bytes: &[u8]) {
    write(&dir.join("zone.json"), bytes);
}

/// Puts a whole file in the place of another.
pub(crate) fn write(path: &std::path::Path, bytes: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    File::create(&new).unwrap().write_all(bytes.as_ref()).unwrap();
    std::fs::rename(new, path).unwrap();
}
