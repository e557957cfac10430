//! Running our own code in a namespace.

use std::fs::File;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use super::Namespace;

impl Namespace {
    /// Runs `work` on a throw-away thread inside the namespace. Sockets that it opens stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let path = self.path();
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(&file, CloneFlags::CLONE_NEWNET)
                    .with_context(|| format!("enter {}", path.display()))?;
                Ok(work())
            });
            inside.join().map_err(|_| anyhow!("the code inside {} panicked", self.name()))?
        })
    }
}
