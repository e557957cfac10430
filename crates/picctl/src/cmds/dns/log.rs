//! `picctl dns log` and `picctl dns stats --clients`

use std::time::Duration;

use clap::Args;
use pic_api::client::ClientError;
use pic_api::dns::{DnsClients, DnsLog, DnsLogEntry, DnsTally};

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::out::text::line;
use crate::{Context, Outcome};

/// Between two looks with `--follow`.
const PAUSE: Duration = Duration::from_millis(500);
/// Questions of one look.
const PAGE: u32 = 1_000;
const OFF: &str =
    "Questions are not kept. To keep the last 1000 in memory: picctl config set dns.query_log 1000\n";

/// Arguments of `picctl dns log`.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// Only questions of this device: its name, or any address.
    #[arg(long, value_name = "PEER")]
    client: Option<String>,
    /// The last so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Go on as questions come. With --json each is a document of its own.
    #[arg(long, short)]
    follow: bool,
}

pub(super) async fn run(context: &Context, args: Log) -> Outcome {
    let client = args.client.as_deref();
    let answer = context.client.dns_log(client, None, args.count).await?;
    if context.out.json && !args.follow {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    if answer.value.kept == 0 {
        context.out.text(OFF)?;
        return Ok(Exit::Failed);
    }
    show(context, &answer.value)?;
    if !args.follow {
        return Ok(Exit::Done);
    }
    let mut next = answer.value.next;
    loop {
        tokio::time::sleep(PAUSE).await;
        match context.client.dns_log(client, Some(next), PAGE).await {
            Ok(answer) => {
                show(context, &answer.value)?;
                next = answer.value.next;
            }
            // An agent or a name server that restarts is waited for.
            Err(ClientError::NotReachable { .. } | ClientError::Broken { .. }) => {}
            Err(ClientError::Problem(problem)) if problem.status == 503 => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn show(context: &Context, log: &DnsLog) -> std::io::Result<()> {
    for entry in &log.items {
        if context.out.json {
            context.out.serialize(entry)?;
        } else {
            context.out.text(&words(entry))?;
        }
    }
    Ok(())
}

fn words(entry: &DnsLogEntry) -> String {
    let who = entry.device.as_ref().unwrap_or(&entry.client);
    let text = format!(
        "{} {} {} {} {} {} by {} in {} µs",
        entry.at,
        who,
        entry.name,
        entry.rtype,
        entry.result,
        entry.rcode,
        entry.transport,
        entry.microseconds
    );
    line(&text) + "\n"
}

pub(super) async fn clients(context: &Context) -> Outcome {
    let answer = context.client.dns_clients().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&table(&answer.value).render(&context.out))?;
    }
    Ok(Exit::Done)
}

fn table(clients: &DnsClients) -> Table {
    let heads = ["WHO", "VIEW", "LOCAL", "CACHED", "FORWARDED", "BLOCKED", "FAILED", "REFUSED", "IDLE"];
    let mut table = Table::new(&heads);
    for client in &clients.items {
        let who = match &client.device {
            Some(device) => format!("{device} ({})", client.address),
            None => client.address.clone(),
        };
        let view = client.view.as_deref().unwrap_or("may not ask");
        table.row(row(&who, view, &client.tally, &format!("{} s", client.idle)));
    }
    if clients.others != DnsTally::default() {
        table.row(row("others", "", &clients.others, ""));
    }
    for view in &clients.views {
        table.row(row("all of the view", &view.name, &view.tally, ""));
    }
    table
}

fn row(who: &str, view: &str, tally: &DnsTally, idle: &str) -> [Cell; 9] {
    let [local, cached, forwarded, blocked, failed, refused] =
        [tally.local, tally.cached, tally.forwarded, tally.blocked, tally.failed, tally.refused]
            .map(|count| Cell::from(count.to_string()));
    [who.into(), view.into(), local, cached, forwarded, blocked, failed, refused, idle.into()]
}
