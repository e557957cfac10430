//! Every committed input on its target, within the limits.

use pic_fuzz::run::{Meter, run};
use pic_fuzz::{TARGETS, corpus};

#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

const METER: Meter =
    Meter { now: || HEAP.current_usage(), peak: || HEAP.peak_usage(), reset: || HEAP.reset_peak_usage() };

/// One test, because the heap is counted for the whole process.
#[test]
fn every_committed_input_is_harmless() {
    let mut bad = Vec::new();
    for target in TARGETS {
        let inputs = corpus::load(target.name).unwrap();
        assert!(inputs.len() >= 10, "the corpus of {} is thin", target.name);
        for (name, input) in inputs {
            if let Err(words) = run(target, &input, &METER) {
                bad.push(format!("tests/corpus/{}/{name}: {words}", target.name));
            }
        }
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}
