//! Progress lines of long steps, so that a slow image build does not look like a hang.
//! They go straight to stderr: the test harness captures only what the print macros write.

use std::io::Write as _;
use std::time::Instant;

/// A step that announces its beginning and, when dropped, how long it took.
#[derive(Debug)]
pub struct Stage {
    what: String,
    start: Instant,
}

impl Stage {
    /// Announces the step.
    pub fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        note(&format!("{what} …"));
        Self { what, start: Instant::now() }
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let end = if std::thread::panicking() { "given up" } else { "done" };
        note(&format!("{}: {end} after {:.1} s", self.what, self.seconds()));
    }
}

/// One progress line. Losing it is harmless, so errors are ignored.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "[lab] {line}");
}
