//! `picctl history`

use clap::Args;
use pic_api::history::Generation;

use crate::exit::Exit;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

/// Arguments of `picctl history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// At most this many, the newest; 0 is all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub(super) async fn run(context: &Context, args: History) -> Outcome {
    let answer = context.client.history().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    let items = &answer.value.items;
    let shown = if args.limit == 0 { items.len() } else { args.limit.min(items.len()) };
    context.out.text(&table(&items[..shown]).render(context.out.paint))?;
    if shown < items.len() {
        context.out.note(&format!("{} older: picctl history -n 0", items.len() - shown));
    }
    Ok(Exit::Done)
}

fn table(items: &[Generation]) -> Table {
    let mut table = Table::new(&["N", "WHEN", "WHO", "STATE", "WHY"]);
    for item in items {
        let state = if item.current { format!("{}, in force", item.state) } else { item.state.clone() };
        let paint = match item.state.as_str() {
            "reverted" => Paint::bad,
            "pending" => Paint::warn,
            _ if item.current => Paint::good,
            _ => |_, text: &str| text.to_owned(),
        };
        table.row([
            Cell::from(item.number.to_string()),
            Cell::from(&item.at),
            Cell::from(&item.author),
            Cell::painted(&state, paint),
            Cell::from(&item.reason),
        ]);
    }
    table
}
