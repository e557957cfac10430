//! How many streams are open: some for each caller, so that nobody takes all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pic_api::problem::Code;

use super::failure::Failure;
use super::reply::Outcome;

/// Streams of one caller.
const EACH: usize = 8;
/// Streams of all callers but root, who always gets its own.
const ALL: usize = 24;

/// The open streams by who reads them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<BTreeMap<String, usize>>>);

/// An open stream; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Place {
    streams: Streams,
    who: String,
}

impl Streams {
    /// A place for one more stream.
    pub(crate) fn take(&self, who: &str) -> Outcome<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(who).copied().unwrap_or(0);
        let others: usize = open.iter().filter(|(name, _)| *name != "root").map(|(_, count)| *count).sum();
        if own >= EACH || (who != "root" && others >= ALL) {
            let words = format!("{own} streams of {who} are open already; close one first");
            return Err(Failure { retry_after: Some(5), ..Failure::new(Code::TooMany, words) });
        }
        open.insert(who.to_owned(), own + 1);
        Ok(Place { streams: self.clone(), who: who.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.who)),
        }
    }
}
