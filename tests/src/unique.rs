//! Names that say which process made a thing, so that leftovers of dead processes can be told apart.

use std::sync::atomic::{AtomicU32, Ordering};

/// What the names of all namespaces and scratch directories begin with.
pub const PREFIX: &str = "pict-";

static COUNTER: AtomicU32 = AtomicU32::new(0);

fn next() -> u32 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

/// `pict-<pid>-<number>-<label>`
pub fn name(label: &str) -> String {
    format!("{PREFIX}{}-{}-{label}", std::process::id(), next())
}

/// The process that made the thing of this name, or `None` if it is not ours.
pub fn owner(name: &str) -> Option<i32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// A name for an interface that must live in the machine's own namespace for a moment (15 bytes at most).
pub fn interface() -> String {
    format!("pt{:x}x{:x}", std::process::id(), next())
}

/// A locally administered MAC address that no other interface of this machine's labs has.
pub fn mac() -> String {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let [.., d, e] = next().to_be_bytes();
    format!("52:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_owner() {
        assert_eq!(owner(&name("cell")), Some(std::process::id().cast_signed()));
        assert_eq!(owner("other-1-x"), None);
        assert_eq!(owner("pict-x"), None);
    }

    #[test]
    fn interface_names_fit_the_kernel() {
        assert!(interface().len() <= 15);
    }
}
