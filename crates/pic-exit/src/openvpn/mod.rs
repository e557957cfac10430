//! An exit by OpenVPN: follow the snapshot and the template, keep openvpn running with what follows from them, answer what
//! it asks, say how it is and what its server gave.
//!
//! The interface is ours ([`device`]) and outlives openvpn; openvpn itself has no power over it or anything else. It is
//! told user and password through its control socket, so that these are in no file.

mod control;
pub mod device;
pub mod render;
pub mod report;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pic_model::snapshot::openvpn::{OpenvpnGiven, OpenvpnSnapshot, OpenvpnStatus, VERSION};
use pic_service::chain;
use pic_service::program::{Child, Keeper, Paths, since_boot_ms};
use pic_service::snapshot::Kind;
use tokio::time::Instant;

use crate::inputs::{Found, Inputs};
use control::Control;
use render::TEMPLATE;
use report::{Phase, Said};

/// After a failure, before the next try; twice as long each time.
const PAUSE: Duration = Duration::from_secs(2);
/// The same at the most; and after the server refused us, as it may count how often.
const LONG_PAUSE: Duration = Duration::from_secs(30);
/// Name of openvpn's configuration.
const CONFIG: &str = "openvpn.conf";
/// Name of its control socket.
const SOCKET: &str = "control";
const MISSING: &str = "openvpn is not installed: apt-get install openvpn";

/// The snapshot. A provider's file is of 256 KiB at the most.
pub const KIND: Kind<OpenvpnSnapshot> =
    Kind { program: "pic-exit", version: VERSION, version_of: |snapshot| snapshot.version, max: 1 << 20 };

/// The exit.
#[derive(Debug)]
pub struct Exit {
    paths: Paths,
    openvpn: Child,
    control: Control,
    inputs: Inputs,
    /// What openvpn's configuration was made from, if it has one.
    snapshot: Option<OpenvpnSnapshot>,
    /// Not to be tried before.
    rest: Instant,
    pause: Duration,
    status: OpenvpnStatus,
    /// What the server gives, until the tunnel stands.
    giving: OpenvpnGiven,
    /// openvpn's last complaint.
    complaint: String,
}

impl Keeper for Exit {
    /// The agent counts silence of ten as an exit that does not work.
    const TICK: Duration = Duration::from_millis(200);

    fn new(paths: Paths) -> Self {
        Self {
            paths,
            openvpn: Child::default(),
            control: Control::default(),
            inputs: Inputs::default(),
            snapshot: None,
            rest: Instant::now(),
            pause: PAUSE,
            status: OpenvpnStatus { version: VERSION, ..OpenvpnStatus::default() },
            giving: OpenvpnGiven::default(),
            complaint: String::new(),
        }
    }

    fn child(&mut self) -> &mut Child {
        &mut self.openvpn
    }

    async fn look(&mut self) {
        self.follow().await;
        if self.snapshot.is_some() && !self.openvpn.is_running() && Instant::now() >= self.rest {
            self.start();
        }
        if self.openvpn.is_running() {
            self.listen();
        }
        self.status.at_ms = since_boot_ms();
        self.paths.tell(&self.status);
    }

    fn has_ended(&mut self, how: &str) {
        // What it said last is still to be read.
        self.listen();
        self.control = Control::default();
        self.status.connected = false;
        self.status.percent = 0;
        if self.status.trouble.is_none() {
            self.fail(if self.complaint.is_empty() {
                let template = self.paths.template.display();
                let is_of_owner = self.inputs.is_of_owner();
                let why = if is_of_owner { format!(": is {template} right?") } else { String::new() };
                format!("openvpn ended ({how}); it is started again{why}")
            } else {
                format!("openvpn ended: {}", self.complaint)
            });
        }
        self.rest = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONG_PAUSE);
    }
}

impl Exit {
    /// Takes another snapshot or template in. A snapshot that cannot be read now is as it was; without the template that is
    /// there openvpn stands still, for the packaged one might not do what the owner's does.
    async fn follow(&mut self) {
        match self.inputs.look(&self.paths, KIND.max, "pic-openvpn") {
            Found::Unreadable(words) => return self.halt(words).await,
            Found::Same if self.snapshot.is_some() || Instant::now() < self.rest => return,
            Found::Same | Found::Other => {}
        }
        match self.configure() {
            Ok(snapshot) => {
                self.stop().await;
                (self.snapshot, self.rest, self.pause) = (snapshot, Instant::now(), PAUSE);
                self.status.trouble = None;
            }
            Err(words) => self.halt(words).await,
        }
    }

    /// Ends openvpn until something changes.
    async fn halt(&mut self, words: String) {
        self.stop().await;
        self.snapshot = None;
        self.rest = Instant::now() + PAUSE;
        self.fail(words);
    }

    async fn stop(&mut self) {
        self.openvpn.stop().await;
        self.control = Control::default();
        (self.status.connected, self.status.percent) = (false, 0);
    }

    /// Writes openvpn's configuration from the inputs; none where nothing is wanted.
    fn configure(&self) -> Result<Option<OpenvpnSnapshot>, String> {
        let Some(bytes) = self.inputs.snapshot() else { return Ok(None) };
        let snapshot = KIND.parse(&self.paths.snapshot, bytes).map_err(|error| chain(&error))?;
        if !self.program().exists() {
            return Err(MISSING.to_owned());
        }
        let of_owner = |words: String| self.inputs.of_owner(&self.paths, &words);
        let template = self.inputs.template(TEMPLATE).map_err(of_owner)?;
        let text =
            render::config(template, &snapshot, &self.paths.run).map_err(|error| of_owner(chain(&error)))?;
        let fail = |error: io::Error| format!("cannot write into {}: {error}", self.paths.run.display());
        self.paths.put_config(CONFIG, &text).map_err(fail)?;
        Ok(Some(snapshot))
    }

    fn program(&self) -> PathBuf {
        self.paths.root.join("usr/sbin/openvpn")
    }

    fn start(&mut self) {
        self.complaint.clear();
        // One that is left behind would be taken for the new one's.
        let _ = std::fs::remove_file(self.paths.run.join(SOCKET));
        let config = self.paths.run.join(CONFIG);
        // The power that made the interface is not handed on.
        let arguments: [OsString; 5] = [
            "--ambient-caps=-all".into(),
            "--inh-caps=-all".into(),
            self.program().into(),
            "--config".into(),
            config.into(),
        ];
        match self.openvpn.start(Path::new("setpriv"), arguments) {
            Ok(()) => tracing::info!("openvpn runs"),
            Err(error) => {
                self.rest = Instant::now() + PAUSE;
                self.fail(format!("cannot start openvpn: {error}"));
            }
        }
    }

    fn listen(&mut self) {
        for line in self.control.lines(&self.paths.run.join(SOCKET)) {
            if let Some(words) = report::logged(&line) {
                tracing::info!("openvpn: {words}");
            }
            if let Some(said) = report::read(&line) {
                self.hear(said);
            }
        }
    }

    fn fail(&mut self, words: String) {
        if self.status.trouble.as_ref() != Some(&words) {
            tracing::error!("{words}");
        }
        self.status.trouble = Some(words);
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::AsksCredentials => {
                let known = self.snapshot.as_ref().and_then(|snapshot| snapshot.credentials.as_ref());
                match known {
                    Some(both) => self.control.answer(both),
                    None => self.fail(
                        "the provider asks for a user name and a password, which the file lacks".to_owned(),
                    ),
                }
            }
            Said::AsksMore => {
                self.fail("the provider asks for more than a user name and a password, which nobody would type here".to_owned());
            }
            Said::Refused => {
                self.pause = LONG_PAUSE;
                let why = Some(self.complaint.as_str()).filter(|words| !words.is_empty());
                let why = why.map(|words| format!(" ({words})")).unwrap_or_default();
                self.fail(format!("the server refuses the user name or the password{why}"));
            }
            // The first is the cause of those that follow.
            Said::Complaint(words) if self.complaint.is_empty() => self.complaint = words,
            Said::Complaint(_) => {}
            Said::Reason(words) => self.complaint = words,
            Said::Fatal(words) => self.fail(format!("openvpn cannot go on: {words}")),
            Said::Gives(dns) => self.giving.dns = dns,
            Said::Bytes(received, sent) => (self.status.rx_bytes, self.status.tx_bytes) = (received, sent),
            Said::Is(phase) => self.is(phase),
        }
    }

    fn is(&mut self, phase: Phase) {
        self.status.connected = matches!(phase, Phase::Connected { .. });
        self.status.percent = phase.percent();
        self.status.doing = phase.words().to_owned();
        match phase {
            Phase::Connected { addresses } => {
                tracing::info!("the tunnel stands");
                let file = self.snapshot.as_ref().map(|snapshot| snapshot.file.clone()).unwrap_or_default();
                self.status.given =
                    Some(OpenvpnGiven { file, addresses, ..std::mem::take(&mut self.giving) });
                self.status.trouble = None;
                self.complaint.clear();
                self.pause = PAUSE;
            }
            Phase::Again(why) => {
                let more = Some(self.complaint.as_str()).filter(|words| !words.is_empty());
                let more = more.map(|words| format!(": {words}")).unwrap_or_default();
                self.fail(format!("{why}{more}"));
            }
            Phase::OnItsWay { is_first, .. } => {
                if is_first {
                    self.complaint.clear();
                }
            }
            Phase::Ends => {}
        }
    }
}
