//! Blocklists fetched from a real HTTPS server, Python's, with a certificate of an authority of our own.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kit::{Service, fresh_address, snapshot, wait_for};
use pic_model::snapshot::dns::{
    Blocklist, DnsBlocklistStatus, DnsRequest, DnsSnapshot, DnsStatus, Host, Upstream, View, Zone,
};

/// Serves its folder; writes each answer's path and status into `log`. Some paths lead elsewhere, `/endless` never ends.
const SERVER: &str = r##"
import http.server, ssl, sys
class H(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        to = {"/moved": "/hosts", "/away": "https://127.0.0.1/hosts", "/plain": "http://lists.example/hosts", "/round": "/round"}
        if self.path in to:
            self.send_response(302); self.send_header("Location", to[self.path]); self.end_headers()
        elif self.path == "/endless":
            self.send_response(200); self.end_headers()
            while True: self.wfile.write(b"#" * 1000 + b"\n")
        else: super().do_GET()
    def log_request(self, code="-", size="-"):
        open("log", "a").write(f"{self.path} {int(code)}\n")
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1], sys.argv[2])
s.socket = c.wrap_socket(s.socket, server_side=True)
print(s.server_address[1], flush=True)
s.serve_forever()
"##;

struct Web {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
    authorities: String,
}

impl Web {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["lists.example".to_owned()]).unwrap();
        std::fs::create_dir(dir.path().join("www")).unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        kit::write(&cert, made.cert.pem());
        kit::write(&key, made.signing_key.serialize_pem());
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .args([&cert, &key])
            .current_dir(dir.path().join("www"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let authorities = cert.to_str().unwrap().to_owned();
        Self { child, dir, port: port.trim().parse().unwrap(), authorities }
    }

    fn put(&self, name: &str, text: &str) {
        kit::write(&self.dir.path().join("www").join(name), text);
    }

    fn count(&self, line: &str) -> usize {
        let log = std::fs::read_to_string(self.dir.path().join("www/log")).unwrap_or_default();
        log.lines().filter(|one| *one == line).count()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that knows where `lists.example` is, and `ads.example`.
fn outside() -> Service {
    let mut world = snapshot(fresh_address(), vec![]);
    let zone = |name: &str, address: [u8; 4]| Zone {
        name: name.into(),
        ttl: 60,
        hosts: vec![Host { name: String::new(), addresses: vec![address.into()], views: None }],
        records: vec![],
    };
    world.zones = vec![zone("lists.example", [127, 0, 0, 1]), zone("ads.example", [192, 0, 2, 7])];
    world.reverse = vec![];
    Service::start(&world, &[])
}

fn home(outside: &Service, urls: &[String]) -> DnsSnapshot {
    let mut home = snapshot(fresh_address(), vec![Upstream::Plain { address: outside.at }]);
    home.private = vec!["lists.example".into()];
    let list =
        |(at, url): (usize, &String)| Blocklist { name: format!("l{at}"), source: url.clone(), when: None };
    home.blocklists = urls.iter().enumerate().map(list).collect();
    home.views = vec![View {
        name: "all".into(),
        clients: vec!["127.0.0.0/8".parse().unwrap()],
        cell: true,
        internet: true,
        private: false,
        blocklists: (0..).take(urls.len()).collect(),
        exit: None,
        egress: vec![],
    }];
    home
}

fn lists(service: &Service) -> Vec<DnsBlocklistStatus> {
    serde_json::from_value::<DnsStatus>(service.control(&DnsRequest::Status)).unwrap().blocklists
}

fn is_blocked(service: &Service) -> bool {
    service.dig(&["ads.example"]).contains("blocked by a list")
}

/// Makes the copies older than a day.
fn age(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "json") {
            let mut meta: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            meta["checked"] = (meta["checked"].as_i64().unwrap() - 90_000).into();
            kit::write(&path, meta.to_string());
        }
    }
}

#[test]
fn a_list_is_fetched_kept_and_renewed() {
    let (web, outside) = (Web::start(), outside());
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().to_str().unwrap().to_owned();
    let env = [("SSL_CERT_FILE", web.authorities.as_str()), ("PIC_TEST_LISTS", folder.as_str())];
    web.put("hosts", &(0..200).map(|n| format!("0.0.0.0 h{n}.example\n")).collect::<String>());
    let url = |path: &str| format!("https://lists.example:{}{path}", web.port);
    let start = || Service::start(&home(&outside, &[url("/moved")]), &env);

    let service = start();
    wait_for(20, || (lists(&service)[0].entries == 200).then_some(()));
    assert!(lists(&service)[0].fetched.is_some() && lists(&service)[0].error.is_none());
    drop(service);
    // A day has not passed: the copy is good without a question.
    let service = start();
    wait_for(20, || (lists(&service)[0].entries == 200).then_some(()));
    assert_eq!(web.count("/hosts 200"), 1);
    drop(service);
    // A day later it is as it was.
    age(kept.path());
    let service = start();
    wait_for(20, || (web.count("/hosts 304") == 1).then_some(()));
    drop(service);
    // Then it is a page, then next to nothing, and then something new.
    for (text, told) in [("<html>gone</html>", "web page"), ("ads.example\n", "only 1 names, and had 200")] {
        web.put("hosts", text);
        age(kept.path());
        let service = start();
        // Until the copy is read, nothing is known of the list.
        let error =
            wait_for(20, || lists(&service)[0].error.clone().filter(|e| !e.contains("not fetched yet")));
        assert!(error.contains(told), "{error}");
        assert_eq!(lists(&service)[0].entries, 200);
    }
    web.put(
        "hosts",
        &(0..100).map(|n| format!("g{n}.example\n")).chain(["ads.example\n".into()]).collect::<String>(),
    );
    age(kept.path());
    let service = start();
    wait_for(20, || is_blocked(&service).then_some(()));
    wait_for(5, || (lists(&service)[0].entries == 101).then_some(()));
    // Nothing is left of what was refused.
    let files: Vec<_> = std::fs::read_dir(kept.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[test]
fn what_is_no_list_is_told_and_questions_are_answered() {
    let (web, outside) = (Web::start(), outside());
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().to_str().unwrap().to_owned();
    let env = [("SSL_CERT_FILE", web.authorities.as_str()), ("PIC_TEST_LISTS", folder.as_str())];
    let url = |path: &str| format!("https://lists.example:{}{path}", web.port);
    let cases = [
        (url("/none"), "404"),
        (url("/away"), "bare address"),
        (url("/plain"), "does not begin with https://"),
        (url("/round"), "more than 5 redirects"),
        (format!("https://127.0.0.1:{}/hosts", web.port), "certificate"),
        ("https://nowhere.example/hosts".to_owned(), "has no address"),
        (url("/endless"), "larger than 64 MiB"),
    ];
    let urls: Vec<String> = cases.iter().map(|(url, _)| url.clone()).collect();
    let service = Service::start(&home(&outside, &urls), &env);
    let told = wait_for(60, || {
        assert!(service.dig(&["+short", "ads.example"]).contains("192.0.2.7"), "answered meanwhile");
        let lists = lists(&service);
        lists.iter().all(|list| list.error.as_ref().is_some_and(|e| e.starts_with("https"))).then_some(lists)
    });
    for ((url, words), list) in cases.iter().zip(told) {
        let error = list.error.unwrap();
        assert!(error.contains(words), "{url}: {error}");
    }
}
