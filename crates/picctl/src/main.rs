//! The program: reads the command line, starts a runtime of one thread, ends with the command's exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use picctl::Exit;

fn main() -> ExitCode {
    let cli = picctl::cli::Cli::parse();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::Failed.into();
    };
    runtime.block_on(picctl::run(cli)).into()
}
