//! A resolv.conf that nobody manages.

use std::net::IpAddr;
use std::os::unix::fs::chown;

use pic_model::snapshot::resolver::{OriginalFile, ResolverBy};
use pic_plan::resolver::{Entry, Found, content, without_ours, written};

use super::{Error, Places};
use crate::files;

const MODE: u32 = 0o644;

/// Puts the cell before what is there. `keep` writes down what was.
pub(super) fn take(
    places: &Places,
    found: &Found,
    server: IpAddr,
    keep: impl FnOnce(ResolverBy) -> Result<(), Error>,
) -> Result<(), Error> {
    let original = original(found);
    let text = written(original.as_ref().map(|file| file.content.as_str()), server);
    let mode = original.as_ref().map_or(MODE, |file| file.mode);
    keep(ResolverBy::File { written: text.clone(), original })?;
    // Not over what somebody has written while we were busy; the next look sees what it is.
    if super::observe::entry(&places.file)? != found.entry {
        return Err(Error::Refused(
            "somebody is changing /etc/resolv.conf; it is looked at again".to_owned(),
        ));
    }
    replace(places, &text, mode)
}

/// What is there, or where that is our own, what was there before it.
fn original(found: &Found) -> Option<OriginalFile> {
    let Entry::Plain(present) = &found.entry else { return None };
    match found.record.as_ref().map(|record| &record.by) {
        Some(ResolverBy::File { written, original }) if *written == present.content => original.clone(),
        _ => Some(present.clone()),
    }
}

/// Puts back what was; whether nothing of ours is left to remember.
pub(super) fn release(
    places: &Places,
    found: &Found,
    (ours, original): (&str, Option<&OriginalFile>),
    (server, for_good): (IpAddr, bool),
) -> Result<bool, Error> {
    let present = match &found.entry {
        Entry::Plain(file) => Some(file),
        Entry::Absent => None,
        // Somebody put a link there: what we knew is history.
        Entry::Link(..) | Entry::Strange(_) => return Ok(true),
    };
    let text = content(&found.entry);
    if text == original.map(|file| file.content.as_str()) {
        return Ok(true);
    }
    if text == Some(ours) {
        put_back(places, original)?;
        return Ok(true);
    }
    let rest = present.and_then(|file| Some((file, without_ours(&file.content, server)?)));
    match rest {
        Some((file, rest)) if for_good => {
            replace(places, &rest, file.mode)?;
            Ok(true)
        }
        // Not ours any more. Remembered as such as long as there is a cell.
        _ => Ok(for_good || (found.dhcp_client.is_some() && rest.is_none())),
    }
}

fn put_back(places: &Places, original: Option<&OriginalFile>) -> Result<(), Error> {
    let Some(file) = original else {
        return files::remove_durable(&places.file).map_err(|source| refused(places, source));
    };
    replace(places, &file.content, file.mode)?;
    if (file.uid, file.gid) != (0, 0) {
        let owned = chown(&places.file, Some(file.uid), Some(file.gid));
        owned.map_err(|error| Error::File(files::Verb::Replace.on(&places.file)(error)))?;
    }
    Ok(())
}

fn replace(places: &Places, text: &str, mode: u32) -> Result<(), Error> {
    files::write_atomic(&places.file, text.as_bytes(), mode).map_err(|source| refused(places, source))
}

fn refused(places: &Places, source: files::Error) -> Error {
    let code = match &source {
        files::Error::Step { source, .. } => source.raw_os_error(),
        _ => None,
    };
    let hint = match code {
        Some(libc::EPERM) => "it is immutable; `chattr -i` it, or set dns.host = false",
        Some(libc::EROFS) => "the file system is read-only",
        Some(libc::EBUSY) => "it is a mount of its own, as in a container; set dns.host = false",
        _ => return Error::File(source),
    };
    Error::Replace { path: places.file.clone(), hint, source }
}
