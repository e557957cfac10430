//! The one hash map of this crate.
//!
//! Lookups per packet want constant time; nothing here iterates over the map in a way that reaches output.

#[expect(clippy::disallowed_types, reason = "hot path; order is never observed")]
pub(crate) type FastMap<K, V> = std::collections::HashMap<K, V>;
