//! `picctl dns …`

mod add;
mod import;
mod list;
mod log;
mod query;
mod stats;

use clap::{Args, Subcommand};
use pic_api::client::Change;

use crate::{Context, Outcome};

/// Verbs of `picctl dns`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Add a record to the cell's zone.
    ///
    /// The name is relative to the zone: `printer` is printer.CELL.cell, `@` the zone itself, `*.apps` every name
    /// beneath apps. PTR records may stand at names of addresses. It is answered within a second.
    Add(add::Add),
    /// List what the cell answers by itself: its own names, those of devices, services, reservations and leases, and records.
    ///
    /// FOR says who sees a name beside the cell itself, FROM where it comes from.
    List(list::List),
    /// Remove the records of a name, or those of one type, or the one with a value.
    Remove(Remove),
    /// Add all records of a zone file, in one change or not at all.
    ///
    /// Names are relative to the cell's zone until the file says $ORIGIN. The SOA and the name servers of the zone itself
    /// are left out: a cell has its own.
    Import(import::Import),
    /// Ask for a name as a device would, and say why the answer is as it is.
    Query(query::Query),
    /// How the name server is doing: questions answered, cache, upstreams.
    Stats {
        /// Instead, how many questions each client and each view asked, and how they were treated.
        #[arg(long)]
        clients: bool,
    },
    /// The last questions, who asked them, and how they were treated.
    ///
    /// They are kept only where `dns.query_log` in /etc/pic/cell.toml says how many, in memory, and never on disk.
    Log(log::Log),
    /// Forget what other resolvers answered, about one name and all beneath it, or everything.
    Flush {
        /// Full name; without it, everything.
        name: Option<String>,
    },
}

/// Arguments of `picctl dns remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Its name, relative to the zone or full.
    name: String,
    /// Only records of this type.
    #[arg(value_name = "TYPE")]
    rtype: Option<String>,
    /// Only the record with this value.
    value: Option<String>,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Add(args) => add::run(context, args).await,
        Verb::List(args) => list::run(context, args).await,
        Verb::Remove(args) => {
            let (rtype, value) = (args.rtype.as_deref(), args.value.as_deref());
            context.make(&Change::RemoveRecords(&args.name, rtype, value)).await
        }
        Verb::Import(args) => import::run(context, args).await,
        Verb::Query(args) => query::run(context, args).await,
        Verb::Stats { clients: false } => stats::stats(context).await,
        Verb::Stats { clients: true } => log::clients(context).await,
        Verb::Log(args) => log::run(context, args).await,
        Verb::Flush { name } => stats::flush(context, name.as_deref()).await,
    }
}
