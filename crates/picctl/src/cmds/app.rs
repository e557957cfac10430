//! `picctl app …`

use clap::Subcommand;
use pic_api::app::{App, AppList};

use crate::exit::Exit;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

/// Verbs of `picctl app`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the apps with their addresses and their way to the internet.
    List,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::List => list(context).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let answer = context.client.apps().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    if answer.value.items.is_empty() {
        context.out.note("No apps. `man 5 cell.toml` says how to add one: [[app]].");
        return Ok(Exit::Done);
    }
    context.out.text(&table(&answer.value).render(&context.out))?;
    Ok(Exit::Done)
}

fn table(list: &AppList) -> Table {
    let mut table = Table::new(&["APP", "ADDRESS", "LEAVES BY", "INTERFACE", "STATE"]);
    for app in &list.items {
        let addresses = app.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        table.row([
            Cell::from(app.name.as_str()),
            addresses.into(),
            app.leaves_by.as_str().into(),
            app.interface.as_str().into(),
            state(app),
        ]);
    }
    table
}

fn state(app: &App) -> Cell {
    match (app.enabled, app.connected) {
        (false, _) => Cell::painted("disabled", Paint::dim),
        (true, true) => Cell::painted("connected", Paint::good),
        (true, false) => Cell::painted("not connected", Paint::bad),
    }
}
