//! A device's configuration from the owner's template, else from the one the package brings.

use std::path::{Path, PathBuf};

use pic_drivers::files;
use pic_model::chain;
use pic_model::desired::Peer;
use pic_model::key::PrivateKey;
use pic_plan::compile::client::{self, TEMPLATE, Tunnel};

use super::call::Cell;

/// The packaged one has less than a tenth of it.
const MAX: u64 = 64 << 10;

/// Where the owner's template is, beside `cell.toml`.
pub(crate) fn owners(cell_toml: &Path) -> PathBuf {
    cell_toml.with_file_name("templates").join("client.conf")
}

/// The configuration. A template that fails is told about in it and replaced by the packaged one: by now the device
/// may have been added, and its private key is nowhere else.
pub(crate) fn render(
    template: &Path,
    cell: &Cell,
    peer: &Peer,
    key: Option<&PrivateKey>,
    tunnel: Tunnel,
) -> String {
    let with = |text: &str| client::config(text, &cell.desired, &cell.facts, peer, key, tunnel);
    let refused = match read(template) {
        Ok(None) => None,
        Ok(Some(text)) => match with(&text) {
            Ok(config) => return config,
            Err(error) => Some(error.to_string()),
        },
        Err(words) => Some(words),
    };
    // Tested where it is: it renders for every peer.
    let packaged = with(TEMPLATE).unwrap_or_default();
    match refused {
        None => packaged,
        Some(words) => {
            tracing::error!(template = %template.display(), "{words}; the packaged template is used");
            format!(
                "# {}: {}; made from the packaged template\n{packaged}",
                template.display(),
                words.escape_debug()
            )
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, String> {
    let bytes = files::read_bounded(path, MAX).map_err(|error| chain(&error))?;
    bytes
        .map(|bytes| String::from_utf8(bytes).map_err(|_| "this is not a text in UTF-8".to_owned()))
        .transpose()
}
