//! Packet capture with a positive control.
//!
//! "Nothing leaked" is worth nothing from a capture that could not have seen a leak. So a capture can count
//! marked packets only after [`Capture::prove`] has shown that it sees one that was sent on purpose.

mod packet;
mod pcap;

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::marker::Marker;
use crate::netns::Namespace;
use crate::process::Child;
use crate::scratch::Scratch;
use crate::{files, wait};

pub use packet::{Packet, protocol};

const START: Duration = Duration::from_secs(10);
const SIGHT: Duration = Duration::from_secs(5);

/// A running capture of one interface; ends on drop.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
    proven: bool,
    place: String,
    _scratch: Scratch,
}

impl Capture {
    /// Starts tcpdump with a filter in its own language (may be empty) and returns once it listens.
    pub fn start(namespace: &Namespace, interface: &str, filter: &str) -> Result<Self> {
        let scratch = Scratch::new("capture")?;
        let (file, log) = (scratch.join("packets"), scratch.join("log"));
        let mut command = namespace.command("tcpdump");
        command
            .args(["-i", interface, "-n", "-s", "0", "-U", "--immediate-mode", "-Z", "root", "-w", "-"])
            .arg(filter)
            .stdin(Stdio::null())
            .stdout(File::create(&file).with_context(|| format!("create {}", file.display()))?)
            .stderr(File::create(&log).with_context(|| format!("create {}", log.display()))?);
        let mut tcpdump = Child::spawn(command)?;
        let place = format!("{interface} in {}", namespace.name());
        wait::value(START, &format!("tcpdump to listen on {place}"), || {
            // The header of the file comes when the filter is in place; the message alone could be early.
            let listens = files::read(&log)?.contains("listening on") && file.metadata()?.len() >= 24;
            if !listens && !tcpdump.is_running() {
                bail!("tcpdump on {place} ended: {}", files::tail(&log, 5));
            }
            Ok(listens.then_some(()))
        })?;
        Ok(Self { tcpdump, file, proven: false, place, _scratch: scratch })
    }

    /// Everything seen so far.
    pub fn packets(&self) -> Result<Vec<Packet>> {
        let bytes = std::fs::read(&self.file).with_context(|| format!("read {}", self.file.display()))?;
        pcap::parse(&bytes)
    }

    /// Waits until a packet satisfies `wanted`.
    pub fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&Packet) -> bool,
    ) -> Result<Packet> {
        wait::value(deadline, &format!("{what} on {}", self.place), || {
            Ok(self.packets()?.into_iter().find(|packet| wanted(packet)))
        })
    }

    /// The positive control: `send` must cause a packet with the marker to pass here, and it must be seen.
    pub fn prove(&mut self, send: impl FnOnce(&Marker) -> Result<()>) -> Result<()> {
        let marker = Marker::random()?;
        send(&marker).context("send the control packet")?;
        self.wait_for("the control packet", SIGHT, |packet| packet.carries(&marker)).context(
            "the capture is blind: it did not see a packet sent on purpose, so its silence proves nothing",
        )?;
        self.proven = true;
        Ok(())
    }

    /// How many packets with this marker were seen; only after [`Capture::prove`].
    pub fn count(&self, marker: &Marker) -> Result<usize> {
        ensure!(self.proven, "the capture on {} was not proven: call prove() first", self.place);
        Ok(self.packets()?.iter().filter(|packet| packet.carries(marker)).count())
    }

    /// Fails, listing them, if packets with this marker were seen; only after [`Capture::prove`].
    pub fn ensure_none(&self, marker: &Marker) -> Result<()> {
        if self.count(marker)? == 0 {
            return Ok(());
        }
        let packets = self.packets()?;
        let leaks: Vec<_> = packets.iter().filter(|p| p.carries(marker)).map(Packet::to_string).collect();
        bail!("{} packets passed {} that should not:\n{}", leaks.len(), self.place, leaks.join("\n"))
    }

    /// Ends the capture and returns what it saw.
    pub fn stop(mut self) -> Result<Vec<Packet>> {
        self.tcpdump.stop(Signal::SIGINT, Duration::from_secs(5))?;
        self.packets()
    }
}
