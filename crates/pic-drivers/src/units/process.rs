//! A process that outlives us, known again by its number and the moment it started.

use std::io::{self, Write};
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process: its number alone would after a while be another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pid: i32,
    /// Clock ticks after boot, proc_pid_stat(5) field 22.
    started: u64,
}

impl Process {
    /// A process that runs now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Some(Self { pid, started: started(pid)? })
    }

    /// Reads a record; `None` where there is none or it makes no sense.
    pub(super) fn load(record: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(record).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    /// Writes the record. Not synced: after a power cut the process is gone as well.
    pub(super) fn save(self, record: &Path) -> io::Result<()> {
        let new = record.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        writeln!(file, "{} {}", self.pid, self.started)?;
        std::fs::rename(new, record)
    }

    /// Whether it still is the same process, and not only waiting to be buried.
    pub(super) fn is_alive(self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Sends a signal if it still is the same process.
    pub(super) fn signal(self, signal: Signal) {
        if self.is_alive() {
            // It may end in between; then there is nothing left to signal.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }
}

fn started(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, brackets too; what follows the last one is state and numbers.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_itself_again_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let record = dir.path().join("x.pid");
        let own = Process::of(std::process::id()).unwrap();
        own.save(&record).unwrap();
        assert_eq!(Process::load(&record), Some(own));
        assert!(own.is_alive());
        let other = Process { started: own.started + 1, ..own };
        assert!(!other.is_alive());
        other.signal(Signal::SIGKILL);
    }
}
