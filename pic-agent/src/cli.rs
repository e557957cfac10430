//! Command line of `pic-agent`. Also the source of its man page.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::paths::Paths;

/// Agent of a cell: makes the host what cell.toml says and keeps it so.
#[derive(Debug, Parser)]
#[command(name = "pic-agent", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the agent can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run until stopped. Stopping leaves the host as it is.
    Run {
        /// Folders.
        #[command(flatten)]
        places: Places,
        /// Without systemd: run pic-dns and pic-wg from this folder as processes of its own.
        #[arg(long, value_name = "FOLDER")]
        children: Option<PathBuf>,
    },
    /// Remove everything of the cell from the host: interface, rules, routes, firewall, units, kernel settings.
    Teardown {
        /// Folders.
        #[command(flatten)]
        places: Places,
        /// As given to `run`.
        #[arg(long, value_name = "FOLDER")]
        children: Option<PathBuf>,
    },
    /// Point the host itself at the cell, or back. Used by pic-resolver.service.
    Resolver {
        /// What to do.
        #[command(subcommand)]
        verb: ResolverVerb,
    },
    /// Print the OpenAPI document of the API.
    Openapi,
}

/// What can be done about the host's own resolver.
#[derive(Debug, Clone, Subcommand)]
pub enum ResolverVerb {
    /// Ask the cell's name server a question; fails unless it answers and the host is to ask it.
    Check(State),
    /// Have the host ask the cell.
    Take(State),
    /// Have the host ask whom it asked before.
    Release(State),
}

/// Where the cell's state is.
#[derive(Debug, Clone, Args)]
pub struct State {
    /// Folder of ledger, secrets and snapshots.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/pic")]
    pub state: PathBuf,
}

/// Where things are.
#[derive(Debug, Args)]
pub struct Places {
    /// Socket to listen on.
    #[arg(long, value_name = "PATH", default_value = pic_api::SOCKET)]
    socket: PathBuf,
    /// Desired state.
    #[arg(long, value_name = "PATH", default_value = "/etc/pic/cell.toml")]
    config: PathBuf,
    /// Folder of ledger, secrets and snapshots.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/pic")]
    state: PathBuf,
    /// Folder of what ends with a reboot.
    #[arg(long, value_name = "FOLDER", default_value = "/run/pic")]
    run: PathBuf,
    /// Where Debian's chrony is installed.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    chrony: PathBuf,
    /// Where Debian's tor is installed.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    tor: PathBuf,
    /// Where Debian's openvpn is installed.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    openvpn: PathBuf,
}

impl Places {
    /// As paths.
    pub fn paths(&self) -> Paths {
        Paths {
            socket: self.socket.clone(),
            config: self.config.clone(),
            state: self.state.clone(),
            run: self.run.clone(),
            chrony: self.chrony.clone(),
            tor: self.tor.clone(),
            openvpn: self.openvpn.clone(),
        }
    }
}

/// Command line of `pic-guard`.
#[derive(Debug, Parser)]
#[command(name = "pic-guard", version, max_term_width = 100)]
/// Blocks at early boot what the cell's rules would block, before any network interface is up.
pub struct GuardCli {
    /// Desired state, used when the ledger cannot be read.
    #[arg(long, value_name = "PATH", default_value = "/etc/pic/cell.toml")]
    pub config: PathBuf,
    /// Folder of ledger and secrets.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/pic")]
    pub state: PathBuf,
}

/// The command line of `pic-agent`, for man pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The command line of `pic-guard`, for man pages.
pub fn guard_command() -> clap::Command {
    GuardCli::command()
}
