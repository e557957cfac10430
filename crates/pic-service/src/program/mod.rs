//! A program of others that a daemon of ours keeps running: a child ([`child`]) with a configuration that is made from a
//! template ([`render`]), looked at again and again ([`keep`]), and told of in a file ([`Paths::tell`]).

pub mod child;
pub mod render;

use std::fs::{self, DirBuilder, File, Permissions};
use std::future::Future;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;
use tokio::process::Command;

pub use child::Child;

use crate::file::{self, Lasts};
use crate::life::Stop;

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Paths {
    /// What to do.
    pub snapshot: PathBuf,
    /// The owner's template; it need not be there.
    pub template: PathBuf,
    /// Where to say how it is.
    pub status: PathBuf,
    /// Folder of the program's configuration, sockets and the like.
    pub run: PathBuf,
    /// Folder of what it keeps over a reboot.
    pub state: PathBuf,
    /// Where its package is installed.
    pub root: PathBuf,
}

impl Paths {
    /// Writes a configuration beside the one in use and has the program try it, by the command that is made for its path.
    /// It takes the place of `name` in the folder if the program likes it; else this is what the program said.
    ///
    /// # Errors
    /// A folder or file cannot be written, or the program not be started.
    pub async fn try_config(
        &self,
        name: &str,
        text: &str,
        command: impl FnOnce(&Path) -> io::Result<Command>,
    ) -> io::Result<Option<Output>> {
        keep_folder(&self.run)?;
        keep_folder(&self.state)?;
        let new = self.run.join(format!("new.{name}"));
        File::create(&new)?.write_all(text.as_bytes())?;
        let tried = command(&new)?.stdin(Stdio::null()).kill_on_drop(true).output().await?;
        if !tried.status.success() {
            return Ok(Some(tried));
        }
        fs::rename(&new, self.run.join(name))?;
        Ok(None)
    }

    /// Writes a configuration that cannot be tried.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn put_config(&self, name: &str, text: &str) -> io::Result<()> {
        keep_folder(&self.run)?;
        let new = self.run.join(format!("new.{name}"));
        File::create(&new)?.write_all(text.as_bytes())?;
        fs::rename(&new, self.run.join(name))
    }

    /// Says how it is. Failing to is not worth more than a line in the log.
    pub fn tell(&self, status: &impl Serialize) {
        tell(&self.status, status);
    }
}

/// Writes a status, of plain data, for whoever asks how something is. Failing to is not worth more than a line in the log.
pub fn tell(path: &Path, status: &impl Serialize) {
    // Plain data always serialises.
    let text = serde_json::to_vec(status).unwrap_or_default();
    if let Err(error) = file::replace(path, &text, Lasts::UntilReboot) {
        tracing::debug!(path = %path.display(), %error, "cannot write the status");
    }
}

/// What keeps a program running.
pub trait Keeper: Sized {
    /// Between two looks.
    const TICK: Duration;

    /// One that has done nothing yet.
    fn new(paths: Paths) -> Self;

    /// The program.
    fn child(&mut self) -> &mut Child;

    /// Looks whether something is to be done: files that are others by now, a program that does not run.
    fn look(&mut self) -> impl Future<Output = ()>;

    /// The program has ended by itself, in words.
    fn has_ended(&mut self, how: &str);
}

/// Keeps a program running until told to stop.
///
/// # Errors
/// Where the process itself cannot do its work: signals, the runtime.
pub fn keep<K: Keeper>(paths: Paths) -> io::Result<()> {
    // One thread: the program is told when the thread that started it ends.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let mut keeper = K::new(paths);
        loop {
            keeper.look().await;
            tokio::select! {
                () = stop.asked() => break,
                ended = keeper.child().ended() => {
                    keeper.has_ended(&ended.map_or_else(|error| error.to_string(), |status| status.to_string()));
                }
                () = tokio::time::sleep(K::TICK) => {}
            }
        }
        keeper.child().stop().await;
        Ok(())
    })
}

/// Milliseconds since the machine was started (`CLOCK_BOOTTIME`): what is told with it can be known to be old.
pub fn since_boot_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Makes a folder that is to be there, with nobody else in it: programs refuse another for their sockets and keys.
fn keep_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(error) if !path.is_dir() => Err(error),
        // One that is there already counts as made, whatever its mode: systemd makes it for everybody to look into.
        Ok(()) | Err(_) => fs::set_permissions(path, Permissions::from_mode(0o700)),
    }
}
