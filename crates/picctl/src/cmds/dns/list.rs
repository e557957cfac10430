//! `picctl dns list`

use clap::Args;
use pic_api::client::PageQuery;
use pic_api::dns::{DnsRecord, DnsRecordList, RecordSource};

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

/// Records asked for at once.
const PAGE: usize = 10_000;

/// Arguments of `picctl dns list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those whose name or value has this in it.
    query: Option<String>,
}

pub(super) async fn run(context: &Context, args: List) -> Outcome {
    let query = PageQuery { q: args.query.as_deref(), limit: Some(PAGE), cursor: None };
    let first = context.client.records(&query).await?;
    if context.out.json && first.value.next.is_none() {
        context.out.document(&first.json)?;
        return Ok(Exit::Done);
    }
    let list = rest(context, &query, first.value).await?;
    if context.out.json {
        context.out.serialize(&list)?;
    } else if list.items.is_empty() {
        context.out.note("No such names. Add one: picctl dns add printer A 192.168.40.20");
    } else {
        context.out.text(&table(&list.items).render(&context.out))?;
    }
    Ok(Exit::Done)
}

/// All pages as one.
async fn rest(context: &Context, query: &PageQuery<'_>, mut list: DnsRecordList) -> Outcome<DnsRecordList> {
    while let Some(cursor) = list.next.take() {
        let page = context.client.records(&PageQuery { cursor: Some(&cursor), ..query.clone() }).await?.value;
        // A cursor that does not move would never end.
        list.next = page.next.filter(|next| *next != cursor && !page.items.is_empty());
        list.items.extend(page.items);
    }
    Ok(list)
}

fn table(records: &[DnsRecord]) -> Table {
    let mut table = Table::new(&["NAME", "TYPE", "VALUE", "TTL", "FOR", "FROM"]);
    for record in records {
        table.row([
            Cell::from(record.name.as_str()),
            record.rtype.as_str().into(),
            record.value.as_str().into(),
            record.ttl.to_string().into(),
            audience(record.audience.as_deref()).into(),
            source(record.source).into(),
        ]);
    }
    table
}

fn audience(names: Option<&[String]>) -> String {
    match names {
        None => "all".to_owned(),
        Some([]) => "the cell itself".to_owned(),
        Some(names) => names.join(","),
    }
}

fn source(source: RecordSource) -> &'static str {
    match source {
        RecordSource::Cell => "cell",
        RecordSource::Peer => "peer",
        RecordSource::Service => "service",
        RecordSource::Reservation => "reservation",
        RecordSource::Lease => "lease",
        RecordSource::Record => "record",
    }
}
