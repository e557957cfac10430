//! `pic-exit`: see the library of the same name.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use pic_exit::{openvpn, proxy, tor};
use pic_service::life;
use pic_service::program::{Paths, keep};

/// Exits of a cell that are programs on this host.
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
    /// A provider's OpenVPN server.
    Openvpn(Openvpn),
    /// A proxy.
    Proxy(Proxy),
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

#[derive(Debug, Args)]
struct Proxy {
    /// What to do; written by the agent, followed while running.
    #[arg(long, value_name = "PATH")]
    snapshot: PathBuf,
    /// Where to report how the exit is.
    #[arg(long, value_name = "PATH")]
    status: PathBuf,
}

#[derive(Debug, Args)]
struct Openvpn {
    /// The interface, which is made.
    #[arg(long, value_name = "NAME")]
    interface: String,
    /// What to do; written by the agent, followed while running.
    #[arg(long, value_name = "PATH")]
    snapshot: PathBuf,
    /// The owner's template of openvpn's configuration, followed while running.
    #[arg(long, value_name = "PATH", default_value = "/etc/pic/templates/openvpn.conf")]
    template: PathBuf,
    /// Where to report how the exit is.
    #[arg(long, value_name = "PATH")]
    status: PathBuf,
    /// Folder of openvpn's configuration and control socket.
    #[arg(long, value_name = "FOLDER")]
    run: PathBuf,
    /// Where openvpn is installed.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    openvpn: PathBuf,
}

fn main() -> ExitCode {
    let kind = Cli::parse().kind;
    pic_service::log::init("info");
    match kind {
        Kind::Tor(args) => life::exit(keep::<tor::Exit>(Paths {
            snapshot: args.snapshot,
            template: args.template,
            status: args.status,
            run: args.run,
            state: args.state,
            root: args.tor,
        })),
        Kind::Proxy(Proxy { snapshot, status }) => {
            life::exit(proxy::main(&proxy::Paths { snapshot, status }))
        }
        Kind::Openvpn(args) => {
            if let Err(error) = openvpn::device::make(&args.interface) {
                return life::exit(Err(error));
            }
            life::ready();
            life::exit(keep::<openvpn::Exit>(Paths {
                snapshot: args.snapshot,
                template: args.template,
                status: args.status,
                // It keeps nothing over a reboot.
                state: args.run.clone(),
                run: args.run,
                root: args.openvpn,
            }))
        }
    }
}
