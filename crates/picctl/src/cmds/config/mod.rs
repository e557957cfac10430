//! `picctl config …`

mod check;
mod edit;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use pic_api::client::Change;
use pic_api::config::PatchConfig;

use super::apply::Options;
use crate::exit::{Exit, Failure};
use crate::out::text::lines;
use crate::{Context, Outcome};

/// Where the desired state lies.
const CELL_TOML: &str = "/etc/pic/cell.toml";

/// Verbs of `picctl config`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print the text in force.
    Show,
    /// Check a file. Works without the agent.
    ///
    /// Every problem is printed as FILE:LINE:COLUMN: PATH: MESSAGE, and the command ends with 3 if there is one.
    Check {
        /// The file; `-` is stdin.
        #[arg(default_value = CELL_TOML)]
        file: PathBuf,
    },
    /// Edit the text in $VISUAL or $EDITOR, then check, plan, ask and apply it.
    ///
    /// A text that is refused can be edited again. One that does not come into force is kept, and where is told.
    Edit(Edit),
    /// Undo edits of the file that were not applied: it gets the text in force again.
    ///
    /// Shows what is lost, and asks first.
    Discard,
    /// Set one setting.
    Set {
        /// As wireguard.port.
        path: String,
        /// A number, true, false, a text, or a list as '["a", "b"]'.
        value: String,
        #[command(flatten)]
        options: Options,
    },
    /// Give one setting its default again.
    Unset {
        /// As wireguard.port.
        path: String,
        #[command(flatten)]
        options: Options,
    },
}

/// Arguments of `picctl config edit`.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Show => show(context).await,
        Verb::Check { file } => check::run(context, &file),
        Verb::Edit(args) => edit::run(context, &args.options).await,
        Verb::Discard => discard(context).await,
        Verb::Set { path, value, options } => set(context, path, Some(value), &options).await,
        Verb::Unset { path, options } => set(context, path, None, &options).await,
    }
}

async fn show(context: &Context) -> Outcome {
    let answer = context.client.config().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    // Into a file or a pipe the text goes exactly as it is; a terminal gets it without surprises.
    let toml = &answer.value.toml;
    context.out.text(&if context.out.is_terminal() { lines(toml) } else { toml.clone() })?;
    if answer.value.edited {
        context.out.note(&format!(
            "{CELL_TOML} differs from this: it was edited and not applied; see `picctl diff`."
        ));
    }
    Ok(Exit::Done)
}

async fn discard(context: &Context) -> Outcome {
    if context.global.plan {
        return Err(Failure::Usage("there is no plan to show for this; leave --plan out".to_owned()));
    }
    let config = context.client.config().await?.value;
    if config.edited {
        if !context.out.json {
            show_lost(context, config.generation).await;
        }
        context.consent("Throw these edits away?")?;
    }
    let answer = context.client.discard().await?;
    context.end(&answer)
}

/// What of the file would be gone, so that whoever wants a part of it again can copy it from here.
async fn show_lost(context: &Context, generation: u64) {
    let head = format!("These edits of {CELL_TOML} were not applied and would be lost:");
    match context.client.diff(generation, 0).await {
        Ok(answer) => {
            let diff = context.out.note_paint().diff(&lines(&answer.value.diff));
            context.out.aside(&format!("{head}\n{diff}"));
        }
        // A file that is no text any more: asked all the same.
        Err(error) => context.out.note(&format!("{head}\n(they cannot be shown: {error})")),
    }
}

async fn set(context: &Context, path: String, value: Option<String>, options: &Options) -> Outcome {
    let patch = PatchConfig { set: BTreeMap::from([(path, value)]), options: options.to_api() };
    let plan = context.client.dry_run(&Change::Patch(&patch, None)).await?;
    context.apply_shown(plan).await
}
