//! `picctl dns add`

use clap::Args;
use pic_api::client::Change;
use pic_api::dns::NewDnsRecord;

use crate::{Context, Outcome};

/// Arguments of `picctl dns add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name, relative to the zone or full.
    name: String,
    /// A, AAAA, CAA, CNAME, HTTPS, MX, NS, PTR, SRV, SSHFP, SVCB, TLSA or TXT.
    #[arg(value_name = "TYPE")]
    rtype: String,
    /// Its value, as in a zone file; several words are joined by spaces. Behind `--`, words may begin with a hyphen.
    #[arg(required = true)]
    value: Vec<String>,
    /// Seconds an answer may be kept; without it 60.
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// Who sees it, with commas between: peers, or names of devices, groups and LANs. Without it, whoever may reach the cell.
    #[arg(long = "for", value_name = "LIST", value_delimiter = ',')]
    audience: Option<Vec<String>>,
}

pub(super) async fn run(context: &Context, args: Add) -> Outcome {
    let record = NewDnsRecord {
        name: args.name,
        rtype: args.rtype,
        value: args.value.join(" "),
        ttl: args.ttl,
        audience: args.audience,
    };
    context.make(&Change::AddRecord(&record)).await
}
