//! `pic-app`: see [`pic_agent::app`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use pic_agent::app::{self, Cli};

fn main() -> ExitCode {
    app::main(&Cli::parse())
}
