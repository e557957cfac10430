//! `picctl diff`

use clap::Args;

use crate::exit::Exit;
use crate::out::text::lines;
use crate::{Context, Outcome};

/// Arguments of `picctl diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Older generation; without it, the one in force.
    from: Option<u64>,
    /// Newer generation; 0 is the edited file.
    to: Option<u64>,
}

pub(super) async fn run(context: &Context, args: Diff) -> Outcome {
    let (from, to) = match (args.from, args.to) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, context.client.status().await?.value.generation),
        (None, _) => (context.client.status().await?.value.generation, 0),
    };
    let answer = context.client.diff(from, to).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.diff.is_empty() {
        context.out.note("No difference.");
    } else {
        context.out.text(&context.out.paint.diff(&lines(&answer.value.diff)))?;
    }
    Ok(Exit::Done)
}
