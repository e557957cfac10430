//! A host, a disk and a clock in memory, and an engine on a thread over them.

#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use pic_engine::ledger::Record;
use pic_engine::{
    Author, Change, ChangeError, Clock, Config, Disk, Engine, Handle, Observation, Operation, OperationState,
    Report, World, WorldError,
};
use pic_model::key::PublicKey;
use pic_plan::plan::Domain;
use pic_plan::way_in::Session;
use pic_plan::{Action, Facts, Observed, Targets, memory, words};

pub(crate) const CELL: &str = "[cell]\nname = \"home\"\n";
const CELL_TOML: &str = "/etc/pic/cell.toml";
/// When tests begin.
pub(crate) const EPOCH: i64 = 1_000_000;
const LEDGER: &str = "/var/lib/pic/ledger";

pub(crate) fn peer(id: u8) -> String {
    let key = PublicKey::from_bytes([id; 32]);
    format!("[[peer]]\nname = \"p{id}\"\npublic_key = \"{key}\"\naddress = \"10.77.0.{id}\"\n")
}

#[derive(Default)]
struct Shared {
    host: Observed,
    files: BTreeMap<PathBuf, Vec<u8>>,
    fail_when: Option<String>,
    /// Cannot be read.
    hidden: Option<Domain>,
    /// The write with this number fails; counts down.
    fail_write: Option<usize>,
    /// The effect with this number never happens: the engine's thread dies there; counts down.
    crash_at: Option<usize>,
    boot: Duration,
    boots: u32,
    /// What the engine told last, and in which states of a change it looked at the host.
    reports: Option<tokio::sync::watch::Receiver<Arc<Report>>>,
    looked: Vec<OperationState>,
    /// Unix seconds, added to [`EPOCH`].
    now: i64,
}

impl Shared {
    fn effect(&mut self) {
        match &mut self.crash_at {
            Some(0) => panic!("crash point"),
            Some(left) => *left -= 1,
            None => {}
        }
    }
}

#[derive(Clone)]
pub(crate) struct Rig(Arc<Mutex<Shared>>);

struct Fake(Rig);

impl Rig {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        // A crash point poisons the lock; the data under it is still whole.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn with_cell(text: &str) -> Self {
        let rig = Self(Arc::default());
        rig.lock().host = memory::fresh();
        rig.write_cell_toml(text);
        rig
    }

    pub(crate) fn write_cell_toml(&self, text: &str) {
        self.lock().files.insert(CELL_TOML.into(), text.into());
    }

    pub(crate) fn cell_toml(&self) -> String {
        String::from_utf8(self.lock().files[Path::new(CELL_TOML)].clone()).unwrap()
    }

    pub(crate) fn host(&self) -> Observed {
        self.lock().host.clone()
    }

    pub(crate) fn change_host(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.lock().host);
    }

    pub(crate) fn fail_when(&self, words: &str) {
        self.lock().fail_when = Some(words.into());
    }

    pub(crate) fn hide(&self, domain: Domain) {
        self.lock().hidden = Some(domain);
    }

    pub(crate) fn fail_write(&self, at: usize) {
        self.lock().fail_write = (at != usize::MAX).then_some(at);
    }

    pub(crate) fn crash_at(&self, at: usize) {
        self.lock().crash_at = (at != usize::MAX).then_some(at);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.lock().boot += by;
    }

    /// Sets the wall clock to this many seconds after the tests' beginning.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.lock().now = seconds;
    }

    /// States of changes in which the host was looked at.
    pub(crate) fn looked(&self) -> Vec<OperationState> {
        self.lock().looked.clone()
    }

    /// The kernel forgets; the disk does not.
    pub(crate) fn reboot(&self) {
        let mut shared = self.lock();
        shared.host = Observed { files: shared.host.files.clone(), ..memory::fresh() };
        shared.boot = Duration::ZERO;
        shared.boots += 1;
    }

    pub(crate) fn damage(&self, name: &str) {
        let mut shared = self.lock();
        let file = shared.files.get_mut(&Path::new(LEDGER).join(name)).unwrap();
        let last = file.len() - 1;
        file[last] ^= 0x55;
    }

    fn engine(&self) -> (Engine, Handle) {
        self.engine_with(|_| {})
    }

    fn engine_with(&self, set: impl FnOnce(&mut Config)) -> (Engine, Handle) {
        let mut config = Config {
            ledger: LEDGER.into(),
            cell_toml: CELL_TOML.into(),
            interval: Duration::from_secs(3600),
            debounce: Duration::ZERO,
            confirm: Duration::from_secs(60),
        };
        set(&mut config);
        let fake = || Box::new(Fake(self.clone()));
        Engine::new(config, fake(), fake(), fake(), fake()).unwrap()
    }

    pub(crate) fn run(&self) -> Running {
        self.run_with(|_| {})
    }

    pub(crate) fn run_with(&self, set: impl FnOnce(&mut Config)) -> Running {
        let (engine, handle) = self.engine_with(set);
        self.lock().reports = Some(handle.watch());
        let thread = std::thread::spawn(move || engine.run());
        let running = Running { handle, thread: Some(thread) };
        running.poke();
        running
    }

    /// Starts, changes, and dies at the crash point, if it is reached. Whether the change was acknowledged.
    pub(crate) fn run_until_crash(&self, text: &str) -> bool {
        std::panic::catch_unwind(AssertUnwindSafe(|| {
            let (engine, handle) = self.engine();
            let thread = std::thread::spawn(move || engine.run());
            let text = text.to_owned();
            let answer = block_on(handle.change(change(text, false)));
            handle.stop();
            let _ = thread.join();
            matches!(answer, Ok(Ok(_)))
        }))
        .unwrap_or(false)
    }
}

fn change(text: String, takes_file: bool) -> Change {
    Change {
        edit: Box::new(move |_| Ok(text)),
        author: Author("tester".into()),
        reason: "test".into(),
        session: None,
        confirm_seconds: None,
        dry_run: false,
        plan_id: None,
        takes_file,
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) struct Running {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn report(&self) -> Arc<Report> {
        self.handle.report()
    }

    /// Waits until the engine has looked at the host.
    pub(crate) fn poke(&self) {
        block_on(self.handle.look()).unwrap();
    }

    /// Waits until the host has followed what changed beside `cell.toml`.
    pub(crate) fn follow(&self) {
        block_on(self.handle.follow("bans")).unwrap();
    }

    pub(crate) fn set(&self, text: &str) -> Result<Operation, ChangeError> {
        block_on(self.handle.change(change(text.to_owned(), false))).unwrap()
    }

    /// The plan of a change; nothing happens.
    pub(crate) fn plan(&self, text: &str) -> Operation {
        let change = Change { dry_run: true, ..change(text.to_owned(), false) };
        block_on(self.handle.change(change)).unwrap().unwrap()
    }

    /// Applies what stands in the file.
    pub(crate) fn apply(&self, text: &str) -> Result<Operation, ChangeError> {
        block_on(self.handle.change(change(text.to_owned(), true))).unwrap()
    }

    pub(crate) fn record(&self, generation: u64) -> Option<Record> {
        block_on(self.handle.record(generation)).unwrap()
    }

    pub(crate) fn confirm(&self) -> Result<OperationState, ChangeError> {
        self.confirm_over(None)
    }

    /// The same by somebody who is logged in by ssh.
    pub(crate) fn confirm_over(&self, session: Option<Session>) -> Result<OperationState, ChangeError> {
        let confirmed = block_on(self.handle.confirm(Author("tester".into()), None, session)).unwrap();
        confirmed.map(|operation| operation.state)
    }

    /// Applies what stands in the file, logged in by ssh.
    pub(crate) fn apply_over(&self, text: &str, session: Session) -> Result<Operation, ChangeError> {
        let change = Change { session: Some(session), ..change(text.to_owned(), true) };
        block_on(self.handle.change(change)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl World for Fake {
    fn facts(&mut self, generation: u64) -> Result<Facts, WorldError> {
        Ok(Facts { now: self.now(), generation, ..pic_plan::memory::facts() })
    }

    fn observe(&mut self, _targets: &Targets, domains: &BTreeSet<Domain>) -> Observation {
        let (mut observed, hidden) = (self.0.host(), self.0.lock().hidden);
        let reports = self.0.lock().reports.clone();
        let state = reports.and_then(|reports| Some(reports.borrow().operation.as_ref()?.state));
        self.0.lock().looked.extend(state);
        let hidden = hidden.filter(|domain| domains.contains(domain));
        if let Some(domain) = hidden {
            observed.take(Observed::default(), &[domain].into());
        }
        let failed = hidden.map(|domain| (domain, "hidden by the test".to_owned()));
        Observation { observed, failed: failed.into_iter().collect(), ..Observation::default() }
    }

    fn apply(&mut self, action: &Action) -> Result<(), WorldError> {
        let mut shared = self.0.lock();
        shared.effect();
        let words = words::of(action);
        if shared.fail_when.as_ref().is_some_and(|fail| words.contains(fail)) {
            return Err(WorldError("refused by the test".into()));
        }
        memory::act(&mut shared.host, action).map_err(WorldError)
    }
}

impl Clock for Fake {
    fn now(&self) -> i64 {
        EPOCH + self.0.lock().now
    }

    fn boot(&self) -> Duration {
        self.0.lock().boot
    }

    fn boot_id(&self) -> String {
        self.0.lock().boots.to_string()
    }
}

impl Disk for Fake {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().files.get(path).cloned())
    }

    fn write(&self, path: &Path, content: &[u8], _mode: u32) -> io::Result<()> {
        let mut shared = self.0.lock();
        shared.effect();
        match &mut shared.fail_write {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        shared.files.insert(path.to_owned(), content.to_owned());
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().files.remove(path);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let shared = self.0.lock();
        let names = shared.files.keys().filter(|path| path.parent() == Some(folder));
        Ok(names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }
}
