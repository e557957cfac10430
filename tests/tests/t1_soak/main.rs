//! Random schedules of everything that happens to a cell: nothing of who has an exit leaves in clear, and the way in comes
//! back from every bad configuration. Seeds are printed; `PIC_SEED=N` plays one again. A small sample runs with the tests,
//! the rest by `scripts/soak leaks` and `scripts/soak locked-out`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "seeds are printed, so that they can be played again")]

mod chance;
mod lanes;
mod leaks;
mod locked_out;
