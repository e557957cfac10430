//! Exits by OpenVPN.

use std::io::{self, IsTerminal};
use std::path::Path;

use pic_api::client::Change;
use pic_api::exit::{Exit as ExitView, NewExit};
use pic_model::exit::openvpn::{self, Credentials};
use zeroize::Zeroizing;

use super::{Add, ask};
use crate::cmds::read_text;
use crate::exit::Failure;
use crate::out::table::Table;
use crate::{Context, Outcome};

pub(super) async fn add(context: &Context, args: Add, fail: Option<String>) -> Outcome {
    let Some(path) = &args.file else {
        return Err(Failure::Usage("say which file the provider gave: --file FILE".to_owned()));
    };
    let config = with_files(path, Zeroizing::new(read_text(path)?))?;
    let profile =
        openvpn::read(&config).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    for note in &profile.notes {
        context.out.note(note);
    }
    let is_missing = profile.asks && profile.credentials.is_none();
    let credentials = match &args.credentials {
        Some(file) if file != Path::new("-") || !io::stdin().is_terminal() => {
            Zeroizing::new(read_text(file)?)
        }
        Some(_) => ask::credentials().map_err(Failure::file("read", "-"))?,
        None if is_missing && io::stdin().is_terminal() => {
            ask::credentials().map_err(Failure::file("read", "-"))?
        }
        None if is_missing => {
            let words =
                "the provider asks for a user name and a password: --credentials FILE, with a line for each";
            return Err(Failure::Usage(words.to_owned()));
        }
        None => Zeroizing::new(String::new()),
    };
    if !credentials.is_empty() && Credentials::from_lines(&credentials).is_none() {
        let words = "user name and password are two lines of 1 to 127 bytes each";
        return Err(Failure::Usage(words.to_owned()));
    }
    let new = NewExit {
        name: args.name,
        kind: Some("openvpn".to_owned()),
        config: String::clone(&config),
        credentials: String::clone(&credentials),
        fail,
        ..NewExit::default()
    };
    context.make(&Change::AddExit(&new)).await
}

/// A provider's file with the keys in it that it names and that lie beside it.
fn with_files(path: &Path, mut text: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    let Some(folder) = path.parent().filter(|_| path != Path::new("-")) else { return Ok(text) };
    for (block, file) in openvpn::named_files(&text) {
        let beside = folder.join(&file);
        // One that is not there is told with the line that names it.
        if beside.is_file() {
            let content = Zeroizing::new(read_text(&beside)?);
            text = openvpn::put_in(&text, block, &file, &content);
        }
    }
    Ok(text)
}

/// What its own rows are, beside those of every tunnel.
pub(super) fn show(table: &mut Table, exit: &ExitView) {
    if exit.kind == "openvpn" {
        table.pair("unit", format!("pic-openvpn@{}.service", exit.interface));
    }
}
