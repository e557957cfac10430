//! Several labs at once, each in namespaces of its own: what a schedule does is mostly to wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Numbers that are handed out to whichever lane is free.
pub(crate) struct Turns {
    next: AtomicU64,
    end: u64,
    over: AtomicBool,
}

impl Turns {
    /// So many numbers from zero on.
    pub(crate) fn new(end: u64) -> Self {
        Self { next: AtomicU64::new(0), end, over: AtomicBool::new(false) }
    }

    /// The next number; none when all are taken, or when a lane has failed.
    pub(crate) fn take(&self) -> Option<u64> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        (turn < self.end && !self.over.load(Ordering::Relaxed)).then_some(turn)
    }

    /// Hands out no more.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Ends all lanes where one fails.
struct Guard<'t>(&'t Turns);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

/// Runs so many lanes until they find no more turns; what each gives.
pub(crate) fn run<T: Send>(count: usize, turns: &Turns, lane: impl Fn(&Turns) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let begin = || {
            scope.spawn(|| {
                let _guard = Guard(turns);
                lane(turns)
            })
        };
        let lanes: Vec<_> = (0..count).map(|_| begin()).collect();
        let given = lanes.into_iter().map(|lane| lane.join());
        given.map(|lane| lane.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Lanes of a long run: `PIC_LANES`, or two for each processor.
pub(crate) fn many() -> usize {
    let told = std::env::var("PIC_LANES").ok().and_then(|text| text.parse().ok());
    told.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, |number| 2 * number.get()))
}
