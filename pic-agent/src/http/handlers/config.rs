//! `/api/config`: the desired state as text.

use std::path::{Path, PathBuf};

use pic_api::config::{Config, NewConfig, PatchConfig};
use pic_api::problem::FieldError;
use pic_drivers::files;
use pic_engine::{ChangeError, Current, Report};
use pic_model::chain;
use pic_model::config::MAX_BYTES;
use pic_model::edit;

use crate::http::call::Call;
use crate::http::change::{Made, Wish, check_options};
use crate::http::failure::{Failure, from_edit};
use crate::http::late::Merging;
use crate::http::reply::{Outcome, Reply};

pub(crate) fn read(call: &Call) -> Outcome {
    let report = call.api.handle.report();
    let config = shown(call, &report.current);
    Ok(Reply::json(&config)?.etag(&config.etag))
}

/// A state as it is shown.
pub(crate) fn shown(call: &Call, current: &Current) -> Config {
    Config {
        generation: current.generation,
        toml: current.text.to_string(),
        etag: current.etag.clone(),
        edited: is_edited(&call.api.cell_toml, &call.api.handle.report()),
    }
}

pub(crate) async fn replace(call: Call) -> Outcome {
    let new: NewConfig = call.json()?;
    let Some(text) = new.toml else { return Err(Failure::bad("toml is missing: the whole new text")) };
    check_options(&new.options)?;
    let takes_file = is_file(&call.api.cell_toml, &text);
    let wish = Wish {
        options: new.options,
        takes_file,
        merging: Merging::Text,
        ..Wish::new("replace the configuration", move |_| Ok(text))
    };
    call.make(wish).await?.reply()
}

pub(crate) async fn patch(call: Call) -> Outcome {
    let patch: PatchConfig = call.json()?;
    check_options(&patch.options)?;
    let paths: Vec<&str> = patch.set.keys().map(String::as_str).collect();
    let reason = format!("set {}", paths.join(", "));
    let set = patch.set;
    let wish = Wish {
        options: patch.options,
        ..Wish::new(reason, move |current| {
            set.iter().try_fold(current.text.to_string(), |text, (path, value)| {
                edit::set(&text, path, value.as_deref()).map_err(from_edit)
            })
        })
    };
    call.make(wish).await?.reply()
}

pub(crate) async fn pending(mut call: Call) -> Outcome {
    call.query.insert("plan".to_owned(), "true".to_owned());
    call.make(file_wish(&call.api.cell_toml, NewConfig { toml: None, options: Default::default() }))
        .await?
        .reply()
}

pub(crate) async fn apply(call: Call) -> Outcome {
    let new = new_config(&call)?;
    if new.toml.is_some() {
        call.must_match()?;
    }
    call.make(file_wish(&call.api.cell_toml, new)).await?.reply()
}

/// The file goes back to the text in force; the host is as it was.
pub(crate) async fn discard(call: Call) -> Outcome {
    if call.api.handle.report().current.generation == 0 {
        return Err(Failure::no_cell());
    }
    let wish = Wish {
        takes_file: true,
        ..Wish::new("discard edits of the file", |current| Ok(current.text.to_string()))
    };
    match call.make(wish).await? {
        Made::Settled(operation) => Reply::operation(&operation, true),
        other => other.reply(),
    }
}

/// The body of routes where none means: the edited file.
pub(super) fn new_config(call: &Call) -> Outcome<NewConfig> {
    let new = if call.body.is_empty() {
        NewConfig { toml: None, options: Default::default() }
    } else {
        call.json()?
    };
    check_options(&new.options)?;
    Ok(new)
}

/// A wish for a text, or for the edited file as it stands when its turn comes.
pub(super) fn file_wish(file: &Path, new: NewConfig) -> Wish {
    let file: PathBuf = file.to_owned();
    let takes_file = new.toml.as_ref().is_none_or(|text| is_file(&file, text));
    let reason = match &new.toml {
        Some(_) => "apply a text".to_owned(),
        None => format!("apply {}", file.display()),
    };
    let edit = move |_: &Current| match new.toml {
        Some(text) => Ok(text),
        None => read_file(&file),
    };
    Wish { options: new.options, takes_file, merging: Merging::Text, ..Wish::new(reason, edit) }
}

/// The edited file's text.
pub(super) fn read_file(path: &Path) -> Result<String, ChangeError> {
    match files::read_bounded(path, MAX_BYTES as u64) {
        Ok(Some(bytes)) => String::from_utf8(bytes)
            .map_err(|_| ChangeError::BadRequest(format!("{} is not a text in UTF-8", path.display()))),
        Ok(None) => Err(ChangeError::NotFound(format!(
            "there is no {}; `picctl config discard` writes it again, as it is in force",
            path.display()
        ))),
        Err(error) => Err(ChangeError::Failed(chain(&error))),
    }
}

/// What is wrong with the edited file, the first of it; empty where it reads.
pub(super) async fn file_errors(path: &Path) -> Vec<FieldError> {
    const TOLD: usize = 10;
    let path = path.to_owned();
    // Ten thousand devices take a while to read.
    let read = tokio::task::spawn_blocking(move || match read_file(&path) {
        Ok(text) => match pic_model::config::parse(&text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.0.iter().take(TOLD).map(FieldError::from).collect(),
        },
        Err(error) => vec![unreadable(&error)],
    });
    read.await.unwrap_or_default()
}

/// A file of which nothing can be told by its lines.
fn unreadable(error: &ChangeError) -> FieldError {
    FieldError {
        pointer: String::new(),
        line: 0,
        column: 0,
        code: "syntax".to_owned(),
        message: error.to_string(),
        hint: String::new(),
    }
}

fn is_file(path: &Path, text: &str) -> bool {
    files::read_bounded(path, MAX_BYTES as u64).ok().flatten().is_some_and(|bytes| bytes == text.as_bytes())
}

/// Asked of the disk and not of the last report: an editor may have saved a moment ago. While a change waits, the file
/// rightly holds the kept text.
pub(super) fn is_edited(path: &Path, report: &Report) -> bool {
    let file = files::read_bounded(path, MAX_BYTES as u64).ok().flatten();
    let known = [&report.current.text, &report.kept];
    file.is_some_and(|bytes| known.iter().all(|text| bytes != text.as_bytes()))
}

/// Whether there is no such file, or nothing in it: what a power cut leaves, or a slip of the hand.
pub(super) fn is_lost(path: &Path) -> bool {
    let file = files::read_bounded(path, MAX_BYTES as u64);
    file.is_ok_and(|file| file.is_none_or(|bytes| bytes.is_empty()))
}
