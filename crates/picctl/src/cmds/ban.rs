//! `picctl ban`, `unban`, `bans`

use clap::Args;
use pic_api::ban::NewBan;
use pic_api::client::PageQuery;

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::session::session;
use crate::{Context, Outcome, time};

/// Bans asked for at once: as many as there can be.
const PAGE: usize = 20_000;

/// Arguments of `picctl ban`.
#[derive(Debug, Args)]
pub(crate) struct Ban {
    /// Address or network.
    address: String,
    /// How long: 90s, 5m, 2h, 7d or 4w, at most a year.
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = time::duration)]
    seconds: u64,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    /// Even though it is an admin's, the cell's or your own.
    #[arg(long)]
    force: bool,
}

/// Arguments of `picctl unban`.
#[derive(Debug, Args)]
pub(crate) struct Unban {
    /// Address or network, as it was banned.
    address: String,
}

/// Where this login comes from.
fn own() -> Option<String> {
    session().map(|session| session.from.to_string())
}

pub(super) async fn ban(context: &Context, args: Ban) -> Outcome {
    let Ban { address, seconds, reason, force } = args;
    let answer = context.client.ban(&NewBan { address, seconds, reason, own: own(), force }).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.note(&format!("{} is banned until {}.", answer.value.address, answer.value.until));
    }
    Ok(Exit::Done)
}

pub(super) async fn unban(context: &Context, args: &Unban) -> Outcome {
    let answer = context.client.unban(&args.address).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.note(&format!("{} is not banned any more.", args.address));
    }
    Ok(Exit::Done)
}

pub(super) async fn list(context: &Context) -> Outcome {
    let query = PageQuery { limit: Some(PAGE), ..PageQuery::default() };
    let answer = context.client.bans(&query).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.items.is_empty() {
        context.out.note("Nobody is banned. Ban somebody: picctl ban 192.0.2.7 --for 1h");
    } else {
        let mut table = Table::new(&["ADDRESS", "UNTIL", "WHY"]);
        for ban in &answer.value.items {
            table.row([
                Cell::from(ban.address.as_str()),
                ban.until.as_str().into(),
                ban.reason.as_str().into(),
            ]);
        }
        context.out.text(&table.render(&context.out))?;
    }
    Ok(Exit::Done)
}
