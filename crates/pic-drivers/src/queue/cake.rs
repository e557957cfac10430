//! CAKE: one object that holds the rate, shares it among hosts and then among the connections of each, and keeps delay low.

use pic_model::quota::Rate;
use pic_plan::target::queue::{Fair, Queue};

use super::message::{find, put, word};

pub(super) const KIND: &str = "cake";

// linux/pkt_sched.h, `TCA_CAKE_*` and `CAKE_FLOW_*`.
const RATE: u16 = 2;
const DIFFSERV: u16 = 3;
const FLOWS: u16 = 5;
const AUTORATE: u16 = 9;
const NAT: u16 = 11;
/// All packets alike: what a packet says of its own importance is its sender's word.
const BEST_EFFORT: u32 = 3;
const BY_SENDER: u32 = 5;
const BY_RECEIVER: u32 = 6;

/// As `cake bandwidth 40mbit besteffort dual-srchost nat`, or `dual-dsthost nonat`.
pub(super) fn options(queue: &Queue) -> Vec<u8> {
    let (flows, nat) = match queue.fair {
        Fair::Senders => (BY_SENDER, 1_u32),
        Fair::Receivers => (BY_RECEIVER, 0),
    };
    let mut options = Vec::new();
    put(&mut options, RATE, &queue.rate.bytes().to_ne_bytes());
    put(&mut options, DIFFSERV, &BEST_EFFORT.to_ne_bytes());
    put(&mut options, FLOWS, &flows.to_ne_bytes());
    put(&mut options, AUTORATE, &0_u32.to_ne_bytes());
    put(&mut options, NAT, &nat.to_ne_bytes());
    options
}

/// What one does; `None` where it is not like any of ours.
pub(super) fn read(options: &[u8]) -> Option<(Rate, Fair)> {
    let number = |kind| word(find(options, kind)?, 0);
    let rate = u64::from_ne_bytes(*find(options, RATE)?.first_chunk()?);
    let fair = match (number(FLOWS)?, number(NAT)?) {
        (BY_SENDER, 1) => Fair::Senders,
        (BY_RECEIVER, 0) => Fair::Receivers,
        _ => return None,
    };
    (number(DIFFSERV)? == BEST_EFFORT).then_some((Rate::of_bytes(rate), fair))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The options that `tc` of iproute2 sends for the same words, byte by byte.
    #[test]
    fn it_says_what_tc_says() {
        let queue = |fair| Queue { rate: "40mbit".parse().unwrap(), fair };
        let senders = b"\x0c\0\x02\0\x40\x4b\x4c\0\0\0\0\0\x08\0\x03\0\x03\0\0\0\x08\0\x05\0\x05\0\0\0\x08\0\x09\0\0\0\0\0\x08\0\x0b\0\x01\0\0\0";
        let receivers = b"\x0c\0\x02\0\x40\x4b\x4c\0\0\0\0\0\x08\0\x03\0\x03\0\0\0\x08\0\x05\0\x06\0\0\0\x08\0\x09\0\0\0\0\0\x08\0\x0b\0\0\0\0\0";
        for (fair, bytes) in [(Fair::Senders, senders), (Fair::Receivers, receivers)] {
            let said = options(&queue(fair));
            if cfg!(target_endian = "little") {
                assert_eq!(said, bytes, "{fair:?}");
            }
            assert_eq!(read(&said), Some((queue(fair).rate, fair)));
        }
        assert_eq!(read(b"\x08\0\x05\0\x05\0\0"), None, "cut short");
    }
}
