//! The last good copy of a list on disk, and what its server called it. Both are written whole or not at all; when a power
//! cut falls between the two, the list is new and its tags are old, and the next request fetches it once more.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pic_model::https_url::HttpsUrl;
use serde::{Deserialize, Serialize};

/// What is kept about a copy is a few lines.
const MAX_META: u64 = 16 << 10;

/// What a server said by which it knows its own answer again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tags {
    /// `ETag`.
    pub(super) etag: Option<String>,
    /// `Last-Modified`.
    pub(super) modified: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Meta {
    url: String,
    #[serde(flatten)]
    tags: Tags,
    entries: usize,
    /// When it was found to be right, Unix seconds.
    checked: Option<i64>,
}

/// The copy of one list.
#[derive(Debug)]
pub(super) struct Copy {
    meta: Meta,
}

/// Where the copy of a list is.
pub fn path(folder: &Path, url: &HttpsUrl) -> PathBuf {
    // FNV-1a: addresses are the owner's, so nobody makes two collide.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let hash = url.to_string().bytes().fold(0xCBF2_9CE4_8422_2325, step);
    folder.join(format!("{hash:016x}.list"))
}

impl Copy {
    /// What is there; nothing when it is damaged or of another address.
    pub(super) fn open(folder: &Path, url: &HttpsUrl) -> Self {
        let list = path(folder, url);
        let file = list.with_extension("json");
        let is_small = fs::metadata(&file).is_ok_and(|meta| meta.len() <= MAX_META);
        let read = || serde_json::from_slice::<Meta>(&fs::read(&file).ok()?).ok();
        let known = read().filter(|meta| is_small && meta.url == url.to_string() && list.is_file());
        Self { meta: known.unwrap_or_else(|| Meta { url: url.to_string(), ..Meta::default() }) }
    }

    pub(super) fn checked(&self) -> Option<Timestamp> {
        self.meta.checked.and_then(|at| Timestamp::from_second(at).ok())
    }

    pub(super) fn tags(&self) -> &Tags {
        &self.meta.tags
    }

    pub(super) fn entries(&self) -> usize {
        self.meta.entries
    }

    /// Another one took its place.
    pub(super) fn replaced(&mut self, tags: Tags, entries: usize) {
        (self.meta.tags, self.meta.entries) = (tags, entries);
    }

    /// Keeps what is known about it.
    pub(super) fn write(&mut self, folder: &Path, now: Timestamp) -> io::Result<()> {
        self.meta.checked = Some(now.as_second());
        let url: HttpsUrl = self.meta.url.parse().map_err(io::Error::other)?;
        let file = path(folder, &url).with_extension("json");
        let new = file.with_extension("json.new");
        let mut writer = File::create(&new)?;
        writer.write_all(&serde_json::to_vec(&self.meta)?)?;
        writer.sync_all()?;
        fs::rename(new, file)?;
        File::open(folder)?.sync_all()
    }
}

/// A list on its way. Removed unless it is kept.
#[derive(Debug)]
pub(super) struct New {
    new: PathBuf,
    list: PathBuf,
}

impl New {
    pub(super) fn create(folder: &Path, url: &HttpsUrl) -> io::Result<Self> {
        let list = path(folder, url);
        let new = list.with_extension("list.new");
        let told = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot write {}: {error}", new.display()))
        };
        File::create(&new).map_err(told)?;
        Ok(Self { new: new.clone(), list })
    }

    pub(super) fn path(&self) -> &Path {
        &self.new
    }

    /// To be written from its beginning.
    pub(super) fn file(&self) -> io::Result<File> {
        File::create(&self.new)
    }

    /// Puts it in the place of the copy before.
    pub(super) fn keep(self) -> io::Result<()> {
        File::open(&self.new)?.sync_all()?;
        fs::rename(&self.new, &self.list)?;
        self.list.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // After `keep` it has another name.
        let _ = fs::remove_file(&self.new);
    }
}
