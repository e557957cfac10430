//! `pic-dhcp`: see the library of the same name.
#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pic_dhcp::serve::{self, Paths};
use tracing_subscriber::EnvFilter;

/// DHCP service of a cell.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// What to serve; written by the agent, followed while running.
    #[arg(long, default_value = "/var/lib/pic/dhcp/lans.json")]
    snapshot: PathBuf,
    /// Folder of the leases.
    #[arg(long, default_value = "/var/lib/pic/dhcp/leases")]
    leases: PathBuf,
    /// Folder for the socket and the names of leases.
    #[arg(long, default_value = "/run/pic-dhcp")]
    run: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = std::io::stderr().is_terminal();
    // journald adds the time itself.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_env_filter(filter)
        .without_time()
        .init();
    match serve::run(Paths { snapshot: args.snapshot, leases: args.leases, run: args.run }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", serve::chain(&error));
            ExitCode::FAILURE
        }
    }
}
