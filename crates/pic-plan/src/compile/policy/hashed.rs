//! What is asked by name for each of a hundred thousand grants: comparing names in a sorted map is a fifth of a compilation.
#![expect(clippy::disallowed_types, reason = "asked by key alone: its order is never seen")]

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};

/// A table that is asked by key alone. Hashed alike every time, as there is no randomness here; the names are the owner's
/// own, who has no reason to make them meet.
#[derive(Debug, Clone)]
pub(in crate::compile) struct Hashed<K, V>(HashMap<K, V, BuildHasherDefault<DefaultHasher>>);

impl<K: Eq + Hash, V> Hashed<K, V> {
    /// What stands for a key.
    pub(in crate::compile) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// What stands for a key, from now on at least nothing.
    pub(in crate::compile) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.0.entry(key).or_default()
    }
}

impl<K, V> Default for Hashed<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, V> FromIterator<(K, V)> for Hashed<K, V> {
    /// Later ones take the place of earlier ones.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}
