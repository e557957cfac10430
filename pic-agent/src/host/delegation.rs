//! Prefixes that the DHCP service was given by the uplink, as it tells them in a file: short, typed, and believed only as
//! far as `pic-plan` finds them possible.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pic_engine::Handle;
use pic_model::snapshot::dhcp::{UplinkPrefixes, VERSION};
use pic_plan::facts::DelegatedPrefix;

/// A file that is longer is none of the service's.
const MAX: u64 = 16 << 10;
/// Prefixes that are looked at.
const MOST: usize = 8;
/// Time between two looks whether there is another file.
const LOOK: Duration = Duration::from_secs(1);

/// What was read last.
#[derive(Debug)]
pub(super) struct Delegation {
    path: PathBuf,
    last: Vec<DelegatedPrefix>,
}

impl Delegation {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, last: Vec::new() }
    }

    /// The prefixes. A service that is just being restarted has no file: what it said before still counts.
    pub(super) fn read(&mut self) -> Vec<DelegatedPrefix> {
        if let Some(text) = self.text() {
            match serde_json::from_slice::<UplinkPrefixes>(&text) {
                Ok(told) if told.version == VERSION => {
                    let one = |told: &pic_model::snapshot::dhcp::UplinkPrefixState| DelegatedPrefix {
                        prefix: told.prefix,
                        current: told.current,
                    };
                    self.last = told.prefixes.iter().take(MOST).map(one).collect();
                }
                _ => tracing::warn!(path = %self.path.display(), "not understood; restart pic-dhcp"),
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
