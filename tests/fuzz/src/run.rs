//! One input on one target, within the limits.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::Target;

thread_local! {
    /// A target is running on this thread.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Processor time one input may take; the time of others on this machine does not count.
pub const TIME: Duration = Duration::from_millis(100);
/// Bytes one input may hold at once.
pub const HEAP: usize = 64 << 20;

/// The allocator of the program, which counts. (Only a program has one, so it is handed in.)
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    /// Bytes in use.
    pub now: fn() -> usize,
    /// The most since the last reset.
    pub peak: fn() -> usize,
    /// Begins to count anew.
    pub reset: fn(),
}

/// Runs an input; the error says what it did wrong.
pub fn run(target: &Target, input: &[u8], meter: &Meter) -> Result<(), String> {
    once(target, input, meter).or_else(|words| {
        // The first run of a target builds its small world, and a busy machine may disturb: only what fails twice counts.
        if words.starts_with("panicked") { Err(words) } else { once(target, input, meter) }
    })
}

fn once(target: &Target, input: &[u8], meter: &Meter) -> Result<(), String> {
    quiet();
    (meter.reset)();
    let (heap, begin) = ((meter.now)(), processor_time());
    INSIDE.set(true);
    let done = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    INSIDE.set(false);
    let (took, peak) = (processor_time().saturating_sub(begin), (meter.peak)().saturating_sub(heap));
    if let Err(panic) = done {
        let words =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let words: String = words.unwrap_or("without words").chars().take(400).collect();
        return Err(format!("panicked: {words}"));
    }
    if took > TIME {
        return Err(format!("took {} ms of processor time, limit {}", took.as_millis(), TIME.as_millis()));
    }
    if peak > HEAP {
        return Err(format!("held {} MiB, limit {}", peak >> 20, HEAP >> 20));
    }
    Ok(())
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Panics of targets are told by who runs the input; all others as ever.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                usual(panic);
            }
        }));
    });
}
