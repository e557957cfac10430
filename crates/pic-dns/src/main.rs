//! `pic-dns`: see the library of the same name.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pic_dns::service::{self, Paths};
use pic_service::life;

/// DNS service of a cell.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// What to serve; written by the agent, followed while running.
    #[arg(long, default_value = "/var/lib/pic/dns/zone.json")]
    snapshot: PathBuf,
    /// Names of leases; written by the DHCP service, followed while running.
    #[arg(long, default_value = "/run/pic-dhcp/names.json")]
    leases: PathBuf,
    /// Where to report how the service is doing.
    #[arg(long)]
    status: Option<PathBuf>,
    /// Where the agent asks about the service.
    #[arg(long)]
    control: Option<PathBuf>,
    /// Where programs read numbers about the service, in the text format of Prometheus.
    #[arg(long)]
    metrics: Option<PathBuf>,
    /// Where copies of blocklists are kept that were fetched.
    #[arg(long, default_value = "/var/lib/pic/dns/lists")]
    lists: PathBuf,
    /// Certificate and key for clients by TLS; written by the agent, followed while running.
    #[arg(long, default_value = "/var/lib/pic/dns/tls.pem")]
    certificate: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    pic_service::log::init("info");
    let paths = Paths {
        snapshot: args.snapshot,
        leases: args.leases,
        status: args.status,
        control: args.control,
        metrics: args.metrics,
        lists: args.lists,
        certificate: args.certificate,
    };
    life::exit(service::run(paths))
}
