//! The cell's certificate and key: one file of PEM, written whole by the agent, followed as it changes.
//!
//! One that is of no use leaves the one before in its place. Connections that are open keep the one they began with.

mod expiry;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

/// A chain of certificates and a key are a few thousand bytes.
const MAX_BYTES: u64 = 256 << 10;

/// What is known of the file.
#[derive(Debug, Default)]
struct Seen {
    stamp: Option<(u64, u64, i64, i64)>,
    error: Option<String>,
    /// Of the one in use.
    expires: Option<i64>,
}

/// The certificate in use.
#[derive(Debug)]
pub struct Certificate {
    path: PathBuf,
    pair: ArcSwapOption<CertifiedKey>,
    seen: Mutex<Seen>,
}

impl Certificate {
    /// Not read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, pair: ArcSwapOption::empty(), seen: Mutex::default() }
    }

    /// Reads the file if it is another one than last time.
    pub fn follow(&self) {
        let stamp =
            fs::metadata(&self.path).map(|meta| (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()));
        let stamp = stamp.ok();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.stamp.is_some() && seen.stamp == stamp {
            return;
        }
        let mut expires = seen.expires;
        let error = match read(&self.path) {
            Ok(pair) => {
                expires = pair.cert.iter().filter_map(|one| expiry::not_after(one)).min();
                tracing::info!(path = %self.path.display(), "certificate read");
                self.pair.store(Some(Arc::new(pair)));
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = error.as_ref().filter(|_| seen.error != error) {
            tracing::error!(path = %self.path.display(), error, "certificate not read");
        }
        *seen = Seen { stamp, error, expires };
    }

    /// Whether there is one to show to clients.
    pub fn is_there(&self) -> bool {
        self.pair.load().is_some()
    }

    /// Why the newest file is not used.
    pub fn error(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).error.clone()
    }

    /// Until when the one in use holds, with all that stand for it: Unix seconds.
    pub fn expires(&self) -> Option<i64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// Settings of a server that shows this certificate and speaks these protocols.
    pub fn config(self: &Arc<Self>, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pair.load_full()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn read(path: &Path) -> io::Result<CertifiedKey> {
    if fs::metadata(path)?.len() > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    parse(&fs::read(path)?)
}

/// A chain of certificates, the server's own first, and its key.
pub fn parse(pem: &[u8]) -> io::Result<CertifiedKey> {
    let bad = |what: &str, error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {error}"))
    };
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| bad("the certificate is not readable", &error))?;
    if chain.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| bad("there is no readable key", &error))?;
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| bad("the key is of no use, or not that of the certificate", &error))
}
