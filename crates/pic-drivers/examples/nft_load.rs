//! Loads the firewall of a `cell.toml` into the network namespace it is run in: `nft_load CELL_TOML [ANOTHER]`, as root,
//! and changes it to that of another one. Prints for each the milliseconds the driver took, and how many of them on a
//! processor. For `scripts/bench`.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::error::Error;
use std::time::Instant;

use pic_drivers::nft;
use pic_plan::compile::compile;
use pic_plan::diff::diff;
use pic_plan::plan::{Action, Domain};
use pic_plan::target::nft::Table;
use pic_plan::target::{Observed, Targets};

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args().skip(1);
    let table = read(&paths.next().ok_or("usage: nft_load CELL_TOML [ANOTHER]")?)?;
    let mut connection = nft::Connection::new();
    let first = Action::NftReplace(table);
    timed(&mut connection, &first)?;
    if let Some(path) = paths.next() {
        let targets = Targets { nft: Some(read(&path)?), ..Targets::default() };
        // Given back before the change, as the engine does: a table that somebody else holds would be copied.
        let steps = diff(&targets, &Observed { nft: connection.observe()?, ..Observed::default() });
        for step in steps {
            if step.action.domain() == Domain::Firewall {
                timed(&mut connection, &step.action)?;
            }
        }
    }
    Ok(())
}

/// The table that a `cell.toml` makes.
fn read(path: &str) -> Result<Table, Box<dyn Error>> {
    let desired =
        pic_model::config::parse(&std::fs::read_to_string(path)?).map_err(|problems| problems.to_string())?;
    let facts = pic_plan::memory::facts();
    Ok(compile(Some(&desired), &facts).nft.ok_or("no table")?)
}

/// Does one action and prints what it took.
fn timed(connection: &mut nft::Connection, action: &Action) -> Result<(), Box<dyn Error>> {
    let (begin, before) = (Instant::now(), processor()?);
    connection.apply(action)?;
    println!("{:.3} {:.3}", begin.elapsed().as_secs_f64() * 1e3, processor()? - before);
    Ok(())
}

/// First word of the thread's schedstat: nanoseconds on a processor; in milliseconds.
fn processor() -> Result<f64, Box<dyn Error>> {
    let words = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(words.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e6)
}
