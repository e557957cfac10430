//! Units of systemd, over its bus interface (org.freedesktop.systemd1(5)).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use pic_plan::target::unit::UnitState;
use zbus::OwnedObjectPath;

use super::Error;

/// systemd's own limits (90 s by default) strike before; this one is for a systemd that does not answer.
const PATIENCE: Duration = Duration::from_secs(100);
/// A job of the same unit that waits is replaced by ours.
const MODE: &str = "replace";

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reload_or_restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, unit: String, result: String) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
trait Unit {
    #[zbus(property(emits_changed_signal = "false"))]
    fn active_state(&self) -> zbus::Result<String>;
}

/// What to do with a unit.
#[derive(Clone, Copy)]
enum Verb {
    Start,
    Reload,
    Stop,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Stop => "stop",
        }
    }
}

/// A connection to systemd.
#[derive(Debug, Clone)]
pub struct Systemd {
    manager: ManagerProxy<'static>,
}

impl Systemd {
    /// Connects to the system bus.
    pub async fn connect() -> Result<Self, Error> {
        let connection = zbus::Connection::system().await.map_err(Error::Bus)?;
        let manager = ManagerProxy::new(&connection).await.map_err(Error::Bus)?;
        // Without it systemd sends no signals to us.
        manager.subscribe().await.map_err(Error::Bus)?;
        Ok(Self { manager })
    }

    pub(super) async fn observe(&self, names: &[&str]) -> Result<BTreeMap<String, UnitState>, Error> {
        let mut states = BTreeMap::new();
        for name in names {
            let words = self.active_state(name).await.map_err(|source| failed("read", name, source))?;
            states.insert((*name).to_owned(), UnitState { active: is_active(&words), words });
        }
        Ok(states)
    }

    async fn active_state(&self, name: &str) -> zbus::Result<String> {
        let path = self.manager.load_unit(name).await?;
        UnitProxy::builder(self.manager.inner().connection()).path(path).build().await?.active_state().await
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), Error> {
        // A unit that failed too often refuses to start; how often to try is the engine's decision.
        let _ = self.manager.reset_failed_unit(name).await;
        self.job(Verb::Start, name).await
    }

    pub(super) async fn reload_or_start(&self, name: &str) -> Result<(), Error> {
        let _ = self.manager.reset_failed_unit(name).await;
        self.job(Verb::Reload, name).await
    }

    pub(super) async fn stop(&self, name: &str) -> Result<(), Error> {
        match self.job(Verb::Stop, name).await {
            Err(Error::Systemd { source, .. }) if is_unknown_unit(&source) => Ok(()),
            other => other,
        }
    }

    async fn job(&self, verb: Verb, name: &str) -> Result<(), Error> {
        match tokio::time::timeout(PATIENCE, self.run_job(verb, name)).await {
            Ok(Ok(result)) if result == "done" => Ok(()),
            Ok(Ok(result)) => Err(Error::Job { verb: verb.word(), unit: name.to_owned(), result }),
            Ok(Err(source)) => Err(failed(verb.word(), name, source)),
            Err(_) => {
                Err(Error::Late { verb: verb.word(), unit: name.to_owned(), seconds: PATIENCE.as_secs() })
            }
        }
    }

    async fn run_job(&self, verb: Verb, name: &str) -> zbus::Result<String> {
        // Listen first: a quick job is over before the answer to the call is read.
        let mut removed = self.manager.receive_job_removed().await?;
        let job = match verb {
            Verb::Start => self.manager.start_unit(name, MODE).await?,
            Verb::Reload => self.manager.reload_or_restart_unit(name, MODE).await?,
            Verb::Stop => self.manager.stop_unit(name, MODE).await?,
        };
        while let Some(signal) = removed.next().await {
            let args = signal.args()?;
            if args.job == job {
                return Ok(args.result.clone());
            }
        }
        Err(zbus::Error::Failure("the bus connection ended".to_owned()))
    }
}

fn failed(verb: &'static str, unit: &str, source: zbus::Error) -> Error {
    Error::Systemd { verb, unit: unit.to_owned(), source }
}

/// On the way there and back counts as active, so that a unit in motion is neither started nor stopped again.
fn is_active(words: &str) -> bool {
    matches!(words, "active" | "activating" | "deactivating" | "reloading" | "refreshing")
}

fn is_unknown_unit(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::MethodError(name, ..) if name.as_str() == "org.freedesktop.systemd1.NoSuchUnit")
}
