//! `pic-dhcp`: see the library of the same name.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pic_dhcp::serve::{self, Paths};
use pic_service::life;

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
    pic_service::log::init("info");
    life::exit(serve::run(Paths { snapshot: args.snapshot, leases: args.leases, run: args.run }))
}
