//! Record types by number, as far as validation knows them apart, and their names.

pub(super) const NS: u16 = 2;
pub(super) const CNAME: u16 = 5;
pub(super) const SOA: u16 = 6;
pub(super) const DNAME: u16 = 39;
pub(super) const DS: u16 = 43;
pub(super) const RRSIG: u16 = 46;
pub(super) const NSEC: u16 = 47;
pub(super) const DNSKEY: u16 = 48;
pub(super) const NSEC3: u16 = 50;

/// Name of a type, for people.
pub(super) fn name(rtype: u16) -> String {
    hickory_proto::rr::RecordType::from(rtype).to_string()
}

/// Whether a set of types, as NSEC and NSEC3 carry it (RFC 4034 section 4.1.2), holds one.
pub(super) fn contains(mut bitmap: &[u8], rtype: u16) -> bool {
    let [window, low] = rtype.to_be_bytes();
    while let [number, length, rest @ ..] = bitmap {
        let Some((bits, behind)) = rest.split_at_checked(usize::from(*length)) else { return false };
        if *number == window {
            return bits.get(usize::from(low / 8)).is_some_and(|byte| byte & (0x80 >> (low % 8)) != 0);
        }
        bitmap = behind;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_types() {
        // A, MX, RRSIG, NSEC and type 1234: the example of RFC 4034 section 4.3.
        let mut bitmap = vec![0, 6, 0x40, 0x01, 0, 0, 0, 0x03, 4, 27];
        bitmap.extend([0; 26]);
        bitmap.push(0x20);
        for rtype in [1, 15, RRSIG, NSEC, 1234] {
            assert!(contains(&bitmap, rtype), "{rtype}");
        }
        for rtype in [NS, DS, 1235, 65_535] {
            assert!(!contains(&bitmap, rtype), "{rtype}");
        }
        assert!(!contains(&[0, 200, 1], 7), "cut short");
    }
}
