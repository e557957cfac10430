//! A large zone: how soon it answers, how soon a change is seen, and what is lost meanwhile.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::servers::{self, ADDRESS, Server};
use super::texts::{self, INSIDE, Views};
use super::{MANY, load};
use crate::figure::Figure;
use crate::measure::{median, milliseconds, processor, resident};

/// Of each kind.
const CHANGES: usize = 5;
/// Names that devices bring along.
const LEASES: usize = 10_000;

pub(super) fn figures() -> Result<Vec<Figure>> {
    let begin = Instant::now();
    let server = servers::pic_leases(MANY, LEASES)?;
    let started = milliseconds(begin.elapsed());
    // Making the namespace and the file took its part: what the program itself needs is measured by a small zone.
    let begin = Instant::now();
    drop(servers::pic(1, Views::Off, 0)?);
    let started = started - milliseconds(begin.elapsed());
    let file = load::questions(&server, INSIDE, 1_000)?;
    let (one, all, lost) = std::thread::scope(|scope| {
        let load = scope.spawn(|| load::run(&server, &file, "-c 1 -q 20 -Q 20000 -l 12"));
        let one = each(|n| change(&server, &one_other(n)))?;
        let all = each(|n| change(&server, &all_others(n)))?;
        let run = load.join().ok().context("the load broke off")??;
        Ok::<_, anyhow::Error>((one, all, run.lost))
    })?;
    // By itself: the processor's time with questions would be theirs as well.
    let quiet = each(|n| {
        let before = processor(server.pid)?;
        change(&server, &one_other(CHANGES + n))?;
        Ok(processor(server.pid)? - before)
    })?;
    let memory = resident(server.pid)?;
    let figure = |name, unit, ours, goal| Figure {
        area: "dns",
        name,
        unit,
        peer: "-",
        ours,
        goal,
        ..Figure::default()
    };
    Ok(vec![
        figure("start with 100000 records, 10000 leases, beyond one", "ms", started, Some(300.0)),
        figure("a change among 100000 records is seen", "ms", one, Some(200.0)),
        figure("a change among 100000 records is seen", "ms CPU", quiet, None),
        figure("a change of all 100000 records is seen", "ms", all, Some(200.0)),
        figure("questions lost during ten changes", "of 240000", lost, Some(0.0)),
        figure("memory with 100000 records, after changes", "MiB", memory, None),
    ])
}

/// The middle of several.
fn each(take: impl FnMut(usize) -> Result<f64>) -> Result<f64> {
    Ok(median((0..CHANGES).map(take).collect::<Result<_>>()?))
}

/// A zone, and the last name's address in it.
struct Changed {
    text: String,
    address: Ipv4Addr,
}

/// One name has another address than before.
fn one_other(n: usize) -> Changed {
    let text = texts::zone(MANY, 1, INSIDE, ADDRESS, Views::Off, 0);
    let address = Ipv4Addr::from([10, 90, 0, u8::try_from(n).unwrap_or(0)]);
    Changed {
        text: text.replace(&format!("\"{}\"", texts::address(MANY - 1, 1)), &format!("\"{address}\"")),
        address,
    }
}

/// All names have other addresses than before.
fn all_others(n: usize) -> Changed {
    let text = texts::zone(MANY, 2 + n, INSIDE, ADDRESS, Views::Off, 0);
    Changed { text, address: texts::address(MANY - 1, 2 + n).parse().unwrap_or(Ipv4Addr::UNSPECIFIED) }
}

/// Milliseconds from the new file to the first new answer.
fn change(server: &Server, changed: &Changed) -> Result<f64> {
    let new = server.scratch.join("zone.json.new");
    pic_lab::files::write(&new, &changed.text)?;
    std::fs::rename(&new, server.scratch.join("zone.json"))?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        let answer = server.answers(&format!("n{}.{INSIDE}", MANY - 1))?;
        if answer.ends_with(&changed.address.octets()) {
            return Ok(milliseconds(begin.elapsed()));
        }
    }
    bail!("the change was not seen within 10 s")
}
