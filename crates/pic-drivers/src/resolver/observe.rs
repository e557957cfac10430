//! What is there now. Changes nothing and starts nothing.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use pic_model::snapshot::resolver::{OriginalFile, ResolverBy};
use pic_plan::resolver::{Entry, Found, content};

use super::{Error, Places, record, resolvconf, resolved};
use crate::files::{self, Verb};

/// resolv.conf(5) is a handful of lines.
const MAX: u64 = 64 << 10;
/// Programs that write resolv.conf by themselves when a lease brings other servers.
const DHCP_CLIENTS: [&str; 3] = ["dhclient", "dhcpcd", "udhcpc"];

/// Everything the decision needs. `interface` is the one on which systemd-resolved would be told.
pub async fn observe(places: &Places, interface: &str) -> Result<Found, Error> {
    let record = record::load(places)?;
    let entry = entry(&places.file)?;
    let is_link = matches!(entry, Entry::Link(..));
    let (resolved_runs, resolved_asks) =
        if is_link { resolved::observe(interface).await } else { (false, None) };
    let ours = record.as_ref().and_then(|record| match &record.by {
        ResolverBy::File { written, .. } => Some(written.as_str()),
        _ => None,
    });
    let is_changed = ours.is_some() && content(&entry) != ours;
    Ok(Found {
        resolved_runs,
        resolved_asks,
        resolvconf: resolvconf::program().is_some(),
        dhcp_client: if is_changed { dhcp_client() } else { None },
        entry,
        record,
    })
}

/// What stands at a path.
pub(super) fn entry(path: &Path) -> Result<Entry, Error> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::Absent),
        metadata => metadata.map_err(Verb::Read.on(path))?,
    };
    if metadata.is_symlink() {
        let target = fs::read_link(path).map_err(Verb::Read.on(path))?;
        let target = straight(&path.parent().unwrap_or(path).join(target));
        return Ok(Entry::Link(target.to_string_lossy().into_owned(), text(path).ok().flatten()));
    }
    if !metadata.is_file() {
        return Ok(Entry::Strange(format!("{} is no file", path.display())));
    }
    match text(path) {
        Ok(Some(content)) => Ok(Entry::Plain(OriginalFile {
            content,
            mode: metadata.mode() & 0o777,
            uid: metadata.uid(),
            gid: metadata.gid(),
        })),
        Ok(None) => Ok(Entry::Absent),
        Err(words) => Ok(Entry::Strange(words)),
    }
}

fn text(path: &Path) -> Result<Option<String>, String> {
    let bytes = files::read_bounded(path, MAX).map_err(|error| error.to_string())?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| format!("{} is no text", path.display()))
}

/// A path without `.` and `..`, by its words alone: where a link points is told also when nothing is there.
fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = straight.pop(),
            Component::CurDir => {}
            part => straight.push(part),
        }
    }
    straight
}

/// A running DHCP client. One that cannot be looked at is none.
fn dhcp_client() -> Option<String> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut names = processes.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    names.find_map(|name| DHCP_CLIENTS.contains(&name.trim()).then(|| name.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_told_by_where_they_point() {
        assert_eq!(straight(Path::new("/etc/../run/./x")), Path::new("/run/x"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        assert_eq!(entry(&path).unwrap(), Entry::Absent);
        std::os::unix::fs::symlink("../nowhere/stub", &path).unwrap();
        assert!(matches!(entry(&path).unwrap(), Entry::Link(to, None) if to.ends_with("/nowhere/stub")));
    }

    #[test]
    fn what_is_no_text_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        files::write_atomic(&path, b"nameserver \xff", 0o644).unwrap();
        assert!(matches!(entry(&path).unwrap(), Entry::Strange(words) if words.ends_with("is no text")));
        files::write_atomic(&path, &vec![b'#'; 100_000], 0o644).unwrap();
        assert!(matches!(entry(&path).unwrap(), Entry::Strange(_)));
        assert!(matches!(entry(folder.path()).unwrap(), Entry::Strange(_)));
    }
}
