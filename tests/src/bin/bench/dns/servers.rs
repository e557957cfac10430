//! The servers, each on the loopback of a namespace of its own: with the same zone, or asking another for the same names.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use pic_lab::{Child, Namespace, Scratch, files, wait};

use super::NAMES;
use super::texts::{self, BLOCKED, INSIDE, OUTSIDE, UPSTREAM, Views};
use crate::measure::find_child;

/// Where every server listens.
pub(super) const ADDRESS: &str = "127.0.0.1";
const PORT: u16 = 53;
const SERVER_CPU: &str = "1";

/// A running server; it ends before its namespace.
pub(super) struct Server {
    _child: Child,
    /// Of the program itself.
    pub(super) pid: u32,
    /// Whom it asks, where it asks somebody.
    _upstream: Option<Child>,
    pub(super) namespace: Namespace,
    pub(super) scratch: Scratch,
}

impl Server {
    /// Starts a server; with an upstream it has no names of its own.
    fn start(scratch: Scratch, words: &[String], asks: bool) -> Result<Self> {
        let namespace = Namespace::new("bench")?;
        namespace.ip("link set lo up")?;
        let mut upstream = None;
        if asks {
            let file = scratch.join("upstream.json");
            files::write(&file, texts::zone(NAMES, 1, OUTSIDE, UPSTREAM, Views::Off, 0))?;
            upstream = Some(spawn(&namespace, &scratch, &pic_words(&file))?);
        }
        let child = spawn(&namespace, &scratch, words)?;
        let program = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
        let find = || Ok(find_child(&child, program).ok());
        let pid = wait::value(Duration::from_secs(20), program, find)?;
        let server = Self { _child: child, pid, _upstream: upstream, namespace, scratch };
        let name = format!("n0.{}", if asks { OUTSIDE } else { INSIDE });
        let answers =
            || server.answers(&name).is_ok_and(|answer| answer.get(2).is_some_and(|b| b & 0x80 != 0));
        wait::until(Duration::from_secs(20), "the server's first answer", answers)
            .with_context(|| files::tail(&server.scratch.join("log"), 10))?;
        Ok(server)
    }

    /// The whole answer to a question for the address of a name.
    pub(super) fn answers(&self, name: &str) -> Result<Vec<u8>> {
        let to = (Ipv4Addr::LOCALHOST, PORT).into();
        self.namespace.ask_udp(to, &texts::question(name), Duration::from_millis(500))
    }
}

fn spawn(namespace: &Namespace, scratch: &Scratch, words: &[String]) -> Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(scratch.join("log"))?;
    let mut command: Command = namespace.command("taskset");
    command.args(["-c", SERVER_CPU]).args(words).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Child::spawn(command)
}

fn pic_words(file: &Path) -> [String; 3] {
    let program = pic_lab::cell::programs().join("pic-dns");
    [program.display().to_string(), "--snapshot".to_owned(), file.display().to_string()]
}

/// pic-dns with a zone, and a log of so many questions.
pub(super) fn pic(names: usize, views: Views, logged: u32) -> Result<Server> {
    let scratch = Scratch::new("dns")?;
    let file = scratch.join("zone.json");
    files::write(&file, texts::zone(names, 1, INSIDE, ADDRESS, views, logged))?;
    Server::start(scratch, &pic_words(&file), false)
}

/// pic-dns with a zone, and names of so many leases beside it.
pub(super) fn pic_leases(names: usize, leases: usize) -> Result<Server> {
    let scratch = Scratch::new("dns")?;
    let (file, beside) = (scratch.join("zone.json"), scratch.join("names.json"));
    files::write(&file, texts::zone(names, 1, INSIDE, ADDRESS, Views::Off, 0))?;
    files::write(&beside, texts::leases(leases))?;
    let mut words = pic_words(&file).to_vec();
    words.extend(["--leases".to_owned(), beside.display().to_string()]);
    Server::start(scratch, &words, false)
}

/// pic-dns with a zone, and a certificate for clients by TLS.
pub(super) fn pic_tls(names: usize, pair: &Pair) -> Result<Server> {
    let scratch = Scratch::new("dns")?;
    let both = scratch.join("tls.pem");
    files::write(&both, files::read(&pair.certificate)? + &files::read(&pair.key)?)?;
    let file = scratch.join("zone.json");
    files::write(&file, texts::by_tls(texts::zone(names, 1, INSIDE, ADDRESS, Views::Off, 0), ADDRESS))?;
    let mut words = pic_words(&file).to_vec();
    words.extend(["--certificate".to_owned(), both.display().to_string()]);
    Server::start(scratch, &words, false)
}

/// A certificate of the kind that most have today, and its key.
pub(super) struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    _scratch: Scratch,
}

impl Pair {
    pub(super) fn new() -> Result<Self> {
        let scratch = Scratch::new("pair")?;
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| scratch.join(name));
        let mut command = Command::new("openssl");
        command.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30".split(' '));
        command.args(["-subj", "/CN=bench.cell", "-out"]).arg(&certificate).arg("-keyout").arg(&key);
        pic_lab::cmd::run(&mut command)?.ok()?;
        Ok(Self { certificate, key, _scratch: scratch })
    }
}

/// pic-dns that asks for the names, with or without a list of so many other names.
pub(super) fn pic_asking(listed: usize) -> Result<Server> {
    let scratch = Scratch::new("dns")?;
    let list = scratch.join("list");
    files::write(&list, texts::blocklist(listed))?;
    let file = scratch.join("zone.json");
    files::write(&file, texts::asking(&list, listed > 0))?;
    let server = Server::start(scratch, &pic_words(&file), true)?;
    if listed > 0 {
        let code = |answer: Vec<u8>| answer.get(3).map(|b| b & 15);
        let is_blocked =
            || server.answers(&format!("n1.{BLOCKED}")).is_ok_and(|answer| code(answer) == Some(3));
        wait::until(Duration::from_secs(20), "the list", is_blocked)?;
    }
    Ok(server)
}

/// unbound with the same names as local data, or asking for them.
pub(super) fn unbound(asks: bool) -> Result<Server> {
    let scratch = Scratch::new("dns")?;
    let file = scratch.join("unbound.conf");
    files::write(&file, texts::unbound(asks, None))?;
    let words = ["unbound".to_owned(), "-d".to_owned(), "-c".to_owned(), file.display().to_string()];
    Server::start(scratch, &words, asks)
}

/// unbound with the same names, and a certificate for clients by TLS.
pub(super) fn unbound_tls(pair: &Pair) -> Result<Server> {
    let scratch = Scratch::new("dns")?;
    let file = scratch.join("unbound.conf");
    files::write(&file, texts::unbound(false, Some([&pair.certificate, &pair.key])))?;
    let words = ["unbound".to_owned(), "-d".to_owned(), "-c".to_owned(), file.display().to_string()];
    Server::start(scratch, &words, false)
}

/// dnsmasq with the same names as hosts, or asking for them.
pub(super) fn dnsmasq(asks: bool) -> Result<Server> {
    let scratch = Scratch::new("dns")?;
    let hosts = scratch.join("hosts");
    files::write(&hosts, texts::hosts())?;
    let common = "dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
                  --bind-interfaces --cache-size=5000";
    let mut words: Vec<String> = common.split_whitespace().map(str::to_owned).collect();
    words.push(format!("--listen-address={ADDRESS}"));
    if asks {
        words.push(format!("--server={UPSTREAM}"));
    } else {
        words.extend([format!("--addn-hosts={}", hosts.display()), format!("--local=/{INSIDE}/")]);
    }
    Server::start(scratch, &words, asks)
}

/// Sends every datagram back with the bit set that makes it an answer.
pub(super) fn echo() -> Result<Server> {
    let own = std::env::current_exe()?;
    Server::start(Scratch::new("dns")?, &[own.display().to_string(), "echo".into()], false)
}

/// The echo itself, in a process of its own.
pub(crate) fn serve_echo() -> Result<()> {
    let socket = UdpSocket::bind((ADDRESS, PORT))?;
    let mut buffer = [0; 2_048];
    loop {
        let (length, client) = socket.recv_from(&mut buffer)?;
        buffer[2] |= 0x80;
        // A client that went away is no error of ours.
        let _ = socket.send_to(&buffer[..length], client);
    }
}
