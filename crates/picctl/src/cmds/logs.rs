//! `picctl logs`: becomes `journalctl` over the cell's units.

use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::exit::Failure;
use crate::{Context, Outcome};

/// Arguments of `picctl logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Stay and show what comes.
    #[arg(long, short)]
    follow: bool,
    /// Only this service.
    #[arg(long, short, value_name = "UNIT")]
    unit: Option<Unit>,
    /// At most this many lines, the newest.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    lines: u32,
    /// Only from then on, as journalctl understands it: "1 hour ago", "yesterday", "2026-11-30 08:00".
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

/// The cell's services.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unit {
    /// Keeps the host as wanted.
    Agent,
    /// Blocks before the network is up.
    Guard,
    /// The name server.
    Dns,
    /// Addresses on the LANs.
    Dhcp,
    /// The time server.
    Time,
    /// WireGuard for kernels without it.
    Wg,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Agent => "pic-agent.service",
            Self::Guard => "pic-guard.service",
            Self::Dns => "pic-dns.service",
            Self::Dhcp => "pic-dhcp.service",
            Self::Time => "pic-time.service",
            Self::Wg => "pic-wg.service",
        }
    }
}

pub(super) fn run(context: &Context, args: Logs) -> Outcome {
    let mut journal = Command::new("journalctl");
    journal.args(["--unit", args.unit.map_or("pic-*.service", Unit::name)]);
    journal.arg(format!("--lines={}", args.lines));
    if let Some(since) = args.since {
        journal.arg(format!("--since={since}"));
    }
    // What is newest is what is asked for: a pager begins there.
    journal.arg(if args.follow { "--follow" } else { "--pager-end" });
    if context.out.json {
        journal.arg("--output=json");
    }
    // Returns only if it failed: on success this process is journalctl.
    let source = journal.exec();
    Err(Failure::File { verb: "run", path: "journalctl".into(), source })
}
