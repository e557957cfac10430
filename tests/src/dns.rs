//! The outside name server: dnsmasq answering for `outside.example` and nothing else.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::netns::Namespace;
use crate::netns::internet::address::{OUTSIDE, OUTSIDE_DNS, OUTSIDE_NAME, STREAMS};
use crate::process::Child;
use crate::scratch::Scratch;
use crate::{files, stage, tools, wait};

/// A running name server that logs every question.
#[derive(Debug)]
pub struct OutsideDns {
    _server: Child,
    log: PathBuf,
    _scratch: Scratch,
}

impl OutsideDns {
    /// Starts it, or says that this machine has no dnsmasq (Debian: `dnsmasq-base`) and gives `None`.
    pub fn start_if_possible(namespace: &Namespace) -> Result<Option<Self>> {
        if !tools::is_here(&tools::NAMES) {
            stage::note("no outside name server: install dnsmasq-base to have one");
            return Ok(None);
        }
        Self::start(namespace).map(Some)
    }

    fn start(namespace: &Namespace) -> Result<Self> {
        let scratch = Scratch::new("dns")?;
        let log = scratch.join("queries.log");
        let file = std::fs::File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let [v4, v6] = OUTSIDE_DNS;
        let mut command = namespace.command(tools::NAMES.0);
        command
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"])
            .args(["--no-resolv", "--no-hosts", "--bind-interfaces", "--local=/outside.example/"])
            .args([format!("--listen-address={v4}"), format!("--listen-address={v6}")])
            .arg(format!("--host-record={OUTSIDE_NAME},{},{}", OUTSIDE[0], OUTSIDE[1]))
            .args(
                ["a.stream", "edge"]
                    .into_iter()
                    .zip(STREAMS)
                    .map(|(name, [v4, v6])| format!("--host-record={name}.outside.example,{v4},{v6},900")),
            )
            .arg("--cname=film.stream.outside.example,edge.outside.example,900")
            .args(["--log-queries=extra", "--log-facility=-"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let mut server = Child::spawn(command)?;
        let ready = wait::until(Duration::from_secs(5), "dnsmasq to start", || {
            !server.is_running() || files::read(&log).is_ok_and(|text| text.contains("started"))
        });
        ready
            .and_then(|()| {
                anyhow::ensure!(server.is_running(), "dnsmasq did not start");
                Ok(())
            })
            .with_context(|| files::tail(&log, 5))?;
        Ok(Self { _server: server, log, _scratch: scratch })
    }

    /// The log lines of all questions so far.
    pub fn queries(&self) -> Result<Vec<String>> {
        let text = files::read(&self.log)?;
        Ok(text.lines().filter(|line| line.contains("query[")).map(str::to_owned).collect())
    }
}
