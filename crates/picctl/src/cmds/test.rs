//! `picctl test`

use clap::Subcommand;
use pic_api::reach::ReachTest;

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

/// Verbs of `picctl test`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Judge all tests against the state in force.
    ///
    /// A change that would fail one is refused, so that what fails here does so because the host or the time has
    /// changed. Ends with 1 when one fails.
    Run,
}

pub(super) async fn run(context: &Context, verb: &Verb) -> Outcome {
    let Verb::Run = verb;
    let answer = context.client.tests().await?;
    let items = &answer.value.items;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if items.is_empty() {
        context.out.note("There are no tests: write [[test]] into cell.toml, see `man 5 cell.toml`.");
    } else {
        context.out.text(&table(items).render(&context.out))?;
    }
    Ok(if items.iter().all(|test| test.holds) { Exit::Done } else { Exit::Failed })
}

fn table(items: &[ReachTest]) -> Table {
    let mut table = Table::new(&["FROM", "TO", "EXPECT", "HOLDS", "WHAT HAPPENS"]);
    for test in items {
        table.row([
            Cell::from(test.from.as_str()),
            test.to.as_str().into(),
            test.expect.as_str().into(),
            if test.holds { "yes" } else { "NO" }.into(),
            test.words.as_str().into(),
        ]);
    }
    table
}
