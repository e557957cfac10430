//! `pic-guard`: see [`pic_agent::guard`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use pic_agent::cli::GuardCli;
use pic_agent::guard;

fn main() -> ExitCode {
    let cli = GuardCli::parse();
    guard::main(cli.config, cli.state)
}
