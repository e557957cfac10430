//! Plans that were shown and may be applied exactly: their texts, for a while, on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pic_api::config::ChangeOptions;
use pic_drivers::files;
use serde::{Deserialize, Serialize};

use super::shelf::{Limits, Shelf};

const LIMITS: Limits = Limits {
    // A person reads a plan and decides; nobody decides after this.
    life: Duration::from_secs(3600),
    count: 64,
    // Two texts of the largest size there may be.
    bytes: 160 << 20,
};

/// A change that was planned and not made.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) text: String,
    /// What was in force when it was planned.
    pub(crate) from: Arc<str>,
    pub(crate) options: ChangeOptions,
    /// Its text is the edited file's.
    pub(crate) takes_file: bool,
}

/// A plan on disk.
#[derive(Serialize, Deserialize)]
struct Record {
    text: String,
    from: String,
    options: ChangeOptions,
    takes_file: bool,
}

/// The last plans.
#[derive(Debug, Clone)]
pub(crate) struct Plans(Arc<Shelf>);

impl Plans {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(Arc::new(Shelf::new(folder, LIMITS)))
    }

    /// Keeps a plan, for as long as plans are kept.
    pub(crate) async fn keep(&self, planned: Planned) -> Result<(), files::Error> {
        let shelf = Arc::clone(&self.0);
        let work = move || {
            let Planned { id, text, from, options, takes_file } = planned;
            shelf.put(&id, &Record { text, from: from.as_ref().to_owned(), options, takes_file })
        };
        // It does not panic; if it did, the plan could not be applied, which is said then.
        tokio::task::spawn_blocking(work).await.unwrap_or(Ok(()))
    }

    /// The plan of this name.
    pub(crate) async fn get(&self, id: &str) -> Option<Planned> {
        let (shelf, id) = (Arc::clone(&self.0), id.to_owned());
        let work = move || {
            let Record { text, from, options, takes_file } = shelf.get(&id)?;
            Some(Planned { id, text, from: from.into(), options, takes_file })
        };
        tokio::task::spawn_blocking(work).await.ok()?
    }
}
