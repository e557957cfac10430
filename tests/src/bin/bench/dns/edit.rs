//! A record more, a thousand more, and a record less by `picctl` in a cell of many: through the agent, its plan and its ledger,
//! to the answer.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pic_lab::wait;

use super::{MANY, texts};
use crate::cell::Bench;
use crate::data::cell_toml;
use crate::figure::Figure;
use crate::measure::{median, milliseconds, wall};

const CHANGES: usize = 5;
/// Where the cell answers.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

pub(super) fn figures() -> Result<Vec<Figure>> {
    let bench = Bench::new()?;
    let few = median((0..CHANGES).map(|n| add(&bench, n)).collect::<Result<_>>()?);
    let mut text = cell_toml(0)?;
    for n in 0..MANY {
        write!(
            text,
            "\n[[dns.record]]\nname = \"n{n}\"\ntype = \"A\"\nvalue = \"{}\"\n",
            texts::address(n, 1)
        )?;
    }
    let applied = bench.apply(&text)?;
    seen(&bench, &format!("n{}", MANY - 1), texts::address(MANY - 1, 1).parse()?)?;
    let many = median((CHANGES..2 * CHANGES).map(|n| add(&bench, n)).collect::<Result<_>>()?);
    let less = median((CHANGES..2 * CHANGES).map(|n| remove(&bench, n)).collect::<Result<_>>()?);
    let imported = import(&bench)?;
    let figure = |name, ours| Figure { area: "dns", name, unit: "ms", peer: "-", ours, ..Figure::default() };
    let mut beside = figure("dns add with 100000 records, to the answer", many);
    (beside.peer, beside.theirs) = ("with no other record", Some(few));
    Ok(vec![
        beside,
        figure("dns remove with 100000 records, to the answer", less),
        figure("dns import of 1000 with 100000 records, to the answer", imported),
        figure("apply 100000 records on an empty cell", applied),
    ])
}

/// Milliseconds from the command to its record's first answer.
fn add(bench: &Bench, n: usize) -> Result<f64> {
    let address = Ipv4Addr::from([10, 90, 0, u8::try_from(n)?]);
    let begin = Instant::now();
    wall(&mut bench.picctl(&format!("dns add extra{n} A {address} --json")))?;
    seen(bench, &format!("extra{n}"), address)?;
    Ok(milliseconds(begin.elapsed()))
}

/// Milliseconds from the command to the first answer without the record.
fn remove(bench: &Bench, n: usize) -> Result<f64> {
    let begin = Instant::now();
    wall(&mut bench.picctl(&format!("dns remove extra{n} --json")))?;
    let question = texts::question(&format!("extra{n}.home.cell"));
    let to = SocketAddr::from((SERVER, 53));
    let is_gone = || {
        let answer = bench.namespace.ask_udp(to, &question, Duration::from_millis(500));
        // NXDOMAIN.
        answer.is_ok_and(|answer| answer.get(3).is_some_and(|code| code & 15 == 3))
    };
    wait::until(Duration::from_secs(30), "the record to be gone", is_gone)?;
    Ok(milliseconds(begin.elapsed()))
}

/// Milliseconds from the command to the last record's first answer.
fn import(bench: &Bench) -> Result<f64> {
    let scratch = pic_lab::Scratch::new("zone")?;
    let file = scratch.join("zone");
    let lines = (0..1_000).map(|n| format!("more{n} A {}\n", texts::address(n, 2)));
    pic_lab::files::write(&file, lines.collect::<String>())?;
    let begin = Instant::now();
    wall(&mut bench.picctl(&format!("dns import {} --json", file.display())))?;
    seen(bench, "more999", texts::address(999, 2).parse()?)?;
    Ok(milliseconds(begin.elapsed()))
}

fn seen(bench: &Bench, name: &str, address: Ipv4Addr) -> Result<()> {
    let question = texts::question(&format!("{name}.home.cell"));
    let to = SocketAddr::from((SERVER, 53));
    let is_there = || {
        let answer = bench.namespace.ask_udp(to, &question, Duration::from_millis(500));
        answer.is_ok_and(|answer| answer.ends_with(&address.octets()))
    };
    wait::until(Duration::from_secs(30), "the record's answer", is_there).with_context(|| name.to_owned())
}
