//! What is promised under load.

use crate::kit::{Lab, number};

#[test]
fn a_thousand_a_second_are_served_and_each_is_on_disk() {
    let lab = Lab::new();
    let _child = lab.start();
    let acked = |told: &str| number(told, "REQUEST-ACK", "received packets:");
    // A busy disk may hold a flush up for longer than the kernel keeps packets; `scripts/bench dhcp` measures on a quiet one.
    let told = lab.load_until("-r 1000 -R 10000 -p 3 -W 1000000", "a thousand a second", |told| {
        acked(told) >= number(told, "DISCOVER-OFFER", "sent packets:") * 0.99
    });
    let acked = acked(&told);
    assert!(lab.leases().len() as f64 >= acked, "each on disk before it was told");
}
