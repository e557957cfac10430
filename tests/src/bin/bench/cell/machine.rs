//! Figures that only a whole machine gives: they are told by the story of T3, on Debian 13 with the kernel's WireGuard.

use std::time::Duration;

use anyhow::{Context as _, Result};
use pic_lab::cmd;

use crate::figure::Figure;

/// Above what the story takes on a busy machine.
const END: Duration = Duration::from_secs(40 * 60);

pub(super) fn figures() -> Result<Vec<Figure>> {
    // By itself, not by cargo: it ends with us, and its machines with it.
    let mut story = cmd::command(program()?);
    story.args(["--nocapture", "--test-threads=1", "a_life_on_debian_13"]);
    let said = cmd::run_for(story.current_dir(pic_lab::scratch::workspace()), END, b"")?;
    let said = said.stdout + &said.stderr;
    let install = number(&said, "figure: install on Debian 13 ", " s")?;
    let still = number(&said, " s, of which ", " s without a processor")?;
    let lost = said.matches("figure: pings to").count();
    let lost =
        (0..lost).map(|nth| nth_lost(&said, nth)).sum::<Result<f64>>().context("pings of the upgrade")?;
    Ok(vec![
        Figure {
            area: "cell",
            name: "install by the one line, emulated processor",
            unit: "s",
            peer: "-",
            ours: install - still,
            goal: Some(60.0),
            ..Figure::default()
        },
        Figure {
            area: "cell",
            name: "package upgrade under load",
            unit: "lost pings",
            peer: "-",
            ours: lost,
            goal: Some(0.0),
            ..Figure::default()
        },
    ])
}

/// Builds the story and says where it is.
fn program() -> Result<String> {
    let mut build = cmd::command("cargo");
    build.args(["test", "--quiet", "--locked", "-p", "pic-lab", "--test", "t3_install", "--no-run"]);
    build.arg("--message-format=json").current_dir(pic_lab::scratch::workspace());
    let said = cmd::run_for(&mut build, END, b"")?.ok()?;
    let programs = said.lines().filter_map(|line| line.split_once("\"executable\":\"")?.1.split_once('"'));
    let mut programs = programs.map(|(program, _)| program).filter(|program| program.contains("t3_install"));
    Ok(programs.next().context("cargo named no program for t3_install")?.to_owned())
}

/// The number between two texts.
fn number(said: &str, before: &str, after: &str) -> Result<f64> {
    let (_, rest) = said.split_once(before).with_context(|| format!("the story tells no \"{before}\""))?;
    let (number, _) = rest.split_once(after).context("a figure without an end")?;
    Ok(number.trim().parse()?)
}

/// What the nth line of pings has lost.
fn nth_lost(said: &str, nth: usize) -> Result<f64> {
    let rest = said.split("figure: pings to").nth(nth + 1).context("a line of pings")?;
    number(rest, " sent, ", " lost")
}
