//! An agent without a host: real engine, ledger and socket in a temporary folder, the kernel in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pic_agent::paths::Paths;
use pic_agent::{Api, BootClock, DurableDisk, Usage, serve};
use pic_engine::{Config, Engine, Handle, Observation, World, WorldError};
use pic_model::key::{PresharedSeed, PrivateKey, PublicKey};
use pic_plan::facts::{ExitFacts, UplinkFacts};
use pic_plan::plan::Domain;
use pic_plan::{Action, Facts, Observed, Targets, memory, words};
use serde_json::Value;

pub(crate) const CELL: &str = "# mine\n[cell]\nname = \"home\"\n";
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Host {
    observed: Observed,
    /// An action with these words in it fails.
    refuse: Option<String>,
    /// Actions wait while this is set.
    hold: bool,
    /// Folder of providers' files.
    exits: std::path::PathBuf,
}

impl Host {
    /// What the files of exits say, as the real host tells it.
    fn exit_facts(&self) -> ExitFacts {
        let one = |entry: std::fs::DirEntry| {
            let text = std::fs::read_to_string(entry.path()).ok()?;
            let read = pic_model::exit::provider::read(&text).map_err(|error| error.to_string());
            Some((entry.file_name().into_string().ok()?, read))
        };
        let files = std::fs::read_dir(&self.exits).into_iter().flatten().flatten().filter_map(one);
        ExitFacts { files: files.collect(), ..ExitFacts::default() }
    }
}

#[derive(Clone)]
struct Fake(Arc<Mutex<Host>>);

impl World for Fake {
    fn facts(&mut self, generation: u64) -> Result<Facts, WorldError> {
        Ok(Facts {
            now: jiff_now(),
            generation,
            private_key: PrivateKey::from_random([3; 32]),
            preshared_seed: PresharedSeed::from_random([4; 32]),
            uplink: Some(UplinkFacts {
                interface: "eth0".parse().unwrap(),
                ipv4: Some("203.0.113.7".parse().unwrap()),
                ipv6: None,
                routes6: false,
            }),
            resolvers: vec!["192.0.2.53".parse().unwrap()],
            chronyd: true,
            exits: self.0.lock().unwrap().exit_facts(),
            ..pic_plan::memory::facts()
        })
    }

    fn observe(&mut self, _: &Targets, domains: &BTreeSet<Domain>) -> Observation {
        let mut seen = Observed::default();
        seen.take(self.0.lock().unwrap().observed.clone(), domains);
        Observation { observed: seen, ..Observation::default() }
    }

    fn apply(&mut self, action: &Action) -> Result<(), WorldError> {
        let begin = Instant::now();
        while self.0.lock().unwrap().hold && begin.elapsed() < PATIENCE {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let mut host = self.0.lock().unwrap();
        let words = words::of(action);
        if host.refuse.as_ref().is_some_and(|refused| words.contains(refused)) {
            return Err(WorldError("refused by the test".into()));
        }
        memory::act(&mut host.observed, action).map_err(WorldError)
    }

    fn greet(&mut self, _: &BTreeMap<PublicKey, SocketAddr>) -> Result<(), WorldError> {
        Ok(())
    }
}

fn jiff_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// One agent.
pub(crate) struct Rig {
    folder: tempfile::TempDir,
    host: Arc<Mutex<Host>>,
    pub(crate) paths: Paths,
    running: Option<Running>,
}

struct Running {
    handle: Handle,
    engine: std::thread::JoinHandle<()>,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    /// An agent with a cell.
    pub(crate) fn new() -> Self {
        Self::with(Some(CELL))
    }

    /// An agent with this `cell.toml`.
    pub(crate) fn with(cell: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let paths = Paths {
            socket: at("sock"),
            config: at("cell.toml"),
            state: at("state"),
            run: at("run"),
            chrony: "/".into(),
            tor: "/".into(),
            openvpn: "/".into(),
        };
        std::fs::create_dir(&paths.state).unwrap();
        let host =
            Arc::new(Mutex::new(Host { observed: memory::fresh(), exits: paths.exits(), ..Host::default() }));
        let mut rig = Self { folder, host, paths, running: None };
        if let Some(cell) = cell {
            rig.write_file(cell);
        }
        rig.start();
        rig
    }

    fn start(&mut self) {
        let config = Config {
            ledger: self.paths.ledger(),
            cell_toml: self.paths.config.clone(),
            interval: Duration::from_secs(3600),
            debounce: Duration::ZERO,
            confirm: Duration::from_secs(60),
        };
        let disk = || Box::new(DurableDisk { folder_mode: 0o700 });
        let world = Box::new(Fake(Arc::clone(&self.host)));
        let (engine, handle) = Engine::new(config, world, Box::new(BootClock), disk(), disk()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let api = Api::new(handle.clone(), &self.paths, Default::default(), Usage::open(self.paths.usage()));
        let socket = self.paths.socket.clone();
        runtime.spawn(async move { serve(api, &socket).await });
        wait_for("the socket", || UnixStream::connect(&self.paths.socket).is_ok());
        let engine = std::thread::spawn(move || engine.run());
        self.running = Some(Running { handle, engine, runtime });
        wait_for("the first report", || self.get("/health").json["status"] != "starting");
    }

    fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.handle.stop();
        running.engine.join().unwrap();
        running.runtime.shutdown_timeout(Duration::from_secs(1));
    }

    /// The same agent after a restart.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    #[expect(clippy::disallowed_methods, reason = "as an editor would")]
    pub(crate) fn write_file(&self, text: &str) {
        std::fs::write(&self.paths.config, text).unwrap();
    }

    pub(crate) fn file(&self) -> String {
        std::fs::read_to_string(&self.paths.config).unwrap()
    }

    pub(crate) fn refuse(&self, words: &str) {
        self.host.lock().unwrap().refuse = Some(words.into());
    }

    pub(crate) fn hold(&self, hold: bool) {
        self.host.lock().unwrap().hold = hold;
    }

    pub(crate) fn host(&self) -> Observed {
        self.host.lock().unwrap().observed.clone()
    }

    /// Changes the host behind the agent's back; it hears of it.
    pub(crate) fn disturb(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.host.lock().unwrap().observed);
        self.running.as_ref().unwrap().handle.event();
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[], Some(&body.to_string()))
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, &[], Some(&body.to_string()))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: pic\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                head.push_str("Content-Type: application/json\r\n");
            }
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.raw(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes())
    }

    /// Sends bytes as they are and reads to the end.
    pub(crate) fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = UnixStream::connect(&self.paths.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A refusal may come, and the connection go, before all is sent.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::read(&bytes)
    }

    pub(crate) fn add_peer(&self, name: &str) -> Answer {
        let answer = self.post("/api/peers", serde_json::json!({ "name": name }));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    }

    pub(crate) fn generation(&self) -> u64 {
        self.get("/api/config").json["generation"].as_u64().unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A parsed answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let json = serde_json::from_str(body).unwrap_or(Value::Null);
        Self { status, head: head.to_owned(), text: body.to_owned(), json }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Asserts a problem document of this code and returns its words.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> &str {
        assert_eq!(
            (self.status, self.json["code"].as_str()),
            (status, Some(code)),
            "{}\n{}",
            self.head,
            self.text
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["type"], format!("/usr/share/doc/pic/errors.md#{code}"));
        assert_eq!(self.header("x-request-id"), self.json["request_id"].as_str());
        assert_eq!(self.header("pic-api"), Some("1"));
        assert!(self.json["instance"].as_str().is_some_and(|path| path.starts_with('/')), "{}", self.text);
        self.json["detail"].as_str().unwrap()
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{}\n{}", self.head, self.text);
        self
    }
}

/// Whether an author is the one that the tests run as: with whoever logged in to run them, where somebody did.
pub(crate) fn is_root(author: &Value) -> bool {
    author.as_str().is_some_and(|author| author == "root" || author.starts_with("root ("))
}

/// Waits for a condition, with a deadline.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
