//! One file per noun: its arguments and what it does.

pub(crate) mod app;
pub(crate) mod apply;
pub(crate) mod ban;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod confirm;
pub(crate) mod dhcp;
pub(crate) mod diff;
pub(crate) mod dns;
mod doctor;
pub(crate) mod events;
pub(crate) mod exits;
pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod lan;
pub(crate) mod logs;
pub(crate) mod offer;
pub(crate) mod peer;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod rollback;
mod status;
pub(crate) mod test;
mod time;
pub(crate) mod top;
mod version;
pub(crate) mod why;

use std::io::Read;
use std::path::Path;

use crate::cli::Command;
use crate::exit::{Exit, Failure};
use crate::{Context, Outcome};

/// Does a command.
pub(crate) async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Status => status::run(context).await,
        Command::Doctor => doctor::run(context).await,
        Command::Events(args) => events::run(context, args).await,
        Command::Peer(verb) => peer::run(context, verb).await,
        Command::Lan(verb) => lan::run(context, verb).await,
        Command::App(verb) => app::run(context, verb).await,
        Command::Exit(verb) => exits::run(context, verb).await,
        Command::Group(verb) => group::run(context, verb).await,
        Command::Dhcp(verb) => dhcp::run(context, verb).await,
        Command::Dns(verb) => dns::run(context, verb).await,
        Command::Time => time::run(context).await,
        Command::Top(args) => top::run(context, args).await,
        Command::Plan(args) => plan::run(context, args).await,
        Command::Apply(args) => apply::run(context, args).await,
        Command::Confirm(args) => confirm::confirm(context, args).await,
        Command::Revert => confirm::revert(context).await,
        Command::History(args) => history::run(context, args).await,
        Command::Diff(args) => diff::run(context, args).await,
        Command::Rollback(args) => rollback::run(context, args).await,
        Command::Config(verb) => config::run(context, verb).await,
        Command::Export => export(context).await,
        Command::Why(args) => why::run(context, &args).await,
        Command::Ban(args) => ban::ban(context, args).await,
        Command::Unban(args) => ban::unban(context, &args).await,
        Command::Bans => ban::list(context).await,
        Command::Grant(args) => policy::grant(context, args).await,
        Command::Revoke(args) => policy::revoke(context, &args).await,
        Command::Who(args) => policy::who(context, &args).await,
        Command::Service(verb) => policy::service(context, verb).await,
        Command::Forward(verb) => policy::forward(context, verb).await,
        Command::Test(verb) => test::run(context, &verb).await,
        Command::Logs(args) => logs::run(context, args),
        Command::Version => version::run(context).await,
        Command::Completions(args) => completions::run(context, args),
    }
}

async fn export(context: &Context) -> Outcome {
    let answer = context.client.export().await?;
    if context.out.json || !context.out.is_terminal() {
        context.out.document(&answer.json)?;
    } else {
        let pretty = serde_json::to_string_pretty(&answer.value).map_err(std::io::Error::from)?;
        context.out.text(&crate::out::text::lines(&pretty))?;
    }
    Ok(Exit::Done)
}

/// Refuses a file that is named without its option, and says how it is meant.
fn named_by_option(verb: &str, stray: Option<&Path>) -> Outcome<()> {
    match stray {
        None => Ok(()),
        Some(file) => Err(Failure::Usage(format!(
            "a file is named by an option: `picctl {verb} -f {}`",
            crate::out::text::line(&file.display().to_string())
        ))),
    }
}

/// Reads a file a person named; `-` is stdin. Larger ones than a `cell.toml` may be are refused unread.
fn read_text(path: &Path) -> Outcome<String> {
    const LIMIT: u64 = pic_model::config::MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LIMIT).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes))
    };
    read.map_err(Failure::file("read", path))?;
    String::from_utf8(bytes).map_err(|error| Failure::Invalid {
        what: path.display().to_string(),
        errors: vec![not_text(&error)],
        next: String::new(),
    })
}

fn not_text(error: &std::string::FromUtf8Error) -> pic_api::problem::FieldError {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    pic_api::problem::FieldError {
        pointer: String::new(),
        line: good.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: 1,
        code: "syntax".to_owned(),
        message: "this is not a text in UTF-8".to_owned(),
        hint: String::new(),
    }
}
