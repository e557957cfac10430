//! The clock that leases are counted by; its rules are in [`crate::time`].
//!
//! Two marks tie it to other clocks. One, beside what ends with a reboot, ties it to the time since the machine was
//! started: a service that is started again goes on to the second. The other, beside the leases, ties it to the wall
//! clock, and is written anew when that is set, and once an hour.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use pic_service::chain;
use pic_service::file::{Lasts, replace};
use pic_service::snapshot::{Kind, SnapshotError};

use crate::time::{Mark, at_start};

const KIND: Kind<Mark> =
    Kind { program: "pic-dhcp", version: Mark::VERSION, version_of: |mark| mark.version, max: 4096 };
/// Seconds after which the wall clock is looked at anew even if nobody has set it.
const HOUR: u64 = 3600;
/// Seconds. Less is how clocks are corrected all the time.
const JUMP: u64 = 5;

/// Time since a start.
#[derive(Debug)]
pub(super) struct Clock {
    /// Seconds that leases are counted in, at the start.
    first: u64,
    /// Milliseconds since the machine was started, at the start.
    begin: u64,
    /// Where the mark for the wall clock is kept.
    kept: PathBuf,
    /// As it is there.
    mark: Option<Mark>,
}

fn boot() -> u64 {
    // A kernel without this clock is one that we do not run on.
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl Clock {
    /// Goes on from what was written down. `newest` is the latest time in any record; `kept` is the folder of what
    /// stays, `run` that of what ends with a reboot.
    pub(super) fn start(kept: &Path, run: &Path, newest: u64) -> Self {
        let (kept, run) = (kept.join("clock.json"), run.join("clock.json"));
        let (begin, mark) = (boot(), read(&kept));
        let first = at_start(read(&run).map(|mark| (mark, begin)), (mark, wall()), newest);
        let ahead = i128::from(wall()) - i128::from(first);
        if ahead.unsigned_abs() > u128::from(JUMP) {
            tracing::info!(
                "leases are counted {ahead} s behind the machine's clock, which has been off or is"
            );
        }
        let here = Mark { version: Mark::VERSION, seconds: first, shown: begin };
        write(&run, here, Lasts::UntilReboot);
        let mut clock = Self { first, begin, kept, mark };
        clock.keep();
        clock
    }

    /// Milliseconds since the start.
    pub(super) fn milliseconds(&self) -> u64 {
        boot().saturating_sub(self.begin)
    }

    /// Seconds that leases are counted in.
    pub(super) fn seconds(&self) -> u64 {
        self.first + self.milliseconds() / 1000
    }

    /// How far the wall clock is ahead of that, in seconds.
    pub(super) fn ahead(&self) -> i64 {
        i64::try_from(i128::from(wall()) - i128::from(self.seconds())).unwrap_or_default()
    }

    /// Now and then: writes down how the wall clock stands, if that has changed or an hour has passed.
    pub(super) fn keep(&mut self) {
        let now = Mark { version: Mark::VERSION, seconds: self.seconds(), shown: wall() };
        let is_fresh = |mark: Mark| {
            let expected = mark.shown.saturating_add(now.seconds.saturating_sub(mark.seconds));
            now.seconds < mark.seconds.saturating_add(HOUR) && expected.abs_diff(now.shown) <= JUMP
        };
        if !self.mark.is_some_and(is_fresh) {
            // One that cannot be written is tried again in an hour: a full disk says so elsewhere.
            self.mark = Some(now);
            write(&self.kept, now, Lasts::Always);
        }
    }
}

fn read(path: &Path) -> Option<Mark> {
    match KIND.load(path) {
        Ok(mark) => Some(mark),
        Err(SnapshotError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!("the time of before is left out: {}", chain(&error));
            None
        }
    }
}

fn write(path: &Path, mark: Mark, lasts: Lasts) {
    let text = serde_json::to_vec(&mark).unwrap_or_default();
    if let Err(error) = replace(path, &text, lasts) {
        tracing::warn!(path = %path.display(), %error, "the time cannot be written down");
    }
}
