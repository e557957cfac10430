//! Two devices in two network namespaces, configured by `wg`. Needs root, `ip`, `wg` and `ping`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A namespace with a device; both end when dropped.
struct Host {
    netns: String,
    interface: String,
    child: Child,
    dir: tempfile::TempDir,
}

impl Host {
    /// `n` tells the hosts of one test process apart.
    fn new(n: u8) -> Self {
        Self::start(n, &[])
    }

    /// One whose clocks run sixty times as fast.
    fn hurried(n: u8) -> Self {
        let library = output("dpkg", &["--listfiles", "libfaketime"]);
        let library = library.lines().find(|line| line.ends_with("/libfaketimeMT.so.1")).unwrap();
        Self::start(n, &["env", &format!("LD_PRELOAD={library}"), "FAKETIME=+0 x60"])
    }

    fn start(n: u8, before: &[&str]) -> Self {
        let interface = format!("pw{n}t{}", std::process::id());
        let netns = interface.clone();
        output("ip", &["netns", "add", &netns]);
        std::fs::create_dir_all("/run/wireguard").unwrap();
        let program = env!("CARGO_BIN_EXE_pic-wg");
        let netns_exec = ["netns", "exec", &netns];
        let arguments = [&netns_exec[..], before, &[program, "--interface", &interface]].concat();
        let dir = tempfile::tempdir().unwrap();
        let said = std::fs::File::create(dir.path().join("said")).unwrap();
        let child = Command::new("ip").args(arguments).stderr(said).spawn().unwrap();
        let host = Self { netns, interface, child, dir };
        let deadline = Instant::now() + Duration::from_secs(5);
        while !host.socket().exists() {
            assert!(Instant::now() < deadline, "no socket");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        host
    }

    fn socket(&self) -> std::path::PathBuf {
        format!("/run/wireguard/{}.sock", self.interface).into()
    }

    fn run(&self, program: &str, args: &[&str]) -> String {
        output("ip", &[&["netns", "exec", &self.netns, program], args].concat())
    }

    fn configure(&self, verb: &str, text: &str) {
        let path = self.dir.path().join("conf");
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        self.run("wg", &[verb, &self.interface, path.to_str().unwrap()]);
    }

    /// Sends one request in the text protocol; the answer.
    fn ask(&self, text: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Processor time of all threads of the device so far.
    fn busy(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds = tasks.map(|task| {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Ends it as systemd does: whether it ended well, and all that it said.
    fn stop(&mut self) -> (bool, String) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        let ended = self.child.wait().unwrap().success();
        (ended, std::fs::read_to_string(self.dir.path().join("said")).unwrap())
    }

    fn up(&self, n: u8) {
        self.run("ip", &["address", "add", &format!("10.9.0.{n}/24"), "dev", &self.interface]);
        self.run("ip", &["address", "add", &format!("fd09::{n}/64"), "dev", &self.interface, "nodad"]);
        self.run("ip", &["link", "set", &self.interface, "mtu", "1420", "up"]);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.socket());
        let _ = Command::new("ip").args(["netns", "delete", &self.netns]).status();
    }
}

fn public(private: &str) -> String {
    let mut wg =
        Command::new("wg").arg("pubkey").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wg.stdin.take().unwrap().write_all(private.as_bytes()).unwrap();
    String::from_utf8(wg.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

/// A cable between two hosts, with addresses 192.0.2.1 and 192.0.2.2.
fn connect(a: &Host, b: &Host) {
    let (end_a, end_b) = (format!("{}v", a.interface), format!("{}v", b.interface));
    let (ns_a, ns_b) = (a.netns.as_str(), b.netns.as_str());
    let pair = ["link", "add", &end_a, "netns", ns_a, "type", "veth", "peer", "name", &end_b, "netns", ns_b];
    output("ip", &pair);
    for (host, end, ip) in [(&a, &end_a, "192.0.2.1/24"), (&b, &end_b, "192.0.2.2/24")] {
        host.run("ip", &["address", "add", ip, "dev", end]);
        host.run("ip", &["link", "set", end, "up"]);
    }
}

#[test]
fn a_peer_that_comes_late_is_let_in_at_once() {
    let (a, b) = (Host::hurried(8), Host::new(9));
    connect(&a, &b);
    let (key_a, key_b) = (output("wg", &["genkey"]), output("wg", &["genkey"]));
    let peer_b = format!("[Peer]\nPublicKey={}\nAllowedIPs=10.9.0.2/32\n", public(&key_b));
    a.configure("setconf", &format!("[Interface]\nPrivateKey={key_a}\nListenPort=51820\n{peer_b}"));
    a.up(1);
    b.up(2);
    // Four minutes for a; a session lives three.
    let late = Instant::now() + Duration::from_secs(4);
    while Instant::now() < late {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let peer_a = format!("[Peer]\nPublicKey={}\nAllowedIPs=10.9.0.1/32\n", public(&key_a));
    b.configure("setconf", &format!("[Interface]\nPrivateKey={key_b}\n{peer_a}Endpoint=192.0.2.1:51820\n"));
    b.run("ping", &["-c", "3", "-i", "0.2", "-W", "1", "10.9.0.1"]);
}

#[test]
fn two_devices_talk_and_keep_their_session() {
    let (a, b) = (Host::new(1), Host::new(2));
    connect(&a, &b);
    let (key_a, key_b) = (output("wg", &["genkey"]), output("wg", &["genkey"]));
    let peer_b = format!("[Peer]\nPublicKey={}\nAllowedIPs=10.9.0.2/32,fd09::2/128\n", public(&key_b));
    let interface = format!("[Interface]\nPrivateKey={key_a}\nListenPort=51820\n");
    a.configure("setconf", &format!("{interface}{peer_b}"));
    let peer_a = format!("[Peer]\nPublicKey={}\nAllowedIPs=10.9.0.1/32,fd09::1/128\n", public(&key_a));
    b.configure("setconf", &format!("[Interface]\nPrivateKey={key_b}\n{peer_a}Endpoint=192.0.2.1:51820\n"));
    a.up(1);
    b.up(2);
    b.run("ping", &["-c", "2", "-i", "0.2", "-W", "2", "10.9.0.1"]);
    b.run("ping", &["-6", "-c", "2", "-i", "0.2", "-W", "2", "fd09::1"]);

    // Said again with more: the session and the endpoint a learnt stay, or its pings would have nowhere to go.
    a.configure("syncconf", &format!("{interface}{peer_b}\nPersistentKeepalive=25\n"));
    let dump = a.run("wg", &["show", &a.interface, "dump"]);
    let peer: Vec<&str> = dump.lines().nth(1).unwrap().split('\t').collect();
    assert_ne!((peer[4], peer[7]), ("0", "off"), "handshake time and keepalive: {dump}");
    a.run("ping", &["-c", "1", "-W", "1", "10.9.0.2"]);
}

#[test]
fn an_ordinary_stop_is_quiet() {
    let (mut a, mut b) = (Host::new(5), Host::new(6));
    connect(&a, &b);
    let (key_a, key_b) = (output("wg", &["genkey"]), output("wg", &["genkey"]));
    let peer_b = format!("[Peer]\nPublicKey={}\nAllowedIPs=10.9.0.2/32\n", public(&key_b));
    a.configure("setconf", &format!("[Interface]\nPrivateKey={key_a}\nListenPort=51820\n{peer_b}"));
    let peer_a = format!("[Peer]\nPublicKey={}\nAllowedIPs=10.9.0.1/32\n", public(&key_a));
    b.configure("setconf", &format!("[Interface]\nPrivateKey={key_b}\n{peer_a}Endpoint=192.0.2.1:51820\n"));
    a.up(1);
    b.up(2);
    b.run("ping", &["-c", "2", "-i", "0.2", "-W", "2", "10.9.0.1"]);
    let flood = ["netns", "exec", &b.netns, "ping", "-q", "-f", "-w", "20", "10.9.0.1"];
    let mut flood = Command::new("ip").args(flood).stdout(Stdio::null()).spawn().unwrap();
    for host in [&mut a, &mut b] {
        let (ended, said) = host.stop();
        let is_quiet = !["ERROR", "WARN"].iter().any(|level| said.contains(level));
        assert!(ended && said.contains("is up") && is_quiet, "{said}");
    }
    flood.kill().unwrap();
    flood.wait().unwrap();
}

#[test]
fn peers_before_the_key_are_refused_and_harmless() {
    let host = Host::new(3);
    let peer = public(&output("wg", &["genkey"]));
    let early = Command::new("ip")
        .args(["netns", "exec", &host.netns, "wg", "set", &host.interface, "peer", &peer])
        .output()
        .unwrap();
    assert!(!early.status.success());
    host.configure(
        "setconf",
        &format!("[Interface]\nPrivateKey={}\n[Peer]\nPublicKey={peer}\n", public(&peer)),
    );
    assert_eq!(host.run("wg", &["show", &host.interface, "peers"]), peer);
}

/// Peer `n` in the text protocol.
fn uapi_peer(n: u32) -> String {
    let ip = std::net::Ipv4Addr::from(0x0a4d_0002 + n);
    format!(
        "public_key={n:08x}{}\nreplace_allowed_ips=true\nallowed_ip={ip}/32\nallowed_ip=fd77::{n:x}/128\n",
        "5".repeat(56)
    )
}

const DONE: &str = "errno=0\n\n";

/// Processor time of one more peer and of its removal, with `peers` others present.
fn one_more(host: &Host, peers: u32) -> Duration {
    let mut text = format!("set=1\nprivate_key={}\nreplace_peers=true\n", "77".repeat(32));
    (0..peers).for_each(|n| write!(text, "{}", uapi_peer(n)).unwrap());
    assert_eq!(host.ask(&format!("{text}\n")), DONE);
    let before = host.busy();
    for n in peers..peers + 20 {
        assert_eq!(host.ask(&format!("set=1\n{}\n", uapi_peer(n))), DONE);
    }
    (host.busy() - before) / 20
}

#[test]
fn one_more_peer_costs_the_same_among_ten_thousand() {
    let host = Host::new(4);
    let (few, many) = (one_more(&host, 10), one_more(&host, 10_000));
    // The device would need 50 ms to look at them all.
    assert!(many < 3 * few + Duration::from_millis(2), "{few:?} with 10 peers, {many:?} with 10,000");
    assert_eq!(host.run("wg", &["show", &host.interface, "peers"]).lines().count(), 10_020);

    // What it remembers is what the device has: the owner of a network loses it, a removed peer comes back as new.
    let (thief, owner) = (uapi_peer(0).replace("fd77::0/", "fd77::1/"), uapi_peer(1));
    assert_eq!(host.ask(&format!("set=1\n{thief}\n")), DONE);
    let get = host.ask("get=1\n\n");
    assert_eq!(get.matches("allowed_ip=fd77::1/128").count(), 1);
    assert!(!get.contains("allowed_ip=fd77::/128"));
    assert_eq!(host.ask(&format!("set=1\n{}\nremove=true\n\n", owner.lines().next().unwrap())), DONE);
    assert_eq!(host.ask(&format!("set=1\n{owner}\n")), DONE);
    let get = host.ask("get=1\n\n");
    let at = get.find(owner.lines().next().unwrap()).unwrap();
    let peer = get[at..].split("\npublic_key=").next().unwrap();
    assert!(peer.contains("allowed_ip=fd77::1/128") && peer.contains("allowed_ip=10.77.0.3/32"), "{peer}");
    assert_eq!(get.matches("allowed_ip=fd77::1/128").count(), 1);
}
