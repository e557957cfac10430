//! The inner process: runs inputs one after the other.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pic_fuzz::mutate::Mutator;
use pic_fuzz::run::{Meter, run};
use pic_fuzz::{Target, corpus};

/// An input that takes this long will take for ever.
const HANG: Duration = Duration::from_secs(20);
/// More findings of one target than this are likely the same one.
const ENOUGH: usize = 5;

/// Mutates until the time is over.
pub(crate) fn mutate(
    target: &Target,
    seed: u64,
    time: Duration,
    file: &Path,
    meter: &Meter,
) -> Result<ExitCode> {
    let file = File::options().write(true).open(file).with_context(|| format!("open {}", file.display()))?;
    let inputs = corpus::load(target.name)?.into_iter().map(|(_, input)| input).collect();
    let mut mutator = Mutator::new(inputs, seed);
    let (done, begin, mut found) = (watchdog(), Instant::now(), 0);
    while begin.elapsed() < time && found < ENOUGH {
        let input = mutator.next_input();
        file.set_len(0)?;
        file.write_all_at(&input, 0)?;
        if let Err(words) = run(target, &input, meter) {
            found += 1;
            let kept = corpus::keep(target.name, &input)?;
            crate::say(&format!("FAILED  {words}: {}", kept.display()));
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    crate::say(&format!("{} inputs in {} s, {found} findings", done.load(Ordering::Relaxed), time.as_secs()));
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends the process, by a signal that the outer one sees, when the count stands still.
fn watchdog() -> Arc<AtomicU64> {
    let done = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&done);
    std::thread::spawn(move || {
        let mut last = u64::MAX;
        loop {
            std::thread::park_timeout(HANG);
            let now = seen.load(Ordering::Relaxed);
            if now == last {
                std::process::abort();
            }
            last = now;
        }
    });
    done
}
