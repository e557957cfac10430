//! The snapshot: a small file, read whole at each look, as is the owner's template.

use pic_model::snapshot::time::{TimeSnapshot, VERSION};
use pic_service::snapshot::Kind;

/// Sources and clients.
pub const KIND: Kind<TimeSnapshot> = Kind {
    program: "pic-time",
    version: VERSION,
    version_of: |snapshot| snapshot.version,
    // A thousand networks are below this.
    max: 256 << 10,
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pic_service::snapshot::SnapshotError;

    use super::*;

    fn read(bytes: &[u8]) -> Result<TimeSnapshot, SnapshotError> {
        KIND.parse(Path::new("time.json"), bytes)
    }

    #[test]
    fn only_sources_and_networks_come_in() {
        let text = |source: &str, client: &str| {
            format!(r#"{{"version":1,"sources":["{source}"],"clients":["{client}"]}}"#)
        };
        assert!(read(text("nts://time.example.org", "10.77.0.0/16").as_bytes()).is_ok());
        for (source, client) in
            [("nts://a.b\\nallow all", "10.77.0.0/16"), ("ntp://192.0.2.1", "all"), ("", "fd00::/64")]
        {
            assert!(read(text(source, client).as_bytes()).is_err(), "{source} {client}");
        }
        assert!(matches!(read(br#"{"version":2,"new":[]}"#), Err(SnapshotError::Version { found: 2, .. })));
    }
}
