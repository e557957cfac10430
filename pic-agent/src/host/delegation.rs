//! What the DHCP service tells in files: prefixes that the uplink gave, and those that routers on LANs have. Short, typed,
//! and believed only as far as `pic-plan` finds them possible.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pic_engine::Handle;
use pic_model::snapshot::dhcp::{RoutedPrefix, RoutedPrefixes, UplinkPrefixes, VERSION};
use pic_plan::facts::DelegatedPrefix;

/// A file that is longer is none of the service's.
const MAX: u64 = 256 << 10;
/// Prefixes of the uplink that are looked at.
const MOST: usize = 8;
/// The same of routers.
const MOST_ROUTED: usize = 512;
/// Time between two looks whether there is another file.
const LOOK: Duration = Duration::from_secs(1);

/// A file, and what was read of it last.
#[derive(Debug)]
pub(super) struct Told<T> {
    path: PathBuf,
    last: Vec<T>,
    /// What a text says; `None` where it is not understood.
    parse: fn(&[u8]) -> Option<Vec<T>>,
}

/// Prefixes of the uplink.
pub(super) fn delegation(path: PathBuf) -> Told<DelegatedPrefix> {
    let parse = |text: &[u8]| {
        let told: UplinkPrefixes = serde_json::from_slice(text).ok()?;
        let prefixes = told.prefixes.iter().take(MOST);
        let all = prefixes.map(|told| DelegatedPrefix { prefix: told.prefix, current: told.current });
        (told.version == VERSION).then(|| all.collect())
    };
    Told { path, last: Vec::new(), parse }
}

/// Prefixes of routers on LANs.
pub(super) fn routed(path: PathBuf) -> Told<RoutedPrefix> {
    let parse = |text: &[u8]| {
        let told: RoutedPrefixes = serde_json::from_slice(text).ok()?;
        (told.version == VERSION).then(|| told.routes.into_iter().take(MOST_ROUTED).collect())
    };
    Told { path, last: Vec::new(), parse }
}

impl<T: Clone> Told<T> {
    /// What it says. A service that is just being restarted has no file: what it said before still counts.
    pub(super) fn read(&mut self) -> Vec<T> {
        if let Some(text) = self.text() {
            match (self.parse)(&text) {
                Some(told) => self.last = told,
                None => tracing::warn!(path = %self.path.display(), "not understood; restart pic-dhcp"),
            }
        }
        self.last.clone()
    }

    fn text(&self) -> Option<Vec<u8>> {
        let meta = std::fs::metadata(&self.path).ok()?;
        (meta.len() <= MAX).then(|| std::fs::read(&self.path).ok()).flatten()
    }
}

/// Wakes the engine when there is another file. Ends with the engine.
pub(crate) async fn watch(path: PathBuf, handle: Handle) {
    let stamp = || std::fs::metadata(&path).and_then(|meta| meta.modified()).ok();
    let mut seen: Option<SystemTime> = stamp();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = stamp();
        if now.is_some() && now != seen {
            seen = now;
            handle.event();
        }
    }
}
