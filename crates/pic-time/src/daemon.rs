//! chronyd as a child: tried with a configuration, and started with it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;

use nix::unistd::{User, getuid};
use pic_service::program::{Child, Paths};
use tokio::process::Command;

/// Name of its configuration.
const CONFIG: &str = "chrony.conf";

/// chronyd, and the folders it works in.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: PathBuf,
    pub(crate) child: Child,
}

impl Daemon {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { program: paths.root.join("usr/sbin/chronyd"), child: Child::default() }
    }

    /// Whether the program is there.
    pub(crate) fn is_installed(&self) -> bool {
        self.program.exists()
    }

    /// Has chronyd try a configuration; what it says against it, if it does.
    pub(crate) async fn try_config(&self, paths: &Paths, text: &str) -> io::Result<Result<(), String>> {
        let tried = paths.try_config(CONFIG, text, |new| {
            let mut command = Command::new(&self.program);
            command.arg("-p").arg("-f").arg(new);
            Ok(command)
        });
        let Some(refused) = tried.await? else { return Ok(Ok(())) };
        let words = String::from_utf8_lossy(&refused.stderr);
        Ok(Err(words.lines().next_back().unwrap_or("chronyd refuses it").chars().take(300).collect()))
    }

    /// Starts it with the configuration that was tried. It serves, and leaves the host's clock alone.
    pub(crate) fn start(&mut self, paths: &Paths) -> io::Result<()> {
        // Of one that was killed; chronyd would take another process with its number for it.
        let _ = fs::remove_file(paths.run.join("chronyd.pid"));
        let user = User::from_uid(getuid())?.map_or_else(|| "root".to_owned(), |user| user.name);
        let options = ["-x", "-U", "-d", "-F", "1", "-u", &user, "-f"].map(OsString::from);
        self.child.start(&self.program, options.into_iter().chain([paths.run.join(CONFIG).into()]))
    }
}
