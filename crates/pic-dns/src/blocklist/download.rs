//! How the fetching of a list goes: said by who fetches, told by who reports.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use pic_model::https_url::HttpsUrl;

/// A list that is fetched. Copies share what they know.
#[derive(Debug, Clone)]
pub struct Download {
    /// Where from.
    pub url: HttpsUrl,
    fetched: Arc<ArcSwapOption<Timestamp>>,
    error: Arc<ArcSwapOption<String>>,
}

impl Download {
    pub(super) fn new(url: HttpsUrl) -> Self {
        Self { url, fetched: Arc::default(), error: Arc::default() }
    }

    /// It was found to be right at that time.
    pub fn checked(&self, at: Option<Timestamp>) {
        self.fetched.store(at.map(Arc::new));
    }

    /// Why it could not be had when that was tried last.
    pub fn failed(&self, error: Option<String>) {
        self.error.store(error.map(Arc::new));
    }

    pub(super) fn fetched(&self) -> Option<Timestamp> {
        self.fetched.load().as_ref().map(|at| **at)
    }

    pub(super) fn error(&self) -> Option<String> {
        self.error.load().as_ref().map(|error| String::clone(error))
    }
}
