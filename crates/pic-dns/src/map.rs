//! The hash maps of this crate.
//!
//! Lookups per packet want constant time; nothing here iterates over a map in a way that reaches output.

#![expect(clippy::disallowed_types, reason = "hot path; order is never observed")]

/// For keys that the owner or a few devices of theirs choose: quick, with a seed of the process against collisions by
/// chance.
pub(crate) type FastMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// For keys that anybody chooses: a keyed hash, so that nobody can make them collide.
pub(crate) type KeyedMap<K, V> = std::collections::HashMap<K, V>;
