//! `picctl plan`

use std::path::PathBuf;

use clap::Args;
use pic_api::config::{ChangeOptions, NewConfig};

use super::{named_by_option, read_text};
use crate::exit::Failure;
use crate::{Context, Outcome};

/// Arguments of `picctl plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The file; `-` is stdin. Without it: /etc/pic/cell.toml as it stands.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A file that was named without the option.
    #[arg(hide = true)]
    stray: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: Plan) -> Outcome {
    named_by_option("plan", args.stray.as_deref())?;
    let toml = args.file.as_deref().map(read_text).transpose()?;
    let config = NewConfig { toml, options: ChangeOptions::default() };
    let plan = context.client.plan(&config).await.map_err(Failure::in_file(args.file.as_deref()))?;
    context.show_plan(&plan)
}
