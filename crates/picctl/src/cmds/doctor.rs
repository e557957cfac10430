//! `picctl doctor`

use pic_api::status::{Check, Health3};

use super::status::by_state;
use crate::exit::Exit;
use crate::out::paint;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

pub(super) async fn run(context: &Context) -> Outcome {
    let answer = context.client.doctor().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&table(&answer.value).render(&context.out))?;
    }
    let failed = answer.value.iter().any(|check| check.state == Health3::Failed);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn table(checks: &[Check]) -> Table {
    let mut table = Table::new(&["CHECK", "STATE", "FOUND"]);
    for check in checks {
        let state = Cell::painted(paint::word(check.state), by_state(check.state));
        table.row([Cell::from(&check.name), state, Cell::from(&check.words)]);
        if !check.fix.is_empty() {
            table.row(["".into(), "".into(), Cell::from(format!("→ {}", check.fix))]);
        }
    }
    table
}
