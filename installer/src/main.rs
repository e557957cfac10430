//! The program: reads the command line, starts a runtime of one thread, ends with an exit code as `picctl` does.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use picctl::Exit;

fn main() -> ExitCode {
    let options = pic_installer::options::Options::parse();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::Failed.into();
    };
    runtime.block_on(pic_installer::run(options)).into()
}
