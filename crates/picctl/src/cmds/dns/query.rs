//! `picctl dns query`

use clap::Args;
use pic_api::dns::{DnsAnswer, DnsAnswerRecord};

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

/// Arguments of `picctl dns query`.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// What to ask for; one label is a name of the cell, all else a full name.
    name: String,
    /// Type; without it A.
    #[arg(value_name = "TYPE")]
    rtype: Option<String>,
    /// Ask as this device: its name, or any address. Without it, as the cell's own host.
    #[arg(long = "as", value_name = "PEER")]
    client: Option<String>,
}

pub(super) async fn run(context: &Context, args: Query) -> Outcome {
    let answer = context.client.dns_query(&args.name, args.rtype.as_deref(), args.client.as_deref()).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&words(context, &answer.value))?;
    }
    Ok(Exit::Done)
}

fn words(context: &Context, answer: &DnsAnswer) -> String {
    // The table escapes what is in it, and has colours of its own.
    let records =
        if answer.records.is_empty() { String::new() } else { table(&answer.records).render(&context.out) };
    let mut text = String::new();
    if answer.records.is_empty() {
        text = format!("{}: no {} record of {}\n", answer.rcode, answer.rtype, answer.name);
    }
    text.push_str(&format!(
        "\nAsked as {}: {} in {} µs, because\n",
        answer.client, answer.rcode, answer.microseconds
    ));
    for why in &answer.why {
        text.push_str(&format!("  - {why}\n"));
    }
    records + &crate::out::text::lines(&text)
}

fn table(records: &[DnsAnswerRecord]) -> Table {
    let mut table = Table::new(&["NAME", "TYPE", "VALUE", "TTL"]);
    for record in records {
        table.row([
            Cell::from(record.name.as_str()),
            record.rtype.as_str().into(),
            record.value.as_str().into(),
            record.ttl.to_string().into(),
        ]);
    }
    table
}
