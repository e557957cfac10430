//! `picctl completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::{Context, Outcome};

/// Arguments of `picctl completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

pub(super) fn run(context: &Context, args: Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "picctl", &mut script);
    context.out.document(&script)?;
    Ok(Exit::Done)
}
