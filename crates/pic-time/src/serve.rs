//! The loop: follow the snapshot and the template, keep chronyd running with what follows from them, say how it is.

use std::io;
use std::time::Duration;

use pic_model::snapshot::time::{TimeStatus, VERSION};
use pic_service::program::{Child, Keeper, Paths};
use pic_service::{chain, file};
use tokio::time::Instant;

use crate::ask::Chronyc;
use crate::clock::Watch;
use crate::daemon::Daemon;
use crate::render::{self, TEMPLATE};
use crate::{port, snapshot};

/// Between two questions to chronyd: while it looks for the time, and once it has it.
const EAGER: Duration = Duration::from_secs(2);
const STEADY: Duration = Duration::from_secs(10);
/// After a failure, before the next try. One that ran for longer is started again at once.
const PAUSE: Duration = Duration::from_secs(5);

/// Everything of the running service.
#[derive(Debug)]
pub struct Service {
    paths: Paths,
    daemon: Daemon,
    chronyc: Chronyc,
    clock: Watch,
    /// Snapshot and template as last read.
    inputs: Inputs,
    /// Whether chronyd has a configuration made from them.
    is_configured: bool,
    /// What is wrong with the inputs, although something may be served.
    refused: Option<String>,
    /// Not to be started before.
    rest: Instant,
    /// Not to be asked before.
    patience: Instant,
    /// Of chronyd.
    started: Instant,
    told: TimeStatus,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Inputs {
    snapshot: Option<Vec<u8>>,
    template: Option<Vec<u8>>,
}

impl Keeper for Service {
    /// Between two looks at the files and the clocks.
    const TICK: Duration = Duration::from_secs(1);

    fn new(paths: Paths) -> Self {
        Self {
            daemon: Daemon::new(&paths),
            chronyc: Chronyc::new(paths.root.join("usr/bin/chronyc"), &paths.run),
            clock: Watch::default(),
            inputs: Inputs::default(),
            is_configured: false,
            refused: None,
            rest: Instant::now(),
            patience: Instant::now(),
            started: Instant::now(),
            told: TimeStatus::default(),
            paths,
        }
    }

    fn child(&mut self) -> &mut Child {
        &mut self.daemon.child
    }

    async fn look(&mut self) {
        let has_jumped = self.clock.has_jumped();
        if has_jumped && self.daemon.child.is_running() {
            self.chronyc.measure_afresh().await;
            self.patience = Instant::now();
        }
        self.follow().await;
        if self.is_configured && !self.daemon.child.is_running() && Instant::now() >= self.rest {
            self.start();
        }
        self.ask().await;
    }

    fn has_ended(&mut self, how: &str) {
        self.fail(format!("chronyd ended ({how}); it is started again"));
        if self.started.elapsed() > PAUSE {
            self.rest = Instant::now();
        }
    }
}

impl Service {
    /// Takes another snapshot or template in.
    async fn follow(&mut self) {
        let read = |path| {
            file::read(path, snapshot::KIND.max)
                .inspect_err(|error| tracing::debug!(path = %path.display(), %error, "cannot read"))
        };
        let (snapshot, template) = (read(&self.paths.snapshot).ok(), read(&self.paths.template).ok());
        // What cannot be read now is as it was.
        let inputs = Inputs {
            snapshot: snapshot.flatten().or_else(|| self.inputs.snapshot.clone()),
            template: template.unwrap_or_else(|| self.inputs.template.clone()),
        };
        let is_resting = Instant::now() < self.rest;
        if inputs.snapshot.is_none() || (inputs == self.inputs && (self.is_configured || is_resting)) {
            return;
        }
        self.inputs = inputs;
        self.refused = None;
        match self.configure().await {
            Ok(()) => {
                self.daemon.child.stop().await;
                (self.rest, self.patience) = (Instant::now(), Instant::now());
                self.is_configured = true;
            }
            Err(words) => {
                self.refused = Some(words.clone());
                self.fail(words);
            }
        }
    }

    /// Writes chronyd's configuration from the inputs. A template of the owner's that fails is told about and the
    /// packaged one used: time is served all the same.
    async fn configure(&mut self) -> Result<(), String> {
        let bytes = self.inputs.snapshot.as_deref().unwrap_or_default();
        let snapshot = snapshot::KIND.parse(&self.paths.snapshot, bytes).map_err(|error| chain(&error))?;
        if !self.daemon.is_installed() {
            return Err(MISSING.to_owned());
        }
        let render = |template: &str| render::config(template, &snapshot, &self.paths.run, &self.paths.state);
        if let Some(owners) = &self.inputs.template {
            let rendered = std::str::from_utf8(owners)
                .map_err(|_| "this is not a text in UTF-8".to_owned())
                .and_then(|template| render(template).map_err(|error| chain(&error)));
            let tried = match rendered {
                Ok(text) => self
                    .daemon
                    .try_config(&self.paths, &text)
                    .await
                    .map_err(|error| self.unwritable(&error))?,
                Err(words) => Err(words),
            };
            match tried {
                Ok(()) => return Ok(()),
                Err(words) => {
                    let words =
                        format!("{}: {words}; the packaged template is used", self.paths.template.display());
                    tracing::error!("{words}");
                    self.refused = Some(words);
                }
            }
        }
        let text = render(TEMPLATE).map_err(|error| chain(&error))?;
        self.daemon.try_config(&self.paths, &text).await.map_err(|error| self.unwritable(&error))?
    }

    fn unwritable(&self, error: &io::Error) -> String {
        format!("cannot try a configuration in {}: {error}", self.paths.run.display())
    }

    fn start(&mut self) {
        let started = if self.daemon.is_installed() {
            port::check()
                .map_err(|error| {
                    format!("udp/123 cannot be had ({error}): another NTP server has it, see `ss -lunp 'sport = :123'`")
                })
                .and_then(|()| self.daemon.start(&self.paths).map_err(|error| format!("cannot start chronyd: {error}")))
        } else {
            Err(MISSING.to_owned())
        };
        match started {
            Ok(()) => {
                self.started = Instant::now();
                tracing::info!("chronyd runs");
            }
            Err(words) => self.fail(words),
        }
    }

    /// Not serving, and why.
    fn fail(&mut self, words: String) {
        if self.told.trouble.as_ref() != Some(&words) {
            tracing::error!("{words}");
        }
        self.rest = Instant::now() + PAUSE;
        // With inputs that fail, what was served before goes on.
        let before = if self.daemon.child.is_running() {
            std::mem::take(&mut self.told)
        } else {
            TimeStatus::default()
        };
        self.told = TimeStatus { version: VERSION, trouble: Some(words), ..before };
        self.paths.tell(&self.told);
    }

    /// Says how chronyd is.
    async fn ask(&mut self) {
        if !self.daemon.child.is_running() || Instant::now() < self.patience {
            return;
        }
        let Some(told) = self.chronyc.status().await else { return };
        let is_steady = told.tracking.as_ref().is_some_and(|tracking| tracking.synchronised);
        self.patience = Instant::now() + if is_steady { STEADY } else { EAGER };
        self.told = TimeStatus { trouble: self.refused.clone(), ..told };
        self.paths.tell(&self.told);
    }
}

const MISSING: &str = "chrony is not installed: apt-get install chrony";
