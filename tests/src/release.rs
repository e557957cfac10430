//! A package repository on the lab's internet: what `scripts/release` made, served as any web server would.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::netns::Namespace;
use crate::process::Child;
use crate::scratch::{Scratch, build_dir};
use crate::wait;

/// The repository with the package of this tree; `scripts/test` builds it.
pub const THIS: &str = "release";
/// The same programs under a higher version, signed with the same key.
pub const NEXT: &str = "release-next";

/// The folder of a built repository.
pub fn folder(name: &str) -> Result<PathBuf> {
    let folder = build_dir().join(name);
    let built = folder.join("install.sh").is_file();
    ensure!(
        built,
        "{} holds no repository: run `sudo scripts/test --tier T3`, which builds it",
        folder.display()
    );
    Ok(folder)
}

/// A repository being served until it is dropped.
#[derive(Debug)]
pub struct Served {
    url: String,
    link: PathBuf,
    _server: Child,
    _scratch: Scratch,
}

impl Served {
    /// Serves a built repository at an IPv4 address of a namespace.
    pub fn start(namespace: &Namespace, address: &str, port: u16, name: &str) -> Result<Self> {
        let scratch = Scratch::new("release")?;
        let link = scratch.join("repository");
        point(&link, &folder(name)?)?;
        let mut command = namespace.command("python3");
        command.args(["-m", "http.server", &port.to_string(), "--bind", address, "--directory"]).arg(&link);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Child::spawn(command)?;
        let socket = format!("{address}:{port}").parse().context("the address of the repository")?;
        wait::until(Duration::from_secs(10), "the repository to be served", || {
            namespace.http_get(socket, "/SHA256SUMS", Duration::from_secs(2)).is_ok()
        })?;
        Ok(Self { url: format!("http://{address}:{port}"), link, _server: server, _scratch: scratch })
    }

    /// What `PIC_URL` is to be.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on serves another repository at the same address.
    pub fn switch_to(&self, name: &str) -> Result<()> {
        point(&self.link, &folder(name)?)
    }
}

/// Makes `link` lead to `folder`, in one step.
fn point(link: &Path, folder: &Path) -> Result<()> {
    let draft = link.with_extension("new");
    let make = || {
        symlink(folder, &draft)?;
        std::fs::rename(&draft, link)
    };
    make().with_context(|| format!("point {} to {}", link.display(), folder.display()))
}
