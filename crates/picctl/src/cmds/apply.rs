//! `picctl apply`

use std::path::PathBuf;

use clap::Args;
use pic_api::config::{ChangeOptions, NewConfig};

use super::{named_by_option, read_text};
use crate::exit::Failure;
use crate::{Context, Outcome, time};

/// Arguments of `picctl apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The file; `-` is stdin. Without it: /etc/pic/cell.toml as it stands.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A file that was named without the option.
    #[arg(hide = true)]
    stray: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// Options of changes that show their plan first.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Take the change back unless it is confirmed within this time, as 90s or 5m. A risky plan asks for this by
    /// itself.
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    confirm: Option<u64>,
    /// Keep the change without a confirmation, even if it is risky.
    #[arg(long, conflicts_with = "confirm")]
    no_confirm: bool,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

impl Options {
    /// As the API takes them.
    pub(super) fn to_api(&self) -> ChangeOptions {
        let confirm_seconds = if self.no_confirm { Some(0) } else { self.confirm };
        ChangeOptions { reason: self.reason.clone(), confirm_seconds }
    }
}

pub(super) async fn run(context: &Context, args: Apply) -> Outcome {
    named_by_option("apply", args.stray.as_deref())?;
    let toml = args.file.as_deref().map(read_text).transpose()?;
    let config = NewConfig { toml, options: args.options.to_api() };
    let plan = context.client.plan(&config).await.map_err(Failure::in_file(args.file.as_deref()))?;
    context.apply_shown(plan).await
}
