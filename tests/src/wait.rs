//! Waiting with a deadline. The only place of the lab that sleeps: everything else states a condition.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const STEP: Duration = Duration::from_millis(25);

/// Waits until `condition` holds; fails with `what` in the message once `deadline` has passed.
pub fn until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    value(deadline, what, || Ok(condition().then_some(())))
}

/// Waits until `probe` gives a value. An error from the probe ends the wait at once.
pub fn value<T>(deadline: Duration, what: &str, probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    value_every(STEP, deadline, what, probe)
}

/// Like [`value`], with the pause between two probes chosen by the caller (for costly probes).
pub fn value_every<T>(
    step: Duration,
    deadline: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if start.elapsed() >= deadline {
            bail!("waited {:.1} s in vain for {what}", deadline.as_secs_f64());
        }
        pause(step);
    }
}

/// Lets time pass where time itself is what is tested, such as "silent for two seconds".
#[expect(clippy::disallowed_methods, reason = "the one sleep, on which the waits above are built")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// When a long programme has to end: `PIC_SOAK_MINUTES` from now, else late enough.
pub fn soak_end() -> Instant {
    let minutes = std::env::var("PIC_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    Instant::now() + Duration::from_secs(60 * minutes)
}
