//! chronyc, asked as a process over chronyd's own socket: its protocol on that socket is nobody's promise, its output is.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pic_model::snapshot::time::{TimeStatus, VERSION};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::report;

/// chronyc gives up by itself after a few seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// A thousand clients are below this.
const MAX_BYTES: u64 = 1 << 20;

/// How chronyd is asked.
#[derive(Debug)]
pub(crate) struct Chronyc {
    program: PathBuf,
    socket: PathBuf,
}

impl Chronyc {
    pub(crate) fn new(program: PathBuf, run: &Path) -> Self {
        Self { program, socket: run.join("chronyd.sock") }
    }

    /// How chronyd is; `None` while it does not answer.
    pub(crate) async fn status(&self) -> Option<TimeStatus> {
        let tracking = report::tracking(&self.ask(&["-N", "tracking"]).await?)?;
        let sources = self.ask(&["-N", "sources"]).await.unwrap_or_default();
        let authentication = self.ask(&["-N", "authdata"]).await.unwrap_or_default();
        let served = self.ask(&["serverstats"]).await.and_then(|text| report::served(&text));
        let clients = self.ask(&["-n", "clients"]).await.unwrap_or_default();
        let (asked, dropped) = served.unwrap_or_default();
        Some(TimeStatus {
            version: VERSION,
            serving: true,
            trouble: None,
            tracking: Some(tracking),
            sources: report::sources(&sources, &authentication),
            clients: report::clients(&clients),
            asked,
            dropped,
        })
    }

    /// Forgets what was measured and measures at once: the clock was set.
    pub(crate) async fn measure_afresh(&self) {
        let told = self.ask(&["-m", "reset sources", "burst 4/4"]).await;
        tracing::info!(heard = told.is_some(), "the host's clock was set; measuring afresh");
    }

    /// The output of a command that went well.
    async fn ask(&self, command: &[&str]) -> Option<String> {
        let mut child = Command::new(&self.program)
            .arg("-c")
            .arg("-h")
            .arg(&self.socket)
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .inspect_err(|error| tracing::debug!(%error, "cannot start chronyc"))
            .ok()?;
        let output = child.stdout.take()?;
        let read = async {
            let mut bytes = Vec::new();
            output.take(MAX_BYTES).read_to_end(&mut bytes).await.ok()?;
            let status = child.wait().await.ok()?;
            status.success().then(|| String::from_utf8_lossy(&bytes).into_owned())
        };
        tokio::time::timeout(PATIENCE, read).await.ok()?
    }
}
