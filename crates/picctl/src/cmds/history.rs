//! `picctl history`

use clap::Args;
use pic_api::history::{Generation, History};

use crate::exit::Exit;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

/// Arguments of `picctl history`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// At most this many, the newest; 0 is all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub(super) async fn run(context: &Context, args: Show) -> Outcome {
    let answer = context.client.history(Some(args.limit).filter(|limit| *limit > 0)).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    let History { items, total, .. } = &answer.value;
    context.out.text(&table(items).render(&context.out))?;
    let older = total.saturating_sub(items.len());
    if older > 0 {
        context.out.note(&format!("{older} older: picctl history -n 0"));
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
