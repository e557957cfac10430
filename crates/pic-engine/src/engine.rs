//! The engine's thread: takes commands, wakes for events, windows and expiries, and reconciles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use pic_model::Desired;
use pic_model::key::PublicKey;
use pic_plan::plan::Domain;
use pic_plan::target::wireguard::PeerLive;
use pic_plan::way_in::Session;
use pic_plan::{Facts, Observed};
use tokio::sync::watch;

use crate::change::ChangeError;
use crate::disk::Disk;
use crate::handle::{Command, Handle};
use crate::ledger::{Entry, Ledger, LedgerError, Record, State, checksum};
use crate::proposal::Planned;
use crate::reconcile::Compiled;
use crate::report::{Current, DomainReport, Health, Operation, Reconciled, Report, ServiceReport, TakenBack};
use crate::world::{Clock, World};

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of the ledger.
    pub ledger: PathBuf,
    /// The file the owner edits.
    pub cell_toml: PathBuf,
    /// Longest time between two looks at the host.
    pub interval: Duration,
    /// Quiet time after an event before the host is looked at.
    pub debounce: Duration,
    /// Window of a risky change whose maker named none.
    pub confirm: Duration,
}

/// Shortest time between two looks that nothing but the clock asks for.
const BREATH: Duration = Duration::from_secs(1);

/// The engine; [`Engine::run`] is its thread.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) world: Box<dyn World>,
    pub(crate) clock: Box<dyn Clock>,
    /// For `cell.toml`; the ledger has its own.
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) ledger: Ledger,
    pub(crate) current: Current,
    /// The kept state: the one to go back to, and what `cell.toml` holds unless its owner edited it.
    pub(crate) kept: Current,
    /// What the maker of the last change had edited into `cell.toml`, if it was that.
    pub(crate) taken: Option<String>,
    pub(crate) operation: Option<Operation>,
    /// Whether the operation has come to an end, or waits, since it was written beside its generation.
    pub(crate) unrecorded: bool,
    /// Boot time until which the operation waits for its confirmation.
    pub(crate) waiting: Option<Duration>,
    /// The connection that the change which waits was made over.
    pub(crate) made_over: Option<Session>,
    pub(crate) edited: bool,
    pub(crate) facts: Option<Arc<Facts>>,
    pub(crate) domains: BTreeMap<Domain, DomainReport>,
    /// Domains that were not as wanted before the last change.
    pub(crate) ailing: BTreeSet<Domain>,
    pub(crate) services: Arc<BTreeMap<String, ServiceReport>>,
    pub(crate) live: Arc<BTreeMap<PublicKey, PeerLive>>,
    pub(crate) taken_back: Option<TakenBack>,
    pub(crate) reconciled: Option<Reconciled>,
    /// The host at the last look, domain by domain.
    pub(crate) seen: Observed,
    /// Whether `seen` was right at the last look and nothing was heard of the host since.
    pub(crate) seen_is_fresh: bool,
    /// The last compilation.
    pub(crate) compiled: Option<Compiled>,
    /// The last one of the state in force: somebody's plan may have been compiled since.
    pub(crate) in_force: Option<Compiled>,
    /// Unix seconds at which the same desired state compiles differently.
    pub(crate) next_change: Option<i64>,
    /// What was read for a plan that is perhaps applied now.
    pub(crate) planned: Option<Planned>,
    commands: mpsc::Receiver<Command>,
    report: watch::Sender<Arc<Report>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the ledger (through the first disk) and makes the engine and its handle. Nothing of the host is touched.
    pub fn new(
        config: Config,
        world: Box<dyn World>,
        clock: Box<dyn Clock>,
        ledger_disk: Box<dyn Disk>,
        disk: Box<dyn Disk>,
    ) -> Result<(Self, Handle), LedgerError> {
        let ledger = Ledger::open(ledger_disk, &config.ledger, &config.cell_toml)?;
        let ok = DomainReport { health: Health::Ok, words: String::new(), repairs: 0 };
        let domains: BTreeMap<_, _> = Domain::ALL.into_iter().map(|domain| (domain, ok.clone())).collect();
        let current = Current { generation: 0, text: "".into(), desired: None, etag: etag(0, "") };
        let first = Report {
            current: current.clone(),
            kept: Arc::clone(&current.text),
            edited: false,
            facts: None,
            targets: None,
            domains: domains.clone(),
            operation: None,
            taken_back: None,
            reconciled: None,
            resolver: None,
            queues: BTreeMap::new(),
            services: Arc::default(),
            live: Arc::default(),
        };
        let (report, watch) = watch::channel(Arc::new(first));
        let (sender, commands) = mpsc::channel();
        let engine = Self {
            config,
            world,
            clock,
            disk,
            ledger,
            kept: current.clone(),
            current,
            taken: None,
            operation: None,
            unrecorded: false,
            waiting: None,
            made_over: None,
            edited: false,
            facts: None,
            domains,
            ailing: BTreeSet::new(),
            services: Arc::default(),
            live: Arc::default(),
            taken_back: None,
            reconciled: None,
            seen: Observed::default(),
            seen_is_fresh: false,
            compiled: None,
            in_force: None,
            next_change: None,
            planned: None,
            commands,
            report,
        };
        Ok((engine, Handle { commands: sender, report: watch }))
    }

    /// Runs until told to stop. The host stays as it is afterwards.
    pub fn run(mut self) {
        self.start();
        let mut dirty: Option<Instant> = None;
        let mut looked = Instant::now();
        loop {
            self.expire_window();
            self.keep_record();
            match self.commands.recv_timeout(self.sleep(dirty, looked)) {
                Ok(Command::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Ok(Command::Event) => {
                    self.seen_is_fresh = false;
                    dirty.get_or_insert_with(Instant::now);
                }
                Ok(command) => {
                    self.expire_window();
                    self.answer(command);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.expire_window(),
            }
            // Also between commands: those that keep coming must not keep a look waiting.
            if let Some(because) = self.due(dirty, looked) {
                dirty = None;
                self.reconcile(because);
                looked = Instant::now();
            }
        }
    }

    /// Why the host is to be looked at now, if it is.
    fn due(&self, dirty: Option<Instant>, looked: Instant) -> Option<&'static str> {
        if dirty.is_some_and(|since| since.elapsed() >= self.config.debounce) {
            return Some("event");
        }
        let changes = self.next_change.is_some_and(|at| at <= self.now());
        let (wait, because) = if changes {
            (BREATH.min(self.config.interval), "time")
        } else {
            (self.config.interval, "timer")
        };
        (looked.elapsed() >= wait).then_some(because)
    }

    /// Time until something is to be done without being asked.
    fn sleep(&self, dirty: Option<Instant>, looked: Instant) -> Duration {
        let mut sleep = self.config.interval.saturating_sub(looked.elapsed());
        if let Some(since) = dirty {
            sleep = sleep.min(self.config.debounce.saturating_sub(since.elapsed()));
        }
        if let Some(until) = self.waiting {
            sleep = sleep.min(until.saturating_sub(self.clock.boot()));
        }
        if let Some(at) = self.next_change {
            let seconds = u64::try_from(at - self.now()).unwrap_or(0);
            sleep = sleep.min(Duration::from_secs(seconds).max(BREATH));
        }
        sleep
    }

    /// Unix seconds: by the clock, unless that is behind what the ledger has seen, as after a start without a battery.
    /// Who had expired does not come back in while the network has not set the clock yet.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().max(self.ledger.latest())
    }

    fn answer(&mut self, command: Command) {
        // Whoever asked may have gone; the answer is then nobody's.
        match command {
            Command::Change(change, reply) => drop(reply.send(self.change(*change))),
            Command::Confirm { author, generation, session, reply } => {
                drop(reply.send(self.confirm(&author, generation, session)))
            }
            Command::Revert { author, generation, reply } => {
                drop(reply.send(self.revert_asked(&author, generation)))
            }
            Command::History(reply) => drop(reply.send(self.history())),
            Command::Text(number, reply) => drop(reply.send(self.text(number))),
            Command::Record(number, reply) => drop(reply.send(self.record(number))),
            Command::Look(because, reply) => {
                self.reconcile(because);
                let _ = reply.send(());
            }
            Command::Event | Command::Stop => {}
        }
    }

    fn history(&self) -> (Vec<Entry>, State) {
        (self.ledger.entries().rev().cloned().collect(), self.ledger.state().clone())
    }

    pub(crate) fn record(&self, number: u64) -> Option<Record> {
        let last = self.operation.as_ref().filter(|operation| operation.generation == number);
        last.map(Record::of).or_else(|| self.ledger.record(number))
    }

    fn text(&self, number: u64) -> Result<String, ChangeError> {
        let text = self.ledger.text(number).map_err(|error| ChangeError::Failed(error.to_string()))?;
        text.ok_or_else(|| {
            ChangeError::NotFound(format!("there is no generation {number}; see `picctl history`"))
        })
    }

    /// Tells everyone how things are.
    pub(crate) fn publish(&mut self) {
        self.note_in_force();
        let in_force = self.in_force.as_ref();
        self.report.send_replace(Arc::new(Report {
            current: self.current.clone(),
            kept: Arc::clone(&self.kept.text),
            edited: self.edited,
            facts: in_force.map(|kept| Arc::clone(&kept.facts)).or_else(|| self.facts.clone()),
            targets: in_force.map(|kept| Arc::clone(&kept.targets)),
            domains: self.domains.clone(),
            resolver: self.seen.resolver.clone(),
            queues: self.seen.queues.clone(),
            services: Arc::clone(&self.services),
            operation: self.operation.clone(),
            taken_back: self.taken_back.clone(),
            reconciled: self.reconciled.clone(),
            live: Arc::clone(&self.live),
        }));
    }

    /// Makes a state the one in force, in memory.
    pub(crate) fn take(&mut self, generation: u64, text: &str, desired: Option<Arc<Desired>>) {
        self.current = Current { generation, text: text.into(), desired, etag: etag(generation, text) };
    }
}

/// Strong tag of a state: its number and the beginning of its checksum.
fn etag(generation: u64, text: &str) -> String {
    format!("\"{generation}-{}\"", &checksum(text)[..16])
}
