//! Values that kernel settings had before we changed them, kept on disk before the first change so that they can be
//! put back whenever that will be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pic_drivers::{files, sysctl};
use pic_plan::target::sysctl::Key;
use serde::{Deserialize, Serialize};

const MAX: u64 = 1 << 20;

/// Why originals could not be kept or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OriginalsError {
    /// The disk.
    #[error("cannot keep the original kernel settings")]
    File(#[source] files::Error),
    /// Not ours, or damaged.
    #[error("{path} cannot be understood; put it back from a backup or remove it", path = path.display())]
    Damaged {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The kernel.
    #[error(transparent)]
    Setting(#[from] sysctl::Error),
    /// The kernel has no such setting.
    #[error("this kernel has no setting {0}")]
    NoSetting(Key),
}

/// One setting as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Original {
    key: Vec<String>,
    value: String,
    /// Settings that the kernel changes along with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beside: Vec<Original>,
}

/// The file and its content.
#[derive(Debug)]
pub(crate) struct Originals {
    path: PathBuf,
    kept: Option<Vec<Original>>,
}

impl Originals {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, kept: None }
    }

    fn kept(&mut self) -> Result<&mut Vec<Original>, OriginalsError> {
        let kept = match self.kept.take() {
            Some(kept) => kept,
            None => match files::read_bounded(&self.path, MAX).map_err(OriginalsError::File)? {
                None => Vec::new(),
                Some(bytes) => serde_json::from_slice(&bytes)
                    .map_err(|source| OriginalsError::Damaged { path: self.path.clone(), source })?,
            },
        };
        Ok(self.kept.insert(kept))
    }

    /// All of them.
    pub(crate) fn values(&mut self) -> Result<BTreeMap<Key, String>, OriginalsError> {
        Ok(self.kept()?.iter().map(|original| (Key(original.key.clone()), original.value.clone())).collect())
    }

    /// Sets a setting; what it was is on disk before.
    pub(crate) fn set(&mut self, key: &Key, value: &str) -> Result<(), OriginalsError> {
        if !self.kept()?.iter().any(|original| original.key == key.0) {
            let present = sysctl::read(key)?.ok_or_else(|| OriginalsError::NoSetting(key.clone()))?;
            let mut beside = Vec::new();
            for key in moved_along(key)? {
                if let Some(value) = sysctl::read(&key)? {
                    beside.push(Original { key: key.0, value, beside: Vec::new() });
                }
            }
            let mut kept = self.kept()?.clone();
            kept.push(Original { key: key.0.clone(), value: present, beside });
            self.keep(kept)?;
        }
        Ok(sysctl::write(key, value)?)
    }

    /// Puts a setting back and forgets it. One that is gone, with its interface, has nothing to put back.
    pub(crate) fn restore(&mut self, key: &Key, value: &str) -> Result<(), OriginalsError> {
        let mut kept = self.kept()?.clone();
        let found = kept.iter().position(|original| original.key == key.0).map(|at| kept.remove(at));
        put_back(key, value)?;
        for original in found.iter().flat_map(|original| &original.beside) {
            put_back(&Key(original.key.clone()), &original.value)?;
        }
        self.keep(kept)
    }

    fn keep(&mut self, kept: Vec<Original>) -> Result<(), OriginalsError> {
        if kept.is_empty() {
            files::remove_durable(&self.path).map_err(OriginalsError::File)?;
        } else {
            // Plain data with string keys always serialises.
            let content = serde_json::to_vec_pretty(&kept).unwrap_or_default();
            if let Some(folder) = self.path.parent() {
                files::create_dir_durable(folder, 0o755).map_err(OriginalsError::File)?;
            }
            files::write_atomic(&self.path, &content, 0o600).map_err(OriginalsError::File)?;
        }
        self.kept = Some(kept);
        Ok(())
    }
}

fn put_back(key: &Key, value: &str) -> Result<(), OriginalsError> {
    match sysctl::read(key)? {
        Some(present) if present != value => Ok(sysctl::write(key, value)?),
        _ => Ok(()),
    }
}

/// Switching forwarding for a family switches it for each interface, so a host that had it on for one alone would have
/// it off afterwards. For v4 it also switches whether redirects are believed (the kernel's ip-sysctl: RFC 1122 for
/// hosts, RFC 1812 for routers), so a host that had refused them would believe them.
fn moved_along(key: &Key) -> Result<Vec<Key>, OriginalsError> {
    let family = match key.0.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["net", "ipv4", "ip_forward"] => "ipv4",
        ["net", "ipv6", "conf", "all", "forwarding"] => "ipv6",
        _ => return Ok(Vec::new()),
    };
    let mut moved = sysctl::of_interfaces(family, "forwarding")?;
    if family == "ipv4" {
        moved.push(Key::new(&["net", "ipv4", "conf", "all", "accept_redirects"]));
    }
    Ok(moved)
}
