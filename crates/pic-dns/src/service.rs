//! Life of the service: follow the snapshot, keep the listeners, report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pic_model::snapshot::dhcp::LeaseNames;
use pic_model::snapshot::dns::{DnsSnapshot, DnsStatus, DnsTlsStatus, DnssecStatus, TlsListen, VERSION};
use pic_service::chain;
use pic_service::life::{self, Stop};
use pic_service::snapshot::SnapshotError;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::blocklist::Blocklists;
use crate::certificate::Certificate;
use crate::clock;
use crate::control;
use crate::counters::Counters;
use crate::fetch;
use crate::leases;
use crate::limit::Limiter;
use crate::listen::Listeners;
use crate::metrics;
use crate::probe::Probes;
use crate::server::Server;
use crate::snapshot;
use crate::status::StatusFile;
use crate::tally::Clients;
use crate::world::World;

const TICK: Duration = Duration::from_secs(1);
/// Every so many ticks addresses that could not be had are tried again.
const RETRY_TICKS: u64 = 3;
/// Every so many ticks upstreams that give no signatures are asked for some, should nobody else ask.
const LOOK_TICKS: u64 = 600;
/// Type of the record with the root's keys.
const DNSKEY: u16 = 48;
/// Without a snapshot after this time the service is ready all the same: there is nothing to serve yet.
const FIRST_SNAPSHOT: Duration = Duration::from_secs(1);

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No threads.
    #[error("cannot start the worker threads")]
    Runtime(#[source] std::io::Error),
    /// No signals.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// No control socket, or no socket for metrics.
    #[error("cannot listen at {path}", path = path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
}

/// Where the service finds and leaves things.
#[derive(Debug, Clone)]
pub struct Paths {
    /// What to serve.
    pub snapshot: PathBuf,
    /// Names of leases, which come and go.
    pub leases: PathBuf,
    /// Where to report.
    pub status: Option<PathBuf>,
    /// Where to be asked about.
    pub control: Option<PathBuf>,
    /// Where to tell numbers.
    pub metrics: Option<PathBuf>,
    /// Folder for copies of blocklists that are fetched.
    pub lists: PathBuf,
    /// Certificate and key, for clients by TLS.
    pub certificate: PathBuf,
}

/// Serves until SIGTERM or SIGINT.
pub fn run(paths: Paths) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServiceError::Runtime)?;
    let service = Service::new(&paths);
    let result = runtime.block_on(service.serve(paths));
    // Tasks waiting for upstreams, and the watcher in its poll, need not be waited for.
    runtime.shutdown_background();
    result
}

struct Service {
    server: Arc<Server>,
    listeners: Listeners,
    certificate: Arc<Certificate>,
    wanted: Vec<std::net::SocketAddr>,
    encrypted: Option<TlsListen>,
    snapshot_error: Option<String>,
    status: StatusFile,
    leases: LeaseNames,
    /// Under way: one at a time.
    reading: Option<tokio::task::JoinHandle<()>>,
    /// The same for the control socket.
    told: watch::Sender<Option<DnsStatus>>,
}

impl Service {
    fn new(paths: &Paths) -> Self {
        let blocklists = Arc::new(Blocklists::in_folder(paths.lists.clone()));
        let certificate = Arc::new(Certificate::new(paths.certificate.clone()));
        let world = ArcSwap::from_pointee(World { blocklists, ..World::empty() });
        let server = Arc::new(Server {
            world,
            counters: Counters::default(),
            clients: Clients::default(),
            limiter: Limiter::default(),
            teller: Arc::default(),
            probes: Probes::default(),
        });
        Self {
            listeners: Listeners::new(Arc::clone(&server), Arc::clone(&certificate)),
            server,
            certificate,
            wanted: Vec::new(),
            encrypted: None,
            snapshot_error: None,
            status: StatusFile::new(paths.status.clone()),
            leases: LeaseNames::default(),
            reading: None,
            told: watch::Sender::new(None),
        }
    }

    fn listen_for_control(&self, path: PathBuf) -> Result<(), ServiceError> {
        let listener = control::bind(&path).map_err(|source| ServiceError::Socket { path, source })?;
        tokio::spawn(control::serve(listener, Arc::clone(&self.server), self.told.subscribe()));
        Ok(())
    }

    fn listen_for_metrics(&self, path: PathBuf) -> Result<(), ServiceError> {
        let listener = control::bind(&path).map_err(|source| ServiceError::Socket { path, source })?;
        tokio::spawn(metrics::serve(listener, Arc::clone(&self.server), self.told.subscribe()));
        Ok(())
    }

    async fn serve(mut self, paths: Paths) -> Result<(), ServiceError> {
        let Paths { snapshot: path, leases, control, metrics, .. } = paths;
        let mut stop = Stop::listen().map_err(ServiceError::Signals)?;
        let (sender, mut snapshots) = mpsc::channel(1);
        let watched = path.clone();
        tokio::task::spawn_blocking(move || snapshot::watch(&watched, &snapshot::KIND, &sender));
        let (sender, mut names) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || snapshot::watch(&leases, &leases::KIND, &sender));

        match tokio::time::timeout(FIRST_SNAPSHOT, snapshots.recv()).await {
            Ok(Some(result)) => {
                // Read meanwhile: a large zone would be compiled once more for them.
                if let Ok(result) = names.try_recv() {
                    self.remember(result);
                }
                self.take(&path, result);
            }
            Ok(None) | Err(_) => {
                tracing::info!(path = %path.display(), "no snapshot yet, waiting for the agent")
            }
        }
        self.report();
        metrics.map(|metrics| self.listen_for_metrics(metrics)).transpose()?;
        // Last of what makes it ready: whoever can connect here finds names served.
        control.map(|control| self.listen_for_control(control)).transpose()?;
        life::ready();

        tokio::spawn(fetch::run(Arc::clone(&self.server)));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0_u64;
        loop {
            tokio::select! {
                () = stop.asked() => break,
                Some(result) = snapshots.recv() => self.take(&path, result),
                Some(result) = names.recv() => self.take_leases(&path, result),
                _ = ticks.tick() => {
                    count += 1;
                    self.tick(count);
                }
            }
            self.report();
        }
        life::stopping();
        Ok(())
    }

    /// Serves other names of leases. The snapshot is read again: keeping it would cost as much memory as its zones do.
    fn take_leases(&mut self, path: &std::path::Path, result: Result<LeaseNames, SnapshotError>) {
        if self.remember(result) && path.exists() {
            self.take(path, snapshot::KIND.load(path));
        }
    }

    /// Whether there are names to serve.
    fn remember(&mut self, result: Result<LeaseNames, SnapshotError>) -> bool {
        match result {
            Ok(names) => {
                self.leases = names;
                true
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "names of leases ignored");
                false
            }
        }
    }

    /// Serves a new snapshot, or keeps the present one if the new one is bad.
    fn take(&mut self, path: &std::path::Path, result: Result<DnsSnapshot, SnapshotError>) {
        let started = Instant::now();
        let compiled = result.map_err(|error| chain(&error)).and_then(|mut snapshot| {
            snapshot.add_leases(&self.leases);
            let world = World::compile(&snapshot, &self.server.world.load());
            let zone = |error| format!("{} has a bad zone: {}", path.display(), chain(&error));
            world.map_err(zone).map(|world| (snapshot, world))
        });
        match compiled {
            Ok((snapshot, world)) => {
                retire(self.server.world.swap(Arc::new(world)));
                (self.wanted, self.encrypted) = (snapshot.listen, snapshot.tls);
                self.listen();
                self.follow_blocklists();
                self.snapshot_error = None;
                let hosts: usize = snapshot.zones.iter().map(|zone| zone.hosts.len()).sum();
                let took = started.elapsed();
                tracing::info!(generation = snapshot.generation, hosts, ?took, "serving a new snapshot");
            }
            Err(text) => {
                tracing::error!(error = text, "new snapshot ignored, still serving the one before");
                self.snapshot_error = Some(text);
            }
        }
    }

    /// Listens where it is wanted, with the certificate as it is now.
    fn listen(&mut self) {
        if self.encrypted.is_some() {
            self.certificate.follow();
        }
        self.listeners.follow(&self.wanted, self.encrypted.as_ref());
    }

    /// Reads blocklists whose file is new, beside everything else.
    fn follow_blocklists(&mut self) {
        if self.reading.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
            let blocklists = Arc::clone(&self.server.world.load().blocklists);
            self.reading = Some(tokio::task::spawn_blocking(move || blocklists.follow()));
        }
    }

    fn tick(&mut self, count: u64) {
        self.server.world.load().blocklists.keep_time(clock::now());
        self.server.clients.tidy();
        if count.is_multiple_of(LOOK_TICKS) {
            self.look_for_signatures();
        }
        if count.is_multiple_of(RETRY_TICKS) {
            self.follow_blocklists();
            if let Some(validator) = &self.server.world.load().validator {
                validator.follow();
            }
            self.listen();
        }
        // Reaching this line shows that the runtime lives; the threads show it for themselves.
        if self.listeners.all_alive() {
            life::alive();
        }
    }

    /// While the host asks other resolvers because of it, nobody else may find out that it is over.
    fn look_for_signatures(&self) {
        let world = self.server.world.load();
        let is_blind = world.validator.as_ref().is_some_and(|validator| validator.is_required())
            && world.forwarder.lacks_signatures();
        if let Some(own) = self.wanted.first().filter(|_| is_blind) {
            let (server, own) = (Arc::clone(&self.server), own.ip());
            tokio::spawn(async move { drop(server.explain(&[0], DNSKEY, own).await) });
        }
    }

    fn report(&mut self) {
        let world = self.server.world.load();
        let status = DnsStatus {
            version: VERSION,
            generation: world.generation,
            snapshot_error: self.snapshot_error.clone(),
            listening: self.listeners.listening(),
            not_listening: self.listeners.failures(),
            upstreams: world.forwarders().flat_map(|forwarder| forwarder.status(Instant::now())).collect(),
            cache_entries: world.forwarders().map(|forwarder| forwarder.cache_entries()).sum(),
            counters: self.server.counters.snapshot(),
            tls: self.encrypted.as_ref().map(|_| DnsTlsStatus {
                ready: self.certificate.is_there(),
                error: self.certificate.error(),
                expires: self.certificate.expires(),
            }),
            blocklists: world.blocklists.status(clock::now()),
            dnssec: world.validator.as_ref().map(|validator| DnssecStatus {
                anchor_error: validator.error(),
                clock_doubt: validator.doubt(),
                required: validator.is_required(),
                blind: validator.is_required() && world.forwarder.lacks_signatures(),
            }),
        };
        self.status.update(status.clone());
        self.told.send_replace(Some(status));
    }
}

/// Frees what was served before, which takes a while for a large zone, on a thread that nobody waits for: a listener
/// that happened to hold it last would pause for as long.
fn retire(before: Arc<World>) {
    tokio::spawn(async move {
        while Arc::strong_count(&before) > 1 {
            tokio::time::sleep(TICK).await;
        }
        let _ = tokio::task::spawn_blocking(move || drop(before)).await;
    });
}
