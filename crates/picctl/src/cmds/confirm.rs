//! `picctl confirm` and `picctl revert`

use clap::Args;
use pic_api::client::Answer;
use pic_api::operation::{Confirm as Body, Operation, State};

use crate::exit::{Exit, Failure};
use crate::{Context, Outcome};

/// Arguments of `picctl confirm`.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The generation meant; refused when another one waits.
    generation: Option<u64>,
    /// Confirm over the connection that the change was made over, though it does not show that a new one gets in.
    #[arg(long)]
    here: bool,
}

/// `--plan` promises that nothing happens, and here there is nothing to plan.
fn no_plan(context: &Context) -> Outcome<()> {
    match context.global.plan {
        false => Ok(()),
        true => Err(Failure::Usage("there is no plan to show for this; leave --plan out".to_owned())),
    }
}

pub(super) async fn confirm(context: &Context, args: Confirm) -> Outcome {
    no_plan(context)?;
    let answer = context.client.confirm(&Body { generation: args.generation, here: args.here }).await?;
    context.end(&answer)
}

/// Taking back is what was asked, so `reverted` is success here.
pub(super) async fn revert(context: &Context) -> Outcome {
    no_plan(context)?;
    let answer = context.client.revert().await?;
    let ended = if context.global.no_wait { answer } else { context.follow(answer).await? };
    if context.out.json {
        context.out.document(&ended.json)?;
    } else if ended.value.state == State::Reverted {
        context.out.text(&format!(
            "Generation {} is taken back; the previous state is in force.",
            ended.value.generation
        ))?;
    } else {
        return context.end(&ended);
    }
    Ok(exit(&ended))
}

fn exit(answer: &Answer<Operation>) -> Exit {
    match answer.value.state {
        State::Reverted | State::Reverting => Exit::Done,
        State::Planned
        | State::Applying
        | State::Verifying
        | State::AwaitingConfirm
        | State::Kept
        | State::Failed => Exit::Failed,
    }
}
