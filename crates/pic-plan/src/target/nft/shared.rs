//! Sets of a hundred thousand elements, shared by all states that have them alike.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

/// A set that costs nothing to copy. It is compared at once where it is the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared<T>(Arc<BTreeSet<T>>);

impl<T: Clone> Shared<T> {
    /// The set to be changed, apart from now on from all that share it.
    pub fn to_mut(&mut self) -> &mut BTreeSet<T> {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = BTreeSet<T>;

    fn deref(&self) -> &BTreeSet<T> {
        &self.0
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> From<BTreeSet<T>> for Shared<T> {
    fn from(set: BTreeSet<T>) -> Self {
        Self(Arc::new(set))
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Shared<T> {
    fn from(elements: [T; N]) -> Self {
        BTreeSet::from(elements).into()
    }
}

impl<T: Ord> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        elements.into_iter().collect::<BTreeSet<_>>().into()
    }
}
