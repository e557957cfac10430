//! `perfdhcp`, and what it says.

use anyhow::{Context as _, Result};
use pic_lab::Namespace;
use pic_lab::cmd;
use std::time::Duration;

/// Clients that the load stands for.
pub(super) const CLIENTS: u32 = 60_000;

/// Which protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// DHCPv4, as a relay does.
    V4,
    /// DHCPv6, from the link.
    V6,
}

impl Family {
    /// Where the load comes from.
    fn from(self) -> &'static [&'static str] {
        match self {
            Self::V4 => &["-4", "-l", "10.88.0.2", "-L", "67"],
            Self::V6 => &["-6", "-l", "cli"],
        }
    }

    fn to(self) -> &'static str {
        match self {
            Self::V4 => "10.88.0.1",
            Self::V6 => "all",
        }
    }

    /// The first and the second half of an exchange, as the statistics call them.
    fn halves(self) -> [&'static str; 2] {
        match self {
            Self::V4 => ["DISCOVER-OFFER", "REQUEST-ACK"],
            Self::V6 => ["SOLICIT-ADVERTISE", "REQUEST-REPLY"],
        }
    }
}

/// What a load has come to.
#[derive(Debug, Clone)]
pub(super) struct Load {
    /// Exchanges a second that were finished.
    pub(super) rate: f64,
    /// Exchanges that were finished.
    pub(super) exchanges: f64,
    begun: f64,
    /// Milliseconds from a request to its acknowledgement, of which one in a hundred takes longer.
    pub(super) p99: f64,
}

impl Load {
    /// Part of the exchanges that came to no end.
    pub(super) fn unfinished(&self) -> f64 {
        1.0 - self.exchanges / self.begun.max(1.0)
    }

    /// Runs it.
    pub(super) fn run(from: &Namespace, family: Family, rate: u32, seconds: u32) -> Result<Self> {
        let mut command = from.command("taskset");
        command.args(["-c", "0", "perfdhcp"]).args(family.from()).args(["-g", "single"]);
        command.args(["-R", &CLIENTS.to_string(), "-r", &rate.to_string(), "-p", &seconds.to_string()]);
        command.args(["-W", "400000", "-x", "t", family.to()]);
        // It ends with 3 where some exchanges did not.
        let out = cmd::run_for(&mut command, Duration::from_secs(120), b"")?;
        Self::read(&out.stdout, family)
            .with_context(|| format!("{}{}", &out.stdout[..out.stdout.len().min(2000)], out.stderr))
    }

    fn read(text: &str, family: Family) -> Result<Self> {
        let [first, second] = family.halves();
        let number = |from: &str, key: &str| -> Option<f64> {
            let (_, rest) = text.split_once(from)?;
            let (_, rest) = rest.split_once(key)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        let rate = number("Rate statistics", "Rate:").context("no rate")?;
        let begun = number(first, "sent packets:").context("no sent packets")?;
        let exchanges = number(second, "received packets:").context("no received packets")?;
        Ok(Self { rate, exchanges, begun, p99: p99(text, second) })
    }
}

/// Of the time stamps behind the statistics of requests.
fn p99(text: &str, section: &str) -> f64 {
    let part = text.split_once(section).map_or("", |(_, rest)| rest);
    let seconds = |word: &str| {
        let (whole, micro) = word.split_once('.')?;
        Some(whole.parse::<f64>().ok()? + micro.parse::<f64>().ok()? / 1e6)
    };
    let delay = |line: &str| {
        let (sent, received) = line.strip_prefix("sent / received: ")?.split_once(" / ")?;
        Some((seconds(received.trim())? - seconds(sent.trim())?) * 1e3)
    };
    let mut delays: Vec<f64> = part.lines().filter_map(delay).collect();
    delays.sort_by(f64::total_cmp);
    delays.get(delays.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}
