//! `pic-agent`: see the library of the same name.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use pic_agent::cli::{Cli, Command};
use pic_agent::{openapi, resolver, run, teardown};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { places, children } => run::main(places.paths(), children),
        Command::Teardown { places, children } => teardown::main(&places.paths(), children),
        Command::Resolver { verb } => resolver::main(&verb),
        Command::Openapi => openapi::print(),
    }
}
