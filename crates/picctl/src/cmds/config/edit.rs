//! `picctl config edit`: a copy in an editor, then the way of every change.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use pic_api::client::{Answer, Change, ClientError};
use pic_api::config::{Config, NewConfig};
use pic_api::operation::Plan;
use pic_api::problem::Code;
use tempfile::NamedTempFile;

use super::CELL_TOML;
use super::check::valid;
use crate::ask;
use crate::cmds::apply::Options;
use crate::exit::{Exit, Failure};
use crate::{Context, Outcome};

pub(super) async fn run(context: &Context, options: &Options) -> Outcome {
    let config = context.client.config().await?.value;
    if config.edited {
        return Err(Failure::Words(format!(
            "{CELL_TOML} was edited and not applied, and that would be lost; see `picctl diff`, then `picctl apply` it \
             or undo the edit"
        )));
    }
    let copy = Copy::new(&config.toml)?;
    let done = change(context, &copy, &config, options).await;
    let is_taken = matches!(done, Ok(Exit::Done | Exit::Awaiting)) && !context.global.plan;
    // Whatever did not come into force is somebody's work.
    if !is_taken && copy.is_edited(&config.toml) {
        copy.keep(context)?;
    }
    done
}

/// The editor and the checks in turn, until there is a plan or the author stops.
async fn change(context: &Context, copy: &Copy, config: &Config, options: &Options) -> Outcome {
    let plan = loop {
        edit(copy.path())?;
        if !copy.is_edited(&config.toml) {
            context.out.note("Nothing was edited.");
            return Ok(Exit::Done);
        }
        match plan(context, copy, &config.etag, options).await {
            Ok(plan) => break plan,
            Err(refused @ Failure::Invalid { .. }) if context.may_ask() => {
                let exit = refused.report(&context.out);
                if !ask::edits_again()? {
                    return Ok(exit);
                }
            }
            Err(other) => return Err(other),
        }
    };
    context.apply_shown(plan).await
}

/// What the text would do; refused with all that is wrong with it.
async fn plan(context: &Context, copy: &Copy, tag: &str, options: &Options) -> Outcome<Answer<Plan>> {
    let what = copy.path().display().to_string();
    let text = copy.read()?;
    valid(&text, &what)?;
    let config = NewConfig { toml: Some(text), options: options.to_api() };
    context.client.dry_run(&Change::Replace(&config, Some(tag))).await.map_err(|error| match error {
        // The agent knows more than the file: what the host's own networks are, for one.
        ClientError::Problem(problem) if problem.code == Code::Invalid => {
            Failure::Invalid { what, errors: problem.errors, next: String::new() }
        }
        error => error.into(),
    })
}

/// The text being edited; private, because comments may say more than the settings do.
struct Copy(NamedTempFile);

impl Copy {
    fn new(text: &str) -> Outcome<Self> {
        let failed = Failure::file("write a copy under", env::temp_dir());
        let make = || {
            let mut file = tempfile::Builder::new().prefix("pic-cell-").suffix(".toml").tempfile()?;
            file.write_all(text.as_bytes())?;
            file.flush()?;
            Ok(file)
        };
        make().map(Self).map_err(failed)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Opened by name: editors write a new file and move it there.
    fn read(&self) -> Outcome<String> {
        crate::cmds::read_text(self.path())
    }

    /// Whether there is another text than the one that was given out.
    fn is_edited(&self, given: &str) -> bool {
        std::fs::read(self.path()).is_ok_and(|bytes| bytes != given.as_bytes())
    }

    /// Leaves the text where it is and says where.
    fn keep(self, context: &Context) -> Outcome<()> {
        let path = self.path().to_owned();
        self.0.keep().map_err(|error| Failure::File {
            verb: "keep",
            path: path.clone(),
            source: error.error,
        })?;
        context
            .out
            .note(&format!("Your text is kept in {0}; go on with it: picctl apply -f {0}", path.display()));
        Ok(())
    }
}

/// Runs the editor. Its setting may carry options, which are split at blanks; there is no shell.
fn edit(path: &Path) -> Outcome<()> {
    let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "sensible-editor".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("sensible-editor");
    let status = Command::new(program).args(words).arg(path).status();
    let status =
        status.map_err(|source| Failure::File { verb: "run the editor", path: program.into(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Words(format!("the editor {program} ended with {status}; nothing was changed")))
    }
}
