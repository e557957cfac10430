//! `picctl config check`: the same reading as the agent's, without the agent.

use std::path::Path;

use pic_api::problem::FieldError;
use pic_model::config::parse;

use crate::cmds::read_text;
use crate::exit::{Exit, Failure};
use crate::out::text::count;
use crate::{Context, Outcome};

/// What `--json` prints of a valid file.
#[derive(serde::Serialize)]
struct Valid {
    valid: bool,
    peers: usize,
}

pub(super) fn run(context: &Context, file: &Path) -> Outcome {
    let peers = valid(&read_text(file)?, &file.display().to_string())?;
    if context.out.json {
        context.out.serialize(&Valid { valid: true, peers })?;
    } else {
        context.out.text(&format!("Valid: {}.", count(peers, "peer")))?;
    }
    Ok(Exit::Done)
}

/// Number of peers of a valid text; all problems of another.
pub(super) fn valid(text: &str, what: &str) -> Outcome<usize> {
    parse(text).map(|desired| desired.peers.len()).map_err(|problems| Failure::Invalid {
        what: what.to_owned(),
        errors: problems.0.iter().map(FieldError::from).collect(),
        next: String::new(),
    })
}
