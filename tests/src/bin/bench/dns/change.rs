//! A large zone: how soon it answers, how soon a change is seen, and what is lost meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::servers::{self, ADDRESS, Server};
use super::texts::{self, INSIDE, Views};
use super::{MANY, load};
use crate::figure::Figure;
use crate::measure::{find_child, median, milliseconds, resident};

const CHANGES: usize = 5;
/// Names that devices bring along.
const LEASES: usize = 10_000;

pub(super) fn figures() -> Result<Vec<Figure>> {
    let begin = Instant::now();
    let server = servers::pic_leases(MANY, LEASES)?;
    let started = milliseconds(begin.elapsed());
    // Making the namespace and the file took its part: what the program itself needs is measured by a small zone.
    let begin = Instant::now();
    drop(servers::pic(1, Views::Off)?);
    let started = started - milliseconds(begin.elapsed());
    let memory = resident(find_child(&server.child, "pic-dns")?)?;
    let file = load::questions(&server, INSIDE, 1_000)?;
    let (changes, lost) = std::thread::scope(|scope| {
        let load = scope.spawn(|| load::run(&server, &file, "-c 1 -q 20 -Q 20000 -l 10"));
        let changes = (2..2 + CHANGES).map(|salt| change(&server, salt)).collect::<Result<Vec<_>>>();
        let run = load.join().ok().context("the load broke off")??;
        Ok::<_, anyhow::Error>((changes?, run.lost))
    })?;
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
        figure("a change among 100000 records is seen", "ms", median(changes), Some(200.0)),
        figure("questions lost during five changes", "of 200000", lost, Some(0.0)),
        figure("memory with 100000 records, after changes", "MiB", memory, None),
    ])
}

/// Milliseconds from the new file to the first new answer.
fn change(server: &Server, salt: usize) -> Result<f64> {
    let new = server.scratch.join("zone.json.new");
    pic_lab::files::write(&new, texts::zone(MANY, salt, INSIDE, ADDRESS, Views::Off))?;
    let wanted: std::net::Ipv4Addr = texts::address(MANY - 1, salt).parse()?;
    std::fs::rename(&new, server.scratch.join("zone.json"))?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        let answer = server.answers(&format!("n{}.{INSIDE}", MANY - 1))?;
        if answer.ends_with(&wanted.octets()) {
            return Ok(milliseconds(begin.elapsed()));
        }
    }
    bail!("the change was not seen within 10 s")
}
