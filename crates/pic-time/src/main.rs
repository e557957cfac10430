//! `pic-time`: see the library of the same name.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pic_service::life;
use pic_service::program::{Paths, keep};
use pic_time::serve::Service;

/// Time service of a cell.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// What to serve; written by the agent, followed while running.
    #[arg(long, value_name = "PATH", default_value = "/var/lib/pic/time/time.json")]
    snapshot: PathBuf,
    /// The owner's template of chronyd's configuration, followed while running.
    #[arg(long, value_name = "PATH", default_value = "/etc/pic/templates/chrony.conf")]
    template: PathBuf,
    /// Where to report how the service is doing.
    #[arg(long, value_name = "PATH", default_value = "/run/pic-time/status.json")]
    status: PathBuf,
    /// Folder of chronyd's configuration and socket. The profile of its package allows no other.
    #[arg(long, value_name = "FOLDER", default_value = "/run/chrony")]
    run: PathBuf,
    /// Folder of what chronyd keeps over a reboot.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/chrony")]
    state: PathBuf,
    /// Where chrony is installed.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    chrony: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    pic_service::log::init("info");
    let paths = Paths {
        snapshot: args.snapshot,
        template: args.template,
        status: args.status,
        run: args.run,
        state: args.state,
        root: args.chrony,
    };
    life::exit(keep::<Service>(paths))
}
