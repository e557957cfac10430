//! Every committed input on its target, within the limits. In the program, because that counts its heap.

use pic_fuzz::run::run;
use pic_fuzz::{TARGETS, corpus};

use crate::METER;

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
