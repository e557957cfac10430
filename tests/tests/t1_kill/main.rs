//! The agent killed at single system calls of a change, and started over damaged files: afterwards the old state or the
//! new one, in the kernel as in the files, and never a third, nor the defaults over what somebody had.
//!
//! Here a sample by a seed; the ignored tests are everything, for `scripts/soak kill`.

mod damage;
mod kill;
mod rig;
