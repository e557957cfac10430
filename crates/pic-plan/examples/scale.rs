//! How long the pure part of a change takes at a given number of peers, grants and tests of reach: read, compile, diff,
//! judge. Prints milliseconds.
//!
//! `cargo run --release -p pic-plan --features memory --example scale -- 10000 100000 1000`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use std::fmt::Write;
use std::time::Instant;

use pic_model::key::PublicKey;
use pic_plan::compile::{compile, policy};
use pic_plan::diff::diff;
use pic_plan::{memory, reach};

fn main() {
    let peers: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let number = |at| std::env::args().nth(at).and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    let (grants, tests) = (number(2), number(3));
    let mut text = String::from("[cell]\nname = \"home\"\n");
    for id in 0..peers {
        let mut key = [1; 32];
        key[..4].copy_from_slice(&id.to_be_bytes());
        let (key, low) = (PublicKey::from_bytes(key), id + 2);
        let address = format!("10.77.{}.{}", low >> 8, low & 255);
        writeln!(text, "\n[[peer]]\nname = \"p{id}\"\npublic_key = \"{key}\"\naddress = \"{address}\"")
            .unwrap();
    }
    for id in 0..grants {
        let (from, to, port) = (id % peers, (id * 7 + 1) % peers, id % 999 + 1);
        writeln!(text, "\n[[grant]]\nfrom = [\"p{from}\"]\nto = [\"p{to}:{port}\"]").unwrap();
    }
    for id in 0..tests {
        let (from, to, port) = (id % peers, (id * 7 + 1) % peers, id % 999 + 1);
        writeln!(text, "\n[[test]]\nfrom = \"p{from}\"\nto = \"p{to}:{port}\"\nexpect = \"allowed\"")
            .unwrap();
    }
    let facts = pic_plan::memory::facts();
    let clock =
        |what: &str, begin: Instant| println!("{what}: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    let begin = Instant::now();
    let desired = pic_model::config::parse(&text).unwrap();
    clock("read and validate", begin);
    let begin = Instant::now();
    let targets = compile(Some(&desired), &facts);
    clock("compile", begin);
    let mut host = memory::fresh();
    let begin = Instant::now();
    let steps = diff(&targets, &host);
    clock("diff against an empty host", begin);
    for step in &steps {
        memory::act(&mut host, &step.action).unwrap();
    }
    let begin = Instant::now();
    assert!(diff(&targets, &host).is_empty());
    clock("diff against the same", begin);
    let begin = Instant::now();
    let walker = reach::Walker::new(&targets, &facts);
    let ends = reach::Ends::new(&desired, &facts, &targets);
    let held = desired.tests.iter().filter(|test| reach::judge(&ends, &walker, test).holds).count();
    clock("judge the tests", begin);
    let begin = Instant::now();
    assert!(policy::changes(Some(&desired), Some(&desired), facts.now).lines.is_empty());
    clock("grants gained and lost", begin);
    println!("{held} tests hold");
    println!(
        "snapshot of names: {} bytes",
        targets.files.values().map(|file| file.content.len()).sum::<usize>()
    );
}
