//! The name server's certificate: a copy that it may read, of files that root alone may.
//!
//! `pic-dns` has no way to a key that belongs to root, and a credential of systemd would stay what it was when the service
//! started: a certificate that is renewed would cost a restart, and with it questions. So this copies both into one file in the
//! folder whose files belong to the service's group, and does so again when they change. One file is replaced at once, so a
//! certificate is never seen with the key of another.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pic_drivers::files;
use pic_engine::{Handle, Report};
use pic_model::chain;
use pic_model::desired::DnsTls;
use zeroize::Zeroizing;

/// A chain of certificates, or a key, is a few thousand bytes.
const MAX: u64 = 128 << 10;
/// For the owner and the folder's group, that of the name server.
const MODE: u32 = 0o640;
/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const KEY: &str = "PRIVATE KEY-----";

/// What tells one file from the next that takes its place.
type Stamp = Option<(u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

/// Keeps the copy as the cell in force wants it. Ends with the engine.
pub(crate) async fn follow(path: PathBuf, handle: Handle) {
    let mut reports = handle.watch();
    let mut keeper = Keeper { path, seen: None, told: None };
    loop {
        let report = Arc::clone(&reports.borrow_and_update());
        let work = tokio::task::spawn_blocking(move || {
            keeper.look(&report);
            keeper
        });
        // It does not panic; if it did, there would be nothing to go on with.
        let Ok(back) = work.await else { return };
        keeper = back;
        tokio::select! {
            changed = reports.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

struct Keeper {
    path: PathBuf,
    /// What was copied, or could not be: the files as they were then, and the copy.
    seen: Option<(DnsTls, [Stamp; 3])>,
    told: Option<String>,
}

impl Keeper {
    fn look(&mut self, report: &Report) {
        // Before the first look at the host nothing is known, and nothing is taken away.
        if report.reconciled.is_none() {
            return;
        }
        let wanted = report.current.desired.as_ref().and_then(|desired| desired.dns.tls.clone());
        let error = match wanted {
            Some(tls) => self.copy(tls),
            None => self.remove(),
        };
        if let Some(error) = error.as_ref().filter(|error| self.told.as_ref() != Some(error)) {
            tracing::error!("the name server's certificate is as it was: {error}");
        }
        self.told = error;
    }

    fn copy(&mut self, tls: DnsTls) -> Option<String> {
        let stamps =
            |path: &Path| [stamp(Path::new(&tls.certificate)), stamp(Path::new(&tls.key)), stamp(path)];
        if self.seen.as_ref().is_some_and(|(seen, before)| *seen == tls && *before == stamps(&self.path)) {
            return self.told.clone();
        }
        let done = pem(&tls).and_then(|pem| {
            let same = files::read_bounded(&self.path, 2 * MAX).ok().flatten().map(Zeroizing::new);
            if same.as_ref() == Some(&pem) {
                return Ok(());
            }
            files::write_atomic(&self.path, &pem, MODE).map_err(|error| chain(&error))
        });
        let after = stamps(&self.path);
        self.seen = Some((tls, after));
        done.err()
    }

    fn remove(&mut self) -> Option<String> {
        self.seen = None;
        remove(&self.path).err().map(|error| chain(&error))
    }
}

/// Takes the copy away.
pub(crate) fn remove(path: &Path) -> Result<(), files::Error> {
    // Looked at every few seconds, where there hardly ever is one.
    if fs::symlink_metadata(path).is_err() { Ok(()) } else { files::remove_durable(path) }
}

/// Certificate and key in one text, or why not.
pub(crate) fn pem(tls: &DnsTls) -> Result<Zeroizing<Vec<u8>>, String> {
    let read = |path: &str, mark: &str, what: &str| {
        let bytes = files::read_bounded(Path::new(path), MAX).map_err(|error| chain(&error))?;
        let bytes = Zeroizing::new(bytes.ok_or_else(|| format!("{path} is not there"))?);
        let is_pem = std::str::from_utf8(&bytes).is_ok_and(|text| text.contains(mark));
        if is_pem { Ok(bytes) } else { Err(format!("{path} is no {what} in PEM")) }
    };
    let certificate = read(&tls.certificate, CERTIFICATE, "certificate")?;
    let key = read(&tls.key, KEY, "key without a passphrase")?;
    if key.windows(9).any(|nine| nine == b"ENCRYPTED") {
        return Err(format!("{} has a passphrase, which nobody could type at every start", tls.key));
    }
    let mut pem = Zeroizing::new(Vec::with_capacity(certificate.len() + key.len() + 1));
    pem.extend_from_slice(&certificate);
    if !pem.ends_with(b"\n") {
        pem.push(b'\n');
    }
    pem.extend_from_slice(&key);
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_right_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            files::write_atomic(&path, text.as_bytes(), 0o600).unwrap();
            path.display().to_string()
        };
        let certificate = put("c", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----");
        let key = put("k", "-----BEGIN EC PRIVATE KEY-----\nAA\n-----END EC PRIVATE KEY-----\n");
        let locked =
            put("l", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        let tls = |certificate: &str, key: &str| DnsTls {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            https_port: None,
        };
        let text = String::from_utf8(pem(&tls(&certificate, &key)).unwrap().to_vec()).unwrap();
        assert!(text.contains("-----END CERTIFICATE-----\n-----BEGIN EC"), "{text}");
        for (wrong, words) in [
            (tls(&key, &key), "no certificate"),
            (tls(&certificate, &certificate), "no key"),
            (tls(&certificate, &locked), "passphrase"),
            (tls("/nowhere/c", &key), "not there"),
        ] {
            assert!(pem(&wrong).unwrap_err().contains(words), "{words}");
        }

        let mut keeper = Keeper { path: folder.path().join("copy"), seen: None, told: None };
        assert_eq!(keeper.copy(tls(&certificate, &key)), None);
        let first = stamp(&keeper.path);
        assert!(first.is_some());
        assert_eq!(keeper.copy(tls(&certificate, &key)), None);
        assert_eq!(stamp(&keeper.path), first, "left alone while it is right");
        put("c", "gone wrong");
        assert!(keeper.copy(tls(&certificate, &key)).is_some());
        assert!(
            keeper.copy(tls(&certificate, &key)).is_none_or(|_| stamp(&keeper.path) == first),
            "the old one stays"
        );
        put("c", "-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----");
        assert_eq!(keeper.copy(tls(&certificate, &key)), None);
        assert!(fs::read_to_string(&keeper.path).unwrap().contains("BB"));
        assert_eq!(fs::metadata(&keeper.path).unwrap().mode() & 0o777, MODE);
        assert_eq!(keeper.remove(), None);
        assert_eq!((stamp(&keeper.path), keeper.remove()), (None, None));
    }
}
