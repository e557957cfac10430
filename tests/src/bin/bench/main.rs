//! Measures PIC beside what it replaces; started by `scripts/bench`, which builds and installs what is needed.
//!
//! One folder per area. Every figure stands alone: one that cannot be taken says so and the others follow. All of it
//! runs in namespaces of the lab. Never judges: whether a goal is met is printed, the exit code says only whether all
//! figures could be taken.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a measuring program")]

mod cell;
mod data;
mod dhcp;
mod dns;
mod figure;
mod measure;
mod policy;

use std::process::ExitCode;

use anyhow::Result;
use figure::Figure;

/// A group of figures that are taken together.
type Group = (&'static str, fn() -> Result<Vec<Figure>>);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let json = words.iter().any(|word| word == "--json");
    let only = words.iter().find_map(|word| word.strip_prefix("--only="));
    let areas: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let groups: &[Group] = match areas[..] {
        [] | ["cell"] => cell::GROUPS,
        ["dhcp"] => dhcp::GROUPS,
        ["dns"] => dns::GROUPS,
        ["policy"] => policy::GROUPS,
        ["echo"] => return echo(),
        _ => {
            eprintln!("usage: bench [cell | dhcp | dns | policy] [--json] [--only=GROUP]");
            return ExitCode::from(2);
        }
    };
    if !json {
        println!("{}", figure::HEADING);
    }
    let mut failed = false;
    for (name, take) in groups.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        match take() {
            Ok(figures) => figures.iter().for_each(|figure| {
                println!("{}", if json { figure.json() } else { figure.line() });
            }),
            Err(error) => {
                eprintln!("{name} cannot be measured: {error:#}");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// One of the servers that are measured.
fn echo() -> ExitCode {
    match dns::serve_echo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the echo ended: {error:#}");
            ExitCode::FAILURE
        }
    }
}
