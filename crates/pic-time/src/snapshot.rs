//! The snapshot and the owner's template on disk: small files, read whole at each look.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pic_model::snapshot::time::{TimeSnapshot, VERSION};

/// A thousand networks are below this.
const MAX_BYTES: u64 = 256 << 10;

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not one.
    #[error("it is not a snapshot: {0}")]
    Parse(#[from] serde_json::Error),
    /// Made for another release.
    #[error("it has format {0}, this program knows {VERSION}; restart pic-time after the upgrade")]
    Version(u32),
}

#[derive(serde::Deserialize)]
struct Probe {
    version: u32,
}

/// The snapshot in these bytes.
pub fn parse(bytes: &[u8]) -> Result<TimeSnapshot, SnapshotError> {
    // The version first: another version may well have other fields.
    let probe: Probe = serde_json::from_slice(bytes)?;
    if probe.version != VERSION {
        return Err(SnapshotError::Version(probe.version));
    }
    Ok(serde_json::from_slice(bytes)?)
}

/// A whole file, if there is one.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Some(bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_and_networks_come_in() {
        let text = |source: &str, client: &str| {
            format!(r#"{{"version":1,"sources":["{source}"],"clients":["{client}"]}}"#)
        };
        assert!(parse(text("nts://time.example.org", "10.77.0.0/16").as_bytes()).is_ok());
        for (source, client) in
            [("nts://a.b\\nallow all", "10.77.0.0/16"), ("ntp://192.0.2.1", "all"), ("", "fd00::/64")]
        {
            assert!(parse(text(source, client).as_bytes()).is_err(), "{source} {client}");
        }
        assert!(matches!(parse(br#"{"version":2,"new":[]}"#), Err(SnapshotError::Version(2))));
    }
}
