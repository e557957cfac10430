//! The cell's secrets: its WireGuard key and the seed of preshared keys. Made once, at first use, and never replaced.
//!
//! Each file holds the key in base64 and, on a second line, a check of it: one flipped bit would still be a key, of a
//! cell that no device knows. A file without a second line was put there by a person, and is taken.

use std::path::{Path, PathBuf};

use pic_drivers::files;
use pic_model::key::{KeyError, PresharedSeed, PrivateKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Base64 of 32 bytes, the check, line ends, and room for an editor's mistake that then is told as one.
const MAX: u64 = 1024;

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// The disk.
    #[error("cannot use the cell's secrets")]
    File(#[source] files::Error),
    /// What stands in the file is no key. It is left alone: a new one would cut every device off.
    #[error("{path} does not hold a key; put it back from a backup", path = path.display())]
    Damaged {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// It is another key than was written.
    #[error("{path} has changed since it was written; put it back from a backup", path = path.display())]
    Altered {
        /// File.
        path: PathBuf,
    },
    /// There is none, and none may be made here.
    #[error("{path} is missing; put it back from a backup", path = path.display())]
    Missing {
        /// File.
        path: PathBuf,
    },
    /// No randomness.
    #[error("the kernel gives no random bytes")]
    Random(#[source] getrandom::Error),
}

/// The secrets.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    pub(crate) private_key: PrivateKey,
    pub(crate) preshared_seed: PresharedSeed,
}

impl Secrets {
    /// Reads them and changes nothing.
    pub(crate) fn read(folder: &Path) -> Result<Self, SecretsError> {
        Ok(Self {
            private_key: one(&folder.join("wireguard.key"), PrivateKey::parse, missing)?,
            preshared_seed: one(&folder.join("preshared.seed"), PresharedSeed::parse, missing)?,
        })
    }

    /// Reads them; a missing one is made, durably, before it is used.
    pub(crate) fn read_or_make(folder: &Path) -> Result<Self, SecretsError> {
        files::create_dir_durable(folder, 0o700).map_err(SecretsError::File)?;
        let private_key = one(&folder.join("wireguard.key"), PrivateKey::parse, |path| {
            let key = PrivateKey::from_random(*random()?);
            tracing::warn!(path = %path.display(), public_key = %key.public(), "made the cell's WireGuard key");
            keep(path, &key.expose_base64()).map(|()| key)
        })?;
        let preshared_seed = one(&folder.join("preshared.seed"), PresharedSeed::parse, |path| {
            let seed = PresharedSeed::from_random(*random()?);
            tracing::warn!(path = %path.display(), "made the cell's seed of preshared keys");
            keep(path, &seed.expose_base64()).map(|()| seed)
        })?;
        Ok(Self { private_key, preshared_seed })
    }
}

/// 32 random bytes.
pub(crate) fn random() -> Result<Zeroizing<[u8; 32]>, SecretsError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(SecretsError::Random)?;
    Ok(bytes)
}

fn one<T>(
    path: &Path,
    parse: fn(&str) -> Result<T, KeyError>,
    missing: impl FnOnce(&Path) -> Result<T, SecretsError>,
) -> Result<T, SecretsError> {
    let Some(bytes) = files::read_bounded(path, MAX).map_err(SecretsError::File)? else {
        return missing(path);
    };
    let bytes = Zeroizing::new(bytes);
    let damaged = |source| SecretsError::Damaged { path: path.to_owned(), source };
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged(KeyError::NotAKey))?;
    let (key, written) =
        text.trim().split_once('\n').map_or((text.trim(), None), |(key, written)| (key, Some(written)));
    let secret = parse(key).map_err(damaged)?;
    if written.is_some_and(|written| written != check(key)) {
        return Err(SecretsError::Altered { path: path.to_owned() });
    }
    Ok(secret)
}

/// The second line of a file: the first eight bytes of the SHA-256 of the first.
fn check(key: &str) -> String {
    Sha256::digest(key).iter().take(8).fold("check:".to_owned(), |line, byte| format!("{line}{byte:02x}"))
}

fn missing<T>(path: &Path) -> Result<T, SecretsError> {
    Err(SecretsError::Missing { path: path.to_owned() })
}

fn keep(path: &Path, key: &str) -> Result<(), SecretsError> {
    let lines = Zeroizing::new(format!("{key}\n{}\n", check(key)));
    files::write_atomic(path, lines.as_bytes(), 0o600).map_err(SecretsError::File)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_that_a_person_put_there_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let key = PrivateKey::from_random([7; 32]);
        let seed = PresharedSeed::from_random([8; 32]);
        let put = |name, text: String| {
            files::write_atomic(&folder.path().join(name), text.as_bytes(), 0o600).unwrap();
        };
        put("wireguard.key", format!("{}\n", key.expose_base64().as_str()));
        put("preshared.seed", seed.expose_base64().as_str().to_owned());
        assert_eq!(Secrets::read(folder.path()).unwrap().private_key, key);
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        Secrets::read_or_make(folder.path()).unwrap();
        let path = folder.path().join("preshared.seed");
        let content = std::fs::read(&path).unwrap();
        for at in 0..content.len() - 1 {
            let mut flipped = content.clone();
            flipped[at] ^= 1;
            files::write_atomic(&path, &flipped, 0o600).unwrap();
            assert!(Secrets::read(folder.path()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn made_once_private_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("secrets");
        assert!(matches!(Secrets::read(&folder), Err(SecretsError::Missing { .. })));
        let first = Secrets::read_or_make(&folder).unwrap();
        let again = Secrets::read_or_make(&folder).unwrap();
        assert_eq!(first.private_key, again.private_key);
        assert_eq!(first.preshared_seed, Secrets::read(&folder).unwrap().preshared_seed);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("wireguard.key"))), (0o700, 0o600));

        files::write_atomic(&folder.join("wireguard.key"), b"", 0o600).unwrap();
        assert!(matches!(Secrets::read_or_make(&folder), Err(SecretsError::Damaged { .. })));
        assert_eq!(std::fs::read(folder.join("wireguard.key")).unwrap(), b"");
    }
}
