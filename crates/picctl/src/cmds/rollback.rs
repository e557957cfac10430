//! `picctl rollback`

use clap::Args;
use pic_api::client::Change;

use super::apply::Options;
use crate::{Context, Outcome};

/// Arguments of `picctl rollback`.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Generation to go back to, from `picctl history`.
    generation: u64,
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(context: &Context, args: Rollback) -> Outcome {
    let options = args.options.to_api();
    let plan = context.client.dry_run(&Change::Rollback(args.generation, &options, None)).await?;
    context.apply_shown(plan).await
}
