//! A Tor exit: follow the snapshot and the template, keep tor running with what follows from them, say how it
//! is. Without a snapshot there is no exit and no tor.

mod control;
pub mod render;
pub mod report;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pic_model::snapshot::exit::{ExitStatus, VERSION as STATUS_VERSION};
use pic_model::snapshot::tor::{TorSnapshot, VERSION};
use pic_service::chain;
use pic_service::program::{Child, Keeper, Paths, since_boot_ms};
use pic_service::snapshot::Kind;
use tokio::process::Command;
use tokio::time::Instant;

use crate::inputs::{Found, Inputs};
use control::Control;
use render::TEMPLATE;
use report::Report;

/// tor answers at once or not at all.
const ANSWER: Duration = Duration::from_millis(400);
/// After a failure, before the next try.
const PAUSE: Duration = Duration::from_secs(2);

/// The snapshot.
pub const KIND: Kind<TorSnapshot> =
    Kind { program: "pic-exit", version: VERSION, version_of: |snapshot| snapshot.version, max: 16 << 10 };

/// The exit.
#[derive(Debug)]
pub struct Exit {
    paths: Paths,
    tor: Child,
    control: Control,
    inputs: Inputs,
    /// Whether tor has a configuration made from them.
    is_configured: bool,
    /// Not to be tried before.
    rest: Instant,
    trouble: Option<String>,
}

impl Keeper for Exit {
    /// The agent counts silence of three as an exit that does not work.
    const TICK: Duration = Duration::from_millis(500);

    fn new(paths: Paths) -> Self {
        Self {
            paths,
            tor: Child::default(),
            control: Control::default(),
            inputs: Inputs::default(),
            is_configured: false,
            rest: Instant::now(),
            trouble: None,
        }
    }

    fn child(&mut self) -> &mut Child {
        &mut self.tor
    }

    async fn look(&mut self) {
        self.follow().await;
        if self.is_configured && !self.tor.is_running() && Instant::now() >= self.rest {
            self.start();
        }
        let report = self.ask().await;
        self.tell(report);
    }

    fn has_ended(&mut self, how: &str) {
        self.fail(format!("tor ended ({how}); it is started again"));
    }
}

impl Exit {
    /// Takes another snapshot or template in. A snapshot that cannot be read now is as it was; without the template that is
    /// there tor stands still, for the packaged one might tell somebody what the owner's does not.
    async fn follow(&mut self) {
        match self.inputs.look(&self.paths, KIND.max, "pic-tor") {
            Found::Unreadable(words) => return self.halt(words).await,
            Found::Same if self.is_configured || Instant::now() < self.rest => return,
            Found::Same | Found::Other => {}
        }
        self.is_configured = false;
        match self.configure().await {
            Ok(is_wanted) => {
                self.tor.stop().await;
                (self.is_configured, self.rest, self.trouble) = (is_wanted, Instant::now(), None);
            }
            // With another configuration than was asked for it might tell somebody what he must not know.
            Err(words) => self.halt(words).await,
        }
    }

    /// Ends tor until something changes.
    async fn halt(&mut self, words: String) {
        self.is_configured = false;
        self.tor.stop().await;
        self.fail(words);
    }

    /// Writes tor's configuration from the inputs; `false` where nothing is wanted. Where the owner's template fails the
    /// packaged one does not take its place: it might have had bridges, so that nobody sees Tor here.
    async fn configure(&self) -> Result<bool, String> {
        let Some(bytes) = self.inputs.snapshot() else { return Ok(false) };
        let snapshot = KIND.parse(&self.paths.snapshot, bytes).map_err(|error| chain(&error))?;
        if !self.program().exists() {
            return Err(MISSING.to_owned());
        }
        let of_owner = |words: String| self.inputs.of_owner(&self.paths, &words);
        let template = self.inputs.template(TEMPLATE).map_err(of_owner)?;
        let text = render::config(template, &snapshot, &self.paths.run, &self.paths.state)
            .map_err(|error| of_owner(chain(&error)))?;
        let tried = self.try_config(&text).await;
        tried
            .map_err(|error| format!("cannot try a configuration in {}: {error}", self.paths.run.display()))?
            .map_err(of_owner)?;
        Ok(true)
    }

    /// Writes a configuration beside the one in use; what tor says against it, if it does.
    async fn try_config(&self, text: &str) -> io::Result<Result<(), String>> {
        let tried = self.paths.try_config(CONFIG, text, |new| {
            // The distribution's own settings are for its own service.
            File::create(self.defaults())?;
            let mut command = Command::new(self.program());
            command.arg("--verify-config").args(self.arguments(new));
            Ok(command)
        });
        let Some(refused) = tried.await? else { return Ok(Ok(())) };
        let said = String::from_utf8_lossy(&refused.stdout);
        // Its words stand behind the time and the level.
        let mut words = said.lines().filter_map(|line| line.split_once("[warn] ").map(|(_, words)| words));
        let words = words.rfind(|words| !words.contains("Tor as root"));
        Ok(Err(words.unwrap_or("tor refuses it").chars().take(300).collect()))
    }

    fn program(&self) -> PathBuf {
        self.paths.root.join("usr/bin/tor")
    }

    fn defaults(&self) -> PathBuf {
        self.paths.run.join("defaults")
    }

    fn arguments(&self, config: &Path) -> [OsString; 4] {
        ["--defaults-torrc".into(), self.defaults().into(), "-f".into(), config.into()]
    }

    fn start(&mut self) {
        let arguments = self.arguments(&self.paths.run.join(CONFIG));
        match self.tor.start(&self.program(), arguments) {
            Ok(()) => tracing::info!("tor runs"),
            Err(error) => self.fail(format!("cannot start tor: {error}")),
        }
    }

    fn fail(&mut self, words: String) {
        if self.trouble.as_ref() != Some(&words) {
            tracing::error!("{words}");
        }
        self.rest = Instant::now() + PAUSE;
        self.trouble = Some(words);
    }

    /// Asks tor how it is.
    async fn ask(&mut self) -> Option<Report> {
        if !self.tor.is_running() {
            return None;
        }
        let socket = self.paths.run.join("control");
        let asked = tokio::time::timeout(ANSWER, self.control.ask(&socket)).await;
        let report = asked.ok()?.inspect_err(|error| tracing::debug!(%error, "tor says nothing")).ok()?;
        let report = report::read(&report)?;
        self.trouble = None;
        Some(report)
    }

    /// Says what is known, for the agent. Failing to is not worth more than a line in the log: it counts as not working.
    fn tell(&self, report: Option<Report>) {
        let report = report.unwrap_or_default();
        self.paths.tell(&ExitStatus {
            version: STATUS_VERSION,
            at_ms: since_boot_ms(),
            connected: report.connected,
            percent: report.percent,
            doing: report.doing,
            trouble: self.trouble.clone(),
        });
    }
}

/// Name of tor's configuration.
const CONFIG: &str = "torrc";
const MISSING: &str = "tor is not installed: apt-get install tor";
