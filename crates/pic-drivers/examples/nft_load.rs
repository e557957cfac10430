//! Loads the firewall of a `cell.toml` into the network namespace it is run in: `nft_load CELL_TOML`, as root. Prints
//! the milliseconds the driver took, and how many of them on a processor. For `scripts/bench`.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::error::Error;
use std::time::Instant;

use pic_drivers::nft;
use pic_plan::compile::compile;
use pic_plan::plan::Action;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: nft_load CELL_TOML")?;
    let desired =
        pic_model::config::parse(&std::fs::read_to_string(path)?).map_err(|problems| problems.to_string())?;
    let facts = pic_plan::memory::facts();
    let table = compile(Some(&desired), &facts).nft.ok_or("no table")?;
    let replace = Action::NftReplace(table);
    let mut connection = nft::Connection::new();
    let (begin, before) = (Instant::now(), processor()?);
    connection.apply(&replace)?;
    println!("{:.3} {:.3}", begin.elapsed().as_secs_f64() * 1e3, processor()? - before);
    Ok(())
}

/// First word of the thread's schedstat: nanoseconds on a processor; in milliseconds.
fn processor() -> Result<f64, Box<dyn Error>> {
    let words = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(words.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e6)
}
