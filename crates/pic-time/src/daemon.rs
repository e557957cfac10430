//! chronyd as a child: given a configuration, running, or ended.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, getuid};
use tokio::process::{Child, Command};

/// It ends within a moment; one that does not is killed.
const STOP: Duration = Duration::from_secs(5);

/// chronyd, and the folders it works in.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: PathBuf,
    run: PathBuf,
    state: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    pub(crate) fn new(program: PathBuf, run: PathBuf, state: PathBuf) -> Self {
        Self { program, run, state, child: None }
    }

    /// Whether the program is there.
    pub(crate) fn is_installed(&self) -> bool {
        self.program.exists()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Writes a configuration beside the one in use; what chronyd says against it, if it does.
    pub(crate) async fn try_config(&self, text: &str) -> io::Result<Result<(), String>> {
        // chronyd refuses a folder of its socket that everybody may look into.
        keep_folder(&self.run)?;
        keep_folder(&self.state)?;
        let path = self.run.join("new.conf");
        File::create(&path)?.write_all(text.as_bytes())?;
        let tried = Command::new(&self.program)
            .arg("-p")
            .arg("-f")
            .arg(&path)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        if tried.status.success() {
            fs::rename(&path, self.config())?;
            return Ok(Ok(()));
        }
        let words = String::from_utf8_lossy(&tried.stderr);
        Ok(Err(words.lines().next_back().unwrap_or("chronyd refuses it").chars().take(300).collect()))
    }

    fn config(&self) -> PathBuf {
        self.run.join("chrony.conf")
    }

    /// Starts it with the configuration that was tried. It serves, and leaves the host's clock alone.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        // Of one that was killed; chronyd would take another process with its number for it.
        let _ = fs::remove_file(self.run.join("chronyd.pid"));
        let user = User::from_uid(getuid())?.map_or_else(|| "root".to_owned(), |user| user.name);
        // It must not outlive us: nobody would know of it, and its port would be taken.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(&self.program)
            .args(["-x", "-U", "-d", "-F", "1", "-u", &user, "-f"])
            .arg(self.config())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits for its end; for ever when it does not run.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.child else { return std::future::pending().await };
        let status = child.wait().await;
        self.child = None;
        status
    }

    /// Ends it.
    pub(crate) async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if tokio::time::timeout(STOP, child.wait()).await.is_err() {
            tracing::warn!("chronyd does not end; it is killed");
            let _ = child.kill().await;
        }
    }
}

/// Makes a folder that is to be there, with nobody else in it.
fn keep_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(error) if !path.is_dir() => Err(error),
        // One that is there already counts as made, whatever its mode: systemd makes it for everybody to look into.
        Ok(()) | Err(_) => fs::set_permissions(path, fs::Permissions::from_mode(0o700)),
    }
}
