//! Names of leases, which come and go beside the snapshot: a file of `pic-dhcp`'s.

use pic_model::snapshot::dhcp::{LeaseNames, VERSION};
use pic_service::snapshot::Kind;

/// Names of leases. How they get beside those of the snapshot says `DnsSnapshot::add_leases`.
pub const KIND: Kind<LeaseNames> = Kind {
    program: "pic-dns",
    version: VERSION,
    version_of: |names| names.version,
    // A million names are below this.
    max: 128 << 20,
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn those_of_another_release_are_not_taken() {
        let parse = |text: &str| KIND.parse(Path::new("x"), text.as_bytes());
        assert!(parse(r#"{"version":1,"names":[]}"#).is_ok());
        assert!(parse(r#"{"version":2,"names":[]}"#).is_err());
    }
}
