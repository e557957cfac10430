//! Clients by TLS and by HTTPS: kdig, openssl and curl are answered as by UDP, and nobody else for long.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kit::{Service, fresh_address, snapshot, wait_for};
use pic_model::snapshot::dns::{DnsLog, DnsRequest, DnsSnapshot, TlsListen, Upstream, View};

/// A question for the address of the phone, id 7.
const QUESTION: &[u8] =
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05phone\x04home\x04cell\x00\x00\x01\x00\x01";
const TYPE: &str = "content-type: application/dns-message";

/// A service with DNS over TLS and HTTPS, and the file with its certificate.
struct Encrypted {
    service: Service,
    tls: SocketAddr,
    https: SocketAddr,
    authority: PathBuf,
}

fn port(address: SocketAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.ip(), port)
}

/// Certificate and key of `name`, and the certificate alone.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem() + &made.signing_key.serialize_pem(), made.cert.pem())
}

fn wanted(upstreams: Vec<Upstream>) -> DnsSnapshot {
    let at = fresh_address();
    let mut snapshot = snapshot(at, upstreams);
    snapshot.tls = Some(TlsListen { dns: vec![port(at, 8853)], https: vec![port(at, 8443)] });
    snapshot.query_log = 100;
    snapshot
}

impl Encrypted {
    fn start(snapshot: &DnsSnapshot) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (pair, authority) = certificate("dns.example");
        kit::write(&dir.path().join("tls.pem"), pair);
        let file = dir.path().join("ca.pem");
        kit::write(&file, authority);
        kit::write(&dir.path().join("zone.json"), serde_json::to_vec(snapshot).unwrap());
        let at = snapshot.listen[0];
        let service = Service::spawn(dir, at, &[]);
        let this = Self { service, tls: port(at, 8853), https: port(at, 8443), authority: file };
        wait_for(10, || TcpStream::connect(this.https).ok().and(TcpStream::connect(this.tls).ok()));
        this
    }

    /// What kdig says, by TLS or HTTPS, its certificate checked.
    fn kdig(&self, at: SocketAddr, words: &[&str]) -> String {
        let mut command = Command::new("kdig");
        command.args([&format!("@{}", at.ip()), "-p", &at.port().to_string(), "+time=20", "+retry=0"]);
        command.arg(format!("+tls-ca={}", self.authority.display())).arg("+tls-hostname=dns.example");
        let output = command.args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    /// Status code, headers and body of an answer to curl.
    fn curl(&self, words: &[&str], target: &str) -> (String, Vec<u8>) {
        let mut command = Command::new("curl");
        let (host, port) = (self.https.ip(), self.https.port());
        command.args(["--silent", "--include", "--max-time", "20", "--cacert"]).arg(&self.authority);
        command.arg("--connect-to").arg(format!("dns.example:{port}:{host}:{port}"));
        let output = command.args(words).arg(format!("https://dns.example:{port}{target}")).output().unwrap();
        let text = output.stdout;
        let at = text.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(text.len());
        let (head, body) = text.split_at(at);
        (String::from_utf8_lossy(head).to_ascii_lowercase(), body.get(4..).unwrap_or_default().to_vec())
    }
}

/// A connection of openssl's own client, without the words around it.
fn s_client(at: SocketAddr, words: &[&str]) -> Child {
    Command::new("openssl")
        .args(["s_client", "-connect", &at.to_string(), "-quiet", "-servername", "dns.example"])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The certificate that a new connection is shown.
fn shown(at: SocketAddr) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &at.to_string(), "-showcerts"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let from = text.find(begin).map(|at| &text[at..]).unwrap_or_default();
    from.find(end).map(|at| from[..at + end.len()].to_owned()).unwrap_or_default()
}

#[test]
fn kdig_is_answered_by_its_view() {
    let outside = {
        let mut outside = snapshot(fresh_address(), vec![]);
        outside.zones[0].name = "example".into();
        Service::start(&outside, &[])
    };
    let mut wanted = wanted(vec![Upstream::Plain { address: outside.at }]);
    wanted.private = vec!["example".into()];
    let view = |name: &str, net: &str, cell| View {
        name: name.into(),
        clients: vec![net.parse().unwrap()],
        cell,
        internet: true,
        private: false,
        blocklists: vec![],
        exit: None,
        egress: vec![],
    };
    wanted.views = vec![view("all", "127.0.0.0/8", true), view("guests", "127.0.9.0/24", false)];
    let cell = Encrypted::start(&wanted);
    for (at, way) in [(cell.tls, "+tls"), (cell.https, "+https"), (cell.https, "+https-get")] {
        assert_eq!(cell.kdig(at, &[way, "+short", "phone.home.cell"]), "10.77.0.2\n", "{way}");
        assert_eq!(cell.kdig(at, &[way, "+short", "phone.example"]), "10.77.0.2\n", "{way}");
        let many = cell.kdig(at, &[way, "many.home.cell"]);
        assert!(many.contains("ANSWER: 150") && !many.contains(" tc"), "whole: {many}");
        let guest = cell.kdig(at, &[way, "-b", "127.0.9.7", "phone.home.cell"]);
        assert!(guest.contains("NXDOMAIN"), "{way}: {guest}");
        let padded = cell.kdig(at, &[way, "+padding", "phone.home.cell"]);
        assert!(padded.contains("Received 468 B"), "{way}: {padded}");
        assert!(!cell.kdig(at, &[way, "+nopadding", "phone.home.cell"]).contains("Received 468 B"));
    }
    let log = cell.service.control(&DnsRequest::Log { clients: vec![], after: None, limit: 99 });
    let log: DnsLog = serde_json::from_value(log).unwrap();
    let count = |way: &str| log.entries.iter().filter(|entry| entry.transport == way).count();
    assert_eq!((count("tls"), count("https")), (6, 12));
    // Strangers are told no more than by TCP.
    let mut picky = wanted.clone();
    picky.clients = vec!["10.77.0.0/16".parse().unwrap()];
    picky.generation = 2;
    cell.service.put(&picky);
    wait_for(5, || cell.service.status().filter(|status| status.generation == 2));
    for (at, way) in [(cell.tls, "+tls"), (cell.https, "+https")] {
        assert!(cell.kdig(at, &[way, "phone.home.cell"]).contains("REFUSED"), "{way}");
    }
}

#[test]
fn dnsperf_by_tls_loses_nothing() {
    let cell = Encrypted::start(&wanted(vec![]));
    let questions = "phone.home.cell A\nphone.home.cell AAAA\nnobody.home.cell A\n";
    let told =
        kit::dnsperf(cell.tls, questions, &["-m", "dot", "-c", "5", "-q", "50", "-Q", "500", "-l", "2"]);
    assert!(told.contains("Queries lost:         0 "), "{told}");
    assert!(told.contains("NOERROR") && told.contains("NXDOMAIN") && !told.contains("SERVFAIL"), "{told}");
}

#[test]
fn https_is_spoken_in_both_versions() {
    let cell = Encrypted::start(&wanted(vec![]));
    let (question, huge) = (cell.authority.with_file_name("q"), cell.authority.with_file_name("huge"));
    kit::write(&question, QUESTION);
    kit::write(&huge, vec![0; 20_000]);
    let file = |path: &Path| format!("@{}", path.display());
    let get = "/dns-query?dns=AAcBAAABAAAAAAAABXBob25lBGhvbWUEY2VsbAAAAQAB";
    for (version, told) in [("--http1.1", "http/1.1 "), ("--http2", "http/2 ")] {
        let post = |kind: &str, body: &Path| {
            cell.curl(&[version, "-H", kind, "--data-binary", &file(body)], "/dns-query")
        };
        for (head, body) in [post(TYPE, &question), cell.curl(&[version], get)] {
            assert!(head.starts_with(&format!("{told}200")), "{version}: {head}");
            assert!(head.contains("\ncontent-type: application/dns-message"), "{head}");
            assert!(head.contains("\ncache-control: max-age=60"), "{head}");
            assert!(body.starts_with(&[0, 7]) && body.ends_with(&[10, 77, 0, 2]), "{body:?}");
        }
        let code =
            |(head, _): (String, Vec<u8>)| head.split(' ').nth(1).unwrap_or_default().trim().to_owned();
        assert_eq!(code(post("content-type: text/plain", &question)), "415");
        assert_eq!(code(post(TYPE, &huge)), "413");
        assert_eq!(code(cell.curl(&[version], "/other")), "404");
        assert_eq!(code(cell.curl(&[version], "/dns-query")), "400");
        assert_eq!(code(cell.curl(&[version], "/dns-query?dns=!")), "400");
        assert_eq!(code(cell.curl(&[version, "-X", "DELETE"], "/dns-query")), "405");
        // An answer where a question should be.
        assert_eq!(code(cell.curl(&[version], "/dns-query?dns=AAeBAAABAAAAAAAA")), "400");
    }
}

#[test]
fn many_questions_on_one_connection_and_none_for_long() {
    let cell = Encrypted::start(&wanted(vec![]));
    let mut client = s_client(cell.tls, &["-alpn", "dot"]);
    let framed = [&u16::try_from(QUESTION.len()).unwrap().to_be_bytes()[..], QUESTION].concat();
    client.stdin.as_mut().unwrap().write_all(&framed.repeat(300)).unwrap();
    let length = QUESTION.len() + 16 + 2;
    let mut answers = vec![0; 300 * length];
    let mut stdout = client.stdout.take().unwrap();
    stdout.read_exact(&mut answers).unwrap();
    assert!(answers.chunks(length).all(|answer| answer.ends_with(&[10, 77, 0, 2])));
    let idle = Instant::now();
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0, "closed when idle");
    assert!(idle.elapsed() > Duration::from_secs(8));
    let _ = client.kill();
    let _ = client.wait();

    // Whoever connects and says nothing takes no more than his own places, and not for long.
    let mut held: Vec<TcpStream> = (0..32).map(|_| TcpStream::connect(cell.tls).unwrap()).collect();
    let mut one_more = TcpStream::connect(cell.tls).unwrap();
    one_more.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    assert_eq!(one_more.read(&mut [0]).unwrap_or(0), 0, "no place for it");
    let other = cell.kdig(cell.tls, &["+tls", "+short", "-b", "127.0.8.1", "phone.home.cell"]);
    assert_eq!(other, "10.77.0.2\n", "others have theirs");
    held[0].set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(held[0].read(&mut [0]).unwrap_or(0), 0, "no handshake, no place");
    wait_for(10, || {
        cell.kdig(cell.tls, &["+tls", "+short", "home.cell"]).contains("10.77.0.1").then_some(())
    });
}

#[test]
fn a_new_certificate_counts_at_once_and_a_bad_one_never() {
    let mut wanted = wanted(vec![]);
    let cell = Encrypted::start(&wanted);
    let file = cell.authority.with_file_name("tls.pem");
    let first = std::fs::read_to_string(&cell.authority).unwrap();
    let is_shown = |wanted: &str| {
        let clean = |text: &str| text.split_whitespace().collect::<String>();
        clean(&shown(cell.tls)) == clean(wanted) && clean(&shown(cell.https)) == clean(wanted)
    };
    assert!(is_shown(&first));
    let mut open = s_client(cell.tls, &[]);
    let framed = [&u16::try_from(QUESTION.len()).unwrap().to_be_bytes()[..], QUESTION].concat();
    let (second, second_alone) = certificate("dns.example");
    kit::write(&file, &second);
    wait_for(10, || is_shown(&second_alone).then_some(()));
    open.stdin.as_mut().unwrap().write_all(&framed).unwrap();
    let mut answer = vec![0; QUESTION.len() + 18];
    open.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
    assert!(answer.ends_with(&[10, 77, 0, 2]), "an open connection stays");
    let _ = open.kill();
    let _ = open.wait();

    // The key of another certificate, half a file, nothing: what was there stays, and the trouble is told.
    let (third, _) = certificate("dns.example");
    let mixed = second_alone.clone() + &third[third.find("-----BEGIN PRIVATE").unwrap()..];
    for bad in [mixed.as_str(), &second[..second.len() / 2], &second_alone, ""] {
        kit::write(&file, bad);
        let told = wait_for(10, || cell.service.status()?.tls.filter(|tls| tls.ready && tls.error.is_some()));
        assert!(told.expires.is_some(), "the end of the one in use");
        assert!(is_shown(&second_alone), "{bad}");
        kit::write(&file, &second);
        wait_for(10, || cell.service.status()?.tls.filter(|tls| tls.error.is_none()));
    }

    wanted.tls = None;
    wanted.generation = 2;
    cell.service.put(&wanted);
    wait_for(5, || TcpStream::connect(cell.tls).is_err().then_some(()));
    wait_for(5, || TcpStream::connect(cell.https).is_err().then_some(()));
    assert_eq!(cell.service.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n");
}

#[test]
fn without_a_certificate_nobody_is_led_on() {
    let wanted = wanted(vec![]);
    let service = Service::start(&wanted, &[]);
    let at = wanted.tls.as_ref().unwrap().dns[0];
    let status = wait_for(5, || service.status()?.tls);
    assert!(!status.ready && status.error.is_some());
    assert!(TcpStream::connect(at).is_err(), "clients that try TLS first go on to UDP");
    assert_eq!(service.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n");
    kit::write(&service.metrics().with_file_name("tls.pem"), certificate("dns.example").0);
    wait_for(10, || TcpStream::connect(at).ok());
    assert!(wait_for(5, || service.status()?.tls.filter(|tls| tls.ready)).error.is_none());
}
