//! How long the firewall takes with ten thousand peers: `cargo run --release --example nft_bench`, as root. Works in a
//! network namespace of its own.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use pic_drivers::nft;
use pic_plan::plan::Action;
use pic_plan::target::nft::{Elements, SetDelta, Table};

const PEERS: u32 = 10_000;
const ROUNDS: usize = 21;

fn table() -> Table {
    let v4: BTreeSet<_> = (0..PEERS).map(|n| Ipv4Addr::from(0x0a00_0002 + n)).collect();
    let v6: BTreeSet<_> = (0..PEERS).map(|n| Ipv6Addr::from((0xfd00 << 112) + u128::from(n) + 2)).collect();
    let nets = v4.iter().map(|address| Ipv4Net::from(*address)).collect();
    let sets = [
        ("peers4", Elements::V4(v4.clone())),
        ("peers6", Elements::V6(v6)),
        ("internet4", Elements::V4(v4)),
        ("nets4", Elements::Net4(nets)),
    ];
    Table { sets: sets.map(|(name, elements)| (name.to_owned(), elements)).into(), chains: Vec::new() }
}

/// Median of the time passed and of the processor's part of it, which other work on the machine hardly changes.
fn time(what: &str, mut work: impl FnMut() -> Result<(), nft::Error>) -> Result<(), Box<dyn Error>> {
    let (mut passed, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (start, before) = (Instant::now(), processor_time()?);
        work()?;
        busy.push(processor_time()?.saturating_sub(before));
        passed.push(start.elapsed());
    }
    passed.sort();
    busy.sort();
    println!("{what}: {:?}, processor {:?}", passed[ROUNDS / 2], busy[ROUNDS / 2]);
    Ok(())
}

/// First word of the thread's schedstat: nanoseconds on a processor.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let words = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = words.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn one(add: Option<Ipv4Addr>, remove: Option<Ipv4Addr>) -> Action {
    let elements = |address: Option<Ipv4Addr>| Elements::V4(address.into_iter().collect());
    Action::NftElements(vec![SetDelta {
        set: "peers4".to_owned(),
        add: elements(add),
        remove: elements(remove),
    }])
}

fn main() -> Result<(), Box<dyn Error>> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    let table = table();
    let mut connection = nft::Connection::new();
    let replace = Action::NftReplace(table.clone());
    time("replace", || connection.apply(&replace))?;
    time("observe", || connection.observe().map(drop))?;
    if nft::observe()? != Some(table.expected().into()) {
        return Err("what is read is not what was written".into());
    }
    let extra = Some(Ipv4Addr::new(192, 0, 2, 1));
    time("add one and remove it", || {
        connection.apply(&one(extra, None))?;
        connection.apply(&one(None, extra))
    })?;
    time("the same, each over a connection of its own", || {
        nft::apply(&one(extra, None))?;
        nft::apply(&one(None, extra))
    })
}
