//! Where this machine gets Debian from: read from its own apt configuration, since the nearest mirror is
//! nobody's business but the machine's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Release;
use crate::{cmd, files};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One archive of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Archive {
    uri: String,
    suites: Vec<String>,
    keyring: Option<String>,
}

/// The main and the security archive of Debian, as this machine knows them.
#[derive(Debug)]
pub(super) struct Mirror {
    main: Archive,
    security: Option<Archive>,
}

impl Mirror {
    /// Reads it from `/etc/apt`, or from `$PIC_LAB_MIRROR` and `$PIC_LAB_SECURITY_MIRROR` (URIs).
    pub(super) fn of_this_machine() -> Result<Self> {
        if let Ok(uri) = std::env::var("PIC_LAB_MIRROR") {
            let security = std::env::var("PIC_LAB_SECURITY_MIRROR").ok();
            return Ok(Self { main: plain(uri), security: security.map(plain) });
        }
        let mut archives = Vec::new();
        for path in source_files() {
            let text = files::read(&path)?;
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("sources") => archives.extend(deb822(&text)),
                _ => archives.extend(text.lines().filter_map(one_line)),
            }
        }
        Self::choose(&archives).context(
            "no Debian archive in /etc/apt: set PIC_LAB_MIRROR and PIC_LAB_SECURITY_MIRROR to the URIs of one",
        )
    }

    fn choose(archives: &[Archive]) -> Option<Self> {
        let has = |archive: &&Archive, suffix: &str| {
            Release::ALL.iter().any(|r| archive.suites.contains(&format!("{}{suffix}", r.name())))
        };
        Some(Self {
            main: archives.iter().find(|archive| has(archive, ""))?.clone(),
            security: archives.iter().find(|archive| has(archive, "-security")).cloned(),
        })
    }

    /// The apt sources for `release`, in deb822.
    pub(super) fn sources(&self, release: Release) -> String {
        let name = release.name();
        let mut text = self.main.stanza(&format!("{name} {name}-updates"));
        if let Some(security) = &self.security {
            text.push('\n');
            text.push_str(&security.stanza(&format!("{name}-security")));
        }
        text
    }
}

impl Archive {
    fn stanza(&self, suites: &str) -> String {
        let keyring = self.keyring.as_deref().unwrap_or(KEYRING);
        format!("Types: deb\nURIs: {}\nSuites: {suites}\nComponents: main\nSigned-By: {keyring}\n", self.uri)
    }
}

fn plain(uri: String) -> Archive {
    Archive { uri, suites: Vec::new(), keyring: None }
}

fn source_files() -> Vec<PathBuf> {
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let wanted = |path: &PathBuf| path.extension().is_some_and(|e| e == "list" || e == "sources");
    let mut paths: Vec<_> = parts.map(|entry| entry.path()).filter(wanted).collect();
    paths.sort();
    paths.extend(Some(Path::new("/etc/apt/sources.list").to_path_buf()).filter(|path| path.exists()));
    paths
}

/// The `deb` stanzas of a deb822 file.
fn deb822(text: &str) -> Vec<Archive> {
    let uncommented: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    uncommented.split(|line| line.trim().is_empty()).filter_map(stanza).collect()
}

fn stanza(lines: &[&str]) -> Option<Archive> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            let value = fields.get_mut(&last)?;
            value.push('\n');
            value.push_str(line);
        } else {
            let (key, value) = line.split_once(':')?;
            last = key.trim().to_ascii_lowercase();
            fields.insert(last.clone(), value.trim().to_owned());
        }
    }
    let words =
        |key: &str| fields.get(key).map(|v| v.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    if !words("types")?.iter().any(|kind| kind == "deb") || fields.get("enabled").is_some_and(|v| v == "no") {
        return None;
    }
    Some(Archive {
        uri: words("uris")?.into_iter().next()?,
        suites: words("suites")?,
        keyring: fields.get("signed-by").cloned(),
    })
}

/// A line of the old format: `deb [signed-by=FILE] URI SUITE COMPONENT…`
fn one_line(line: &str) -> Option<Archive> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let uri = words.next().filter(|uri| !uri.starts_with("cdrom:"))?.to_owned();
    let suites = vec![words.next()?.to_owned()];
    let keyring = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    Some(Archive { uri, suites, keyring: keyring.map(str::to_owned) })
}

/// Settings of this machine's apt without which it would not reach or not believe its mirror.
/// For building images only: a guest must judge repositories as any fresh Debian does.
pub(super) fn options() -> Result<Vec<String>> {
    const KEPT: [&str; 4] = [
        "Acquire::http::Proxy ",
        "Acquire::https::Proxy ",
        "Acquire::Check-Valid-Until ",
        "Acquire::Check-Date ",
    ];
    let dump = cmd::run(cmd::command("apt-config").arg("dump"))?.ok()?;
    Ok(dump.lines().filter(|line| KEPT.iter().any(|key| line.starts_with(key))).map(str::to_owned).collect())
}

/// The proxy that a guest needs to reach the mirror, if this machine needs one.
/// A proxy on this machine's loopback is reached under the address that the guest knows the machine by.
pub(super) fn guest_proxy() -> Result<Option<String>> {
    let configured = options()?.iter().find_map(|line| {
        let value = line.strip_prefix("Acquire::http::Proxy ")?.trim_end_matches(';').trim_matches('"');
        Some(value.to_owned()).filter(|value| !value.is_empty() && value != "DIRECT")
    });
    let proxy = configured.or_else(|| std::env::var("http_proxy").ok().filter(|value| !value.is_empty()));
    Ok(proxy.map(|uri| uri.replace("//127.0.0.1", "//10.0.2.2").replace("//localhost", "//10.0.2.2")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "# a comment\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n\
        Components: main\nSigned-By: /k.gpg\n\nTypes: deb deb-src\nURIs: http://mirror.test/sec\n\
        Suites: bookworm-security\nComponents: main\n";

    #[test]
    fn sources_of_another_release_come_from_the_same_mirror() {
        let mirror = Mirror::choose(&deb822(NEW)).unwrap();
        let text = mirror.sources(Release::Trixie);
        assert!(text.contains("URIs: http://mirror.test/debian\nSuites: trixie trixie-updates\n"), "{text}");
        assert!(text.contains("URIs: http://mirror.test/sec\nSuites: trixie-security\n"), "{text}");
        assert!(text.contains("Signed-By: /k.gpg\n"), "{text}");
    }

    #[test]
    fn the_old_format_is_understood() {
        let archive =
            one_line("deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian trixie main").unwrap();
        assert_eq!(archive.uri, "http://mirror.test/debian");
        assert_eq!(archive.keyring.as_deref(), Some("/k.gpg"));
        assert_eq!(one_line("# deb http://mirror.test/debian trixie main"), None);
        assert_eq!(one_line("deb cdrom:[disc]/ trixie main"), None);
    }

    #[test]
    fn foreign_archives_are_not_taken_for_debian() {
        let other = one_line("deb http://vendor.test/node nodistro main").unwrap();
        assert!(Mirror::choose(&[other]).is_none());
    }
}
