//! HTB: a class of the line's rate, and below it classes of equal share, each of which may have what the others leave. The
//! firewall's table chooses a packet's class; one that it does not know passes by.

use pic_model::quota::Rate;
use pic_plan::marks::{QUEUE, QUEUE_FIRST_SHARE, QUEUE_SHARES};

use super::message::{GET_CLASS, NEW_CLASS, NEW_QUEUE, ROOT, Tc, find, put, word};
use crate::netlink::{Error, NLM_F_CREATE, NLM_F_EXCL, Socket};

pub(super) const KIND: &str = "htb";
const LEAF: &str = "bfifo";
/// The class that all others are below.
const WHOLE: u32 = QUEUE + 1;

// linux/pkt_sched.h, `TCA_HTB_*`.
const CLASS: u16 = 1;
const INIT: u16 = 2;
const RATE64: u16 = 6;
const CEIL64: u16 = 7;
const VERSION: u32 = 3;
/// `TC_LINKLAYER_ETHERNET`: with it the kernel needs no table of transmission times.
const ETHERNET: u8 = 1;
/// Where the second rate stands in `struct tc_htb_opt`.
const CEIL_AT: usize = 20;
/// Nanoseconds of a tick, as the kernel counts time here (`PSCHED_SHIFT`).
const TICK: u64 = 64;
/// At least so much passes at once after a pause: timers are late by less.
const BURST: u64 = 10_000_000 / TICK;
/// Two full packets.
const FEW: u64 = 3000;
/// The largest packet of a host that leaves cutting them to its hardware; whose turn it is sends as much, or 40 ms' worth, so
/// that size gives no advantage.
const LARGE: u64 = 65_536;

/// The queue with its classes; `at` is the interface's number.
pub(super) fn make(socket: &mut Socket, at: u32, rate: Rate) -> Result<(), Error> {
    let mut new = |message: Tc| socket.change(message, NLM_F_CREATE | NLM_F_EXCL);
    new(Tc::bare(NEW_QUEUE, at, QUEUE, ROOT).of(KIND, &init()))?;
    let bytes = rate.bytes();
    new(Tc::bare(NEW_CLASS, at, WHOLE, QUEUE).of(KIND, &class(bytes, bytes)))?;
    let part = class((bytes / u64::from(QUEUE_SHARES)).max(1), bytes);
    // 100 ms of the line.
    let waiting = u32::try_from((bytes / 10).max(2 * LARGE)).unwrap_or(u32::MAX);
    for share in shares() {
        new(Tc::bare(NEW_CLASS, at, share, WHOLE).of(KIND, &part))?;
        new(Tc::bare(NEW_QUEUE, at, 0, share).of(LEAF, &waiting.to_ne_bytes()))?;
    }
    Ok(())
}

/// The rate of one that is whole.
pub(super) fn read(socket: &mut Socket, at: u32) -> Result<Option<Rate>, Error> {
    let classes = socket.dump(Tc::bare(GET_CLASS, at, 0, 0))?;
    let whole = classes.iter().find(|class| class.handle == WHOLE).and_then(|class| ceil(class.options()));
    let Some(whole) = whole else { return Ok(None) };
    let is_part = |class: &&Tc| class.parent == WHOLE && ceil(class.options()) == Some(whole);
    let there = classes.iter().filter(is_part).filter(|class| shares().contains(&class.handle)).count();
    Ok((u32::try_from(there) == Ok(QUEUE_SHARES)).then(|| Rate::of_bytes(whole)))
}

fn shares() -> std::ops::Range<u32> {
    QUEUE_FIRST_SHARE..QUEUE_FIRST_SHARE + QUEUE_SHARES
}

/// `struct tc_htb_glob`, with no class for packets that have none.
fn init() -> Vec<u8> {
    let (quantum_by_hand, no_class) = (10_u32, 0_u32);
    let mut options = Vec::new();
    put(&mut options, INIT, [VERSION, quantum_by_hand, no_class, 0, 0].map(u32::to_ne_bytes).as_flattened());
    options
}

/// `struct tc_htb_opt`: both rates in bytes in a second.
fn class(rate: u64, ceil: u64) -> Vec<u8> {
    let quantum = u32::try_from((ceil / 25).clamp(FEW, LARGE)).unwrap_or(u32::MAX);
    let mut opt = [spec(rate), spec(ceil)].concat();
    opt.extend([burst(rate), burst(ceil), quantum, 0, 0].map(u32::to_ne_bytes).as_flattened());
    let mut options = Vec::new();
    put(&mut options, CLASS, &opt);
    put(&mut options, RATE64, &rate.to_ne_bytes());
    put(&mut options, CEIL64, &ceil.to_ne_bytes());
    options
}

/// `struct tc_ratespec`
fn spec(rate: u64) -> Vec<u8> {
    let rate = u32::try_from(rate).unwrap_or(u32::MAX);
    [0, ETHERNET, 0, 0, 0, 0, 0, 0].into_iter().chain(rate.to_ne_bytes()).collect()
}

/// In ticks.
fn burst(rate: u64) -> u32 {
    let few = FEW.saturating_mul(1_000_000_000) / rate.max(1) / TICK;
    u32::try_from(few.max(BURST)).unwrap_or(u32::MAX)
}

fn ceil(options: &[u8]) -> Option<u64> {
    if let Some(large) = find(options, CEIL64) {
        return Some(u64::from_ne_bytes(*large.first_chunk()?));
    }
    word(find(options, CLASS)?, CEIL_AT).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_where_the_kernel_has_them() {
        let options = class(9_765, 2_500_000);
        let opt = find(&options, CLASS).unwrap();
        assert_eq!((opt.len(), word(opt, 8), word(opt, CEIL_AT)), (44, Some(9_765), Some(2_500_000)));
        assert_eq!(ceil(&options), Some(2_500_000));
        // More than 34 gbit does not fit the field that the kernel had first.
        assert_eq!(ceil(&class(1, 12_500_000_000)), Some(12_500_000_000));
        assert!(burst(31) < u32::MAX, "the slowest share of the slowest line");
    }
}
