//! `pic-agent run`: engine thread, watch, socket, signals.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pic_drivers::files;
use pic_drivers::watch::{self, Event};
use pic_engine::ledger::LedgerError;
use pic_engine::{Config, Engine, Handle, Report};
use pic_model::chain;
use pic_model::name::ExitName;
use pic_plan::marks::{PROGRAMS, Program};
use pic_plan::plan::Domain;
use pic_service::life::{self, Stop};

use crate::host::exits::LeakReport;
use crate::host::{BootClock, DurableDisk, Exits, HostWorld, Learned, Units, Usage};
use crate::http::{Api, serve};
use crate::lock::{Lock, LockError};
use crate::notify::{self, Pulse};
use crate::paths::Paths;

/// Longest time between two looks at the host; changes are told by the kernel.
const INTERVAL: Duration = Duration::from_secs(30);
/// The same where nothing tells that a process of ours has died.
const INTERVAL_CHILDREN: Duration = Duration::from_secs(5);
/// Quiet time after a change before it is looked at.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Window of a risky change whose maker named none.
const CONFIRM: Duration = Duration::from_secs(120);
/// The engine ends its present step within this, else it is left behind.
const STOP: Duration = Duration::from_secs(15);

/// Time to send the answers of changes that have just ended.
const FAREWELL: Duration = Duration::from_millis(100);

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error("cannot open the ledger")]
    Ledger(#[from] LedgerError),
    #[error("cannot serve at {socket}")]
    Socket {
        socket: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot watch the host")]
    Watch(#[from] watch::Error),
    #[error(
        "no systemd runs here; start with --children FOLDER, where pic-dns, pic-dhcp, pic-time and pic-wg are"
    )]
    NoManager,
    #[error("the engine's thread has ended; see the messages above")]
    EngineEnded,
    #[error("cannot set up the process")]
    Process(#[from] io::Error),
}

/// Runs until told to stop.
pub fn main(paths: Paths, children: Option<PathBuf>) -> ExitCode {
    pic_service::log::init(crate::LOG);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(run(&paths, children));
            runtime.shutdown_timeout(Duration::from_millis(200));
            done
        }
        Err(error) => Err(error.into()),
    };
    life::exit(done)
}

async fn run(paths: &Paths, children: Option<PathBuf>) -> Result<(), RunError> {
    let mut stop = Stop::listen()?;
    files::create_dir_durable(&paths.run, 0o755)?;
    files::create_dir_durable(&paths.state, 0o755)?;
    let _lock = Lock::take(&paths.lock())?;
    sweep(paths);
    let config = Config {
        ledger: paths.ledger(),
        cell_toml: paths.config.clone(),
        interval: if children.is_some() { INTERVAL_CHILDREN } else { INTERVAL },
        debounce: DEBOUNCE,
        confirm: CONFIRM,
    };
    let pulse = Pulse::default();
    let units = Units::new(tokio::runtime::Handle::current(), pulse.clone(), paths, children)?;
    if !units.has_manager() {
        return Err(RunError::NoManager);
    }
    // Watched from before the first look, so that nothing happens in between unseen.
    let (events, ear) = watch::start()?;
    let exits = Exits::default();
    let usage = Usage::open(paths.usage());
    let learned = Learned::open(paths.egress());
    let world = Box::new(HostWorld::new(
        paths.clone(),
        units,
        Some(ear),
        pulse.clone(),
        exits.clone(),
        (usage.clone(), learned.clone()),
    ));
    let disks = (Box::new(DurableDisk { folder_mode: 0o700 }), Box::new(DurableDisk { folder_mode: 0o755 }));
    let (engine, handle) = Engine::new(config, world, Box::new(BootClock), disks.0, disks.1)?;
    let reports = handle.watch();
    let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || engine.run())?;
    tokio::spawn(forward(events, handle.clone()));
    tokio::spawn(crate::host::delegation::watch(paths.delegation(), handle.clone()));
    tokio::spawn(crate::host::delegation::watch(paths.routers(), handle.clone()));
    tokio::spawn(crate::host::certificate::follow(paths.dns_certificate(), handle.clone()));
    tokio::spawn(crate::host::exits::watch(handle.clone(), exits.clone(), paths.clone()));
    tokio::spawn(crate::host::exits::attend(handle.clone(), exits.clone(), paths.dns_control()));
    tokio::spawn(crate::host::follow_flows(handle.clone()));
    tokio::spawn(crate::host::egress::attend(handle.clone(), learned.clone(), paths.dns_control()));
    tokio::spawn(crate::host::watch_usage(handle.clone(), usage.clone()));
    tokio::spawn(notify::watchdog(handle.clone(), pulse));
    tokio::spawn(tell(reports));
    let api = Api::new(handle.clone(), paths, exits.clone(), usage.clone());
    let teller = Arc::clone(&api);
    let tell = move |name: &ExitName, found: &LeakReport| teller.tell_leaks(name, found);
    tokio::spawn(crate::host::exits::leaks::attend(handle.clone(), exits, paths.dns_control(), tell));
    let ended = tokio::select! {
        served = serve(api, &paths.socket) => served.map_err(|source| RunError::Socket {
            socket: paths.socket.display().to_string(),
            source,
        }),
        () = stop.asked() => Ok(()),
        () = ended(&handle) => Err(RunError::EngineEnded),
    };
    life::stopping();
    handle.stop();
    join(thread).await;
    let close = move || {
        usage.close();
        learned.save();
    };
    let _ = tokio::task::spawn_blocking(close).await;
    // The last answers are on their way.
    tokio::time::sleep(FAREWELL).await;
    ended
}

/// Temporary files that a killed run has left.
fn sweep(paths: &Paths) {
    let folders = [
        Some(paths.ledger()),
        Some(paths.secrets()),
        Some(paths.exits()),
        Some(paths.answers()),
        Some(paths.plans()),
        Some(paths.state.clone()),
        Some(paths.state.join("dns")),
        Some(paths.state.join("dhcp")),
        Some(paths.state.join("time")),
        Some(paths.resolver().state),
    ];
    let config = paths.config.parent().map(PathBuf::from);
    let exits = PROGRAMS.map(Program::folder).map(|folder| Some(paths.on_disk(&folder)));
    for folder in folders.into_iter().chain(exits).chain([config]).flatten() {
        if let Err(error) = files::sweep(&folder) {
            tracing::warn!("{}", chain(&error));
        }
    }
}

/// Tells the engine of changes on the host that may not be its own.
async fn forward(mut events: tokio::sync::mpsc::Receiver<Event>, handle: Handle) {
    while let Some(event) = events.recv().await {
        if !matches!(event, Event::Nft { foreign: false, .. }) {
            tracing::debug!(?event, "the host changed");
            handle.event();
        }
    }
}

/// Ready after the first look at the host; then one line about every change of mind.
async fn tell(mut reports: tokio::sync::watch::Receiver<Arc<Report>>) {
    let mut is_ready = false;
    let mut told = BTreeMap::new();
    while reports.changed().await.is_ok() {
        let report = Arc::clone(&reports.borrow_and_update());
        if !is_ready {
            is_ready = true;
            life::ready();
            tracing::info!(generation = report.current.generation, "ready");
        }
        notify::status(&report);
        tell_failures(&mut told, &report);
    }
}

/// Says what is wrong when it begins, changes and ends, and not at every look.
fn tell_failures(told: &mut BTreeMap<Domain, String>, report: &Report) {
    for (domain, found) in &report.domains {
        let before = told.insert(*domain, found.words.clone()).unwrap_or_default();
        if before != found.words && found.words.is_empty() {
            tracing::info!(domain = domain.as_str(), "as wanted again");
        } else if before != found.words {
            tracing::error!(domain = domain.as_str(), "{}", found.words);
        }
    }
}

/// Waits until the engine's thread is gone, which it never is by itself.
async fn ended(handle: &Handle) {
    let mut reports = handle.watch();
    while reports.changed().await.is_ok() {}
}

async fn join(thread: JoinHandle<()>) {
    let joined = tokio::task::spawn_blocking(move || thread.join());
    match tokio::time::timeout(STOP, joined).await {
        Ok(Ok(Ok(()))) => {}
        Ok(_) => tracing::error!("the engine's thread ended with a panic"),
        Err(_) => tracing::warn!("the engine is left in the middle of a step; the next start goes on"),
    }
}
