//! Files that are there whole or not at all: the one way in which anything of ours is kept on disk.
//!
//! # What is promised
//! - **Old or new.** Whatever happens during [`write_atomic`] (an error, a kill, a power cut), the path holds either
//!   all of the old content (or still nothing) or all of the new, with the mode that belongs to it.
//! - **Said is done.** Once a function here has returned `Ok`, what it did survives a power cut, as far as the disk
//!   keeps what it acknowledges. With an error the old or the new state may stand; read it to know.
//! - **Never readable early.** New content is written into a file that only its owner can read, and gets its mode
//!   before it gets its name; so a secret with mode 0600 is at no moment more open.
//! - **No litter.** An error leaves no temporary file. A kill may leave one, named `.pic-tmp-…`, which [`sweep()`]
//!   removes; it leaves alone those that a process is still writing.
//!
//! Two writers of one path do not mix; the later rename wins. What a symbolic link at the path points to is never
//! touched: the link itself is replaced.
//!
//! Decides nothing about content. Tested in `tests/files.rs` by killing a writer at every one of its system calls.

mod dir;
mod error;
mod read;
mod sweep;
mod write;

pub use dir::{create_dir_durable, remove_durable};
pub use error::{Error, Verb};
pub use read::{observe, read_bounded};
pub use sweep::sweep;
pub use write::write_atomic;

/// Start of the names of temporary files.
const TEMPORARY: &str = ".pic-tmp-";
