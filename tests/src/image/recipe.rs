//! What is in an image, and the hash that tells whether a cached one still matches.

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use super::{Release, apt};

/// Raise when a build step changes without changing the recipe's fields.
const EDITION: u32 = 1;

/// The packages and files of an image.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) kind: &'static str,
    pub(super) release: Release,
    pub(super) packages: &'static [&'static str],
    /// Path from the root, content.
    pub(super) files: Vec<(&'static str, String)>,
    /// Commands run inside when packages and files are in place.
    pub(super) commands: &'static [&'static [&'static str]],
}

impl Recipe {
    /// The name of the cached image.
    pub(super) fn key(&self) -> String {
        let hash = Sha256::digest(format!("{EDITION} {self:?}"));
        let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{hash}", self.kind, self.release.name())
    }
}

/// Apt settings of a guest: no translations (slow to fetch and unpack), and the proxy if there is one.
pub(super) fn apt_conf() -> Result<String> {
    let mut text = String::from("Acquire::Languages \"none\";\n");
    if let Some(proxy) = apt::guest_proxy()? {
        text.push_str(&format!("Acquire::http::Proxy \"{proxy}\";\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_gives_another_key() {
        let recipe = |packages| Recipe {
            kind: "disk",
            release: Release::Trixie,
            packages,
            files: Vec::new(),
            commands: &[],
        };
        assert_eq!(recipe(&["a"]).key(), recipe(&["a"]).key());
        assert_ne!(recipe(&["a"]).key(), recipe(&["b"]).key());
        assert!(recipe(&["a"]).key().starts_with("disk-trixie-"));
    }
}
