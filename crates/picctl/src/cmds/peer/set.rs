//! `picctl peer set`

use clap::Args;
use pic_api::peer::PatchPeer;

use super::allow::{self, Allow};
use crate::{Context, Outcome, time};

/// Arguments of `picctl peer set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name.
    name: String,
    /// Refuse it after this: 7d, 2027-01-01, 2027-01-01T12:00:00Z, or never.
    #[arg(long, value_name = "TIME", value_parser = until, required_unless_present_any = ["allow", "groups", "exit", "quota", "rate"])]
    expires: Option<Until>,
    /// What it may reach, with commas between: internet, cell, or none. Replaces what it might reach before.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    allow: Option<Vec<Allow>>,
    /// Groups that it is in, with commas between, or none. Replaces those that it was in before.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    groups: Option<Vec<String>>,
    /// Exits that it leaves by, with commas between and the preferred one first: the first that works counts. "direct" is the
    /// uplink; none: that of its group, or the uplink.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    exit: Option<Vec<String>>,
    /// What it may use of the internet, as 50GB/month or 2GiB/day; none: what its group says, or no end.
    #[arg(long, value_name = "QUOTA")]
    quota: Option<String>,
    /// How fast it may send to the internet, and receive from it, as 20mbit; none: what its group says, or as fast as it goes.
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
}

/// Until when a peer is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Until {
    /// For ever.
    Never,
    /// A time, RFC 3339.
    Time(String),
}

fn until(text: &str) -> Result<Until, String> {
    if text == "never" { Ok(Until::Never) } else { time::expiry(text).map(Until::Time) }
}

pub(super) async fn run(context: &Context, args: Set) -> Outcome {
    // The name is kept: no group and no exit is called so.
    let plain = |list: Vec<String>| if list == ["none"] { Vec::new() } else { list };
    let some = |text: String| (text != "none").then_some(text);
    let (groups, exit) = (args.groups.map(plain), args.exit.map(plain));
    let patch = PatchPeer {
        groups,
        exit,
        quota: args.quota.map(some),
        rate: args.rate.map(some),
        allow: args.allow.as_deref().map(allow::words).transpose()?,
        expires: args.expires.map(|until| match until {
            Until::Never => None,
            Until::Time(at) => Some(at),
        }),
        ..PatchPeer::default()
    };
    super::patch(context, &args.name, patch).await
}
