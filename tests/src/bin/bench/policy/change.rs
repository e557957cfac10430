//! One more grant, plans and explanations, at the size of [`super::data`].

use std::time::Duration;

use anyhow::{Context as _, Result};
use pic_lab::{Namespace, Scratch, files, wait};

use super::data::{granted, one_more, tests};
use super::figure;
use crate::cell::Bench;
use crate::figure::Figure;
use crate::measure::{median, processor, wall};

const ROUNDS: u32 = 15;
/// Long enough for services to take what they were given.
const QUIET: Duration = Duration::from_millis(500);
/// Most elements that one grant makes.
const ONE: &str = "add element inet pic flows4_32_32 { 10.77.0.9 . 10.77.0.22 . tcp . 9000 }\n\
                   add element inet pic flows6_128_128 { fd77::9 . fd77::16 . tcp . 9000 }\n";

/// One more grant: in the kernel alone, and as somebody types it.
pub(super) fn grant() -> Result<Vec<Figure>> {
    let (ours, theirs) = kernel()?;
    let bench = Bench::new()?;
    bench.apply(&granted()?)?;
    wait::pause(QUIET * 4);
    let agent = bench.find("pic-agent")?;
    let (mut whole, mut busy, mut first) = (Vec::new(), Vec::new(), None);
    for number in 0..ROUNDS {
        let before = processor(agent)?;
        let time = wall(&mut bench.picctl(&format!("grant {}", one_more(number))))?;
        busy.push(processor(agent)? - before);
        first.get_or_insert(time);
        whole.push(time);
        wait::pause(QUIET);
    }
    let one = figure("one grant more, kernel", "ms", ours);
    let typed = figure("one grant more, picctl grant", "ms", median(whole));
    Ok(vec![
        Figure { peer: "nft -f", theirs: Some(theirs), goal: Some(1.0), ..one },
        Figure { goal: Some(100.0), ..typed },
        figure("one grant more, the agent's processor", "ms CPU", median(busy)),
    ])
}

/// Milliseconds from the change of two sets in the driver to the kernel's acknowledgement, and of `nft -f` for the same.
fn kernel() -> Result<(f64, f64)> {
    let (scratch, namespace) = (Scratch::new("bench")?, Namespace::new("nft")?);
    let (before, after, one) = (scratch.join("before"), scratch.join("after"), scratch.join("one.nft"));
    let text = granted()?;
    files::write(&before, &text)?;
    files::write(&one, ONE)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let (from, to) = one_more(number).split_once(' ').map(owned).context("two ends")?;
        files::write(&after, format!("{text}\n[[grant]]\nfrom = [\"{from}\"]\nto = [\"{to}\"]\n"))?;
        let program = pic_lab::cell::programs().join("examples/nft_load");
        let said = pic_lab::cmd::run(namespace.command(program).arg(&before).arg(&after))?.ok()?;
        let change = said.lines().nth(1).and_then(|line| line.split(' ').next()).context("no second line")?;
        ours.push(change.parse()?);
        theirs.push(wall(namespace.command("nft").arg("-f").arg(&one))?);
    }
    Ok((median(ours), median(theirs)))
}

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

/// The plan of everything at once and of one grant more, both with all tests, and what decides about a packet.
pub(super) fn plan() -> Result<Vec<Figure>> {
    let bench = Bench::new()?;
    let text = granted()? + &tests()?;
    let file = bench.cell.path("bench.toml");
    files::write(&file, &text)?;
    let plan = || wall(bench.picctl("plan -f").arg(&file));
    let several = |take: &dyn Fn() -> Result<f64>| (0..3).map(|_| take()).collect::<Result<Vec<_>>>();
    let from_nothing = median(several(&plan)?);
    bench.apply(&text)?;
    wait::pause(QUIET * 4);
    let (from, to) = one_more(1).split_once(' ').map(owned).context("two ends")?;
    files::write(&file, format!("{text}\n[[grant]]\nfrom = [\"{from}\"]\nto = [\"{to}\"]\n"))?;
    let one_more = median(several(&plan)?);
    let asked = ["p17 p120:18", "p18 internet:443", "p19 cell:udp/53", "p20 p21:80"];
    let mut times = Vec::new();
    for _ in 0..5 {
        for ends in asked {
            times.push(wall(&mut bench.picctl(&format!("why {ends} --json")))?);
        }
    }
    let goal = |figure: Figure, goal| Figure { goal: Some(goal), ..figure };
    Ok(vec![
        goal(figure("plan of 100000 grants, 1000 tests, from none", "ms", from_nothing), 1000.0),
        goal(figure("plan of one grant more, 1000 tests", "ms", one_more), 1000.0),
        goal(figure("picctl why", "ms", median(times)), 50.0),
    ])
}
