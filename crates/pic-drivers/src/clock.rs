//! Whether the kernel says that the wall clock is right.
//!
//! Only reads. The kernel forgets it when anybody sets the clock by hand, and some hours after the last correction
//! (adjtimex(2), `STA_UNSYNC`); a time service says it again. Where it cannot be asked, as in some containers, nobody
//! vouches for the clock.
#![expect(unsafe_code, reason = "adjtimex has no safe wrapper")]

/// Whether the wall clock is synchronised.
pub fn is_synchronised() -> bool {
    // SAFETY: the structure is plain numbers, for which zero is a value; it means "change nothing".
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes into the structure, which lives until the call is over, and keeps no pointer to it.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    state >= 0 && state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0
}
