//! Loads the firewall of a `cell.toml` into the network namespace it is run in: `nft_load CELL_TOML`, as root. Prints
//! the milliseconds the driver took, and how many of them on a processor. For `scripts/bench`.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::error::Error;
use std::time::Instant;

use pic_drivers::nft;
use pic_model::key::{PresharedSeed, PrivateKey};
use pic_plan::Facts;
use pic_plan::compile::compile;
use pic_plan::plan::Action;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: nft_load CELL_TOML")?;
    let desired =
        pic_model::config::parse(&std::fs::read_to_string(path)?).map_err(|problems| problems.to_string())?;
    let facts = Facts {
        now: 0,
        generation: 1,
        private_key: PrivateKey::from_random([7; 32]),
        preshared_seed: PresharedSeed::from_random([8; 32]),
        kernel_wireguard: true,
        uplink: None,
        resolvers: Vec::new(),
        host_networks: Vec::new(),
        interfaces: ["eth0", "eth1"].map(str::to_owned).into(),
        advertised: Default::default(),
        delegated: Vec::new(),
        routed_before: false,
        bans: Vec::new(),
        chronyd: false,
        exits: Default::default(),
    };
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
