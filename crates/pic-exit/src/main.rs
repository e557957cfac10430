//! `pic-exit`: see the library of the same name.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use pic_exit::tor;
use pic_service::life;

/// Exits of a cell that are programs of others.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// What kind of exit.
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// The Tor network.
    Tor(Tor),
}

#[derive(Debug, Args)]
struct Tor {
    /// What to do; written by the agent, followed while running.
    #[arg(long, value_name = "PATH")]
    snapshot: PathBuf,
    /// The owner's template of tor's configuration, followed while running.
    #[arg(long, value_name = "PATH", default_value = "/etc/pic/templates/torrc")]
    template: PathBuf,
    /// Where to report how the exit is.
    #[arg(long, value_name = "PATH")]
    status: PathBuf,
    /// Folder of tor's configuration and control socket.
    #[arg(long, value_name = "FOLDER")]
    run: PathBuf,
    /// Folder of what tor keeps over a reboot.
    #[arg(long, value_name = "FOLDER")]
    state: PathBuf,
    /// Where tor is installed.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    tor: PathBuf,
}

fn main() -> ExitCode {
    let Kind::Tor(args) = Cli::parse().kind;
    pic_service::log::init("info");
    let paths = tor::Paths {
        snapshot: args.snapshot,
        template: args.template,
        status: args.status,
        run: args.run,
        state: args.state,
        program: args.tor.join("usr/bin/tor"),
    };
    life::exit(tor::main(paths))
}
