//! Until when a certificate holds: the one field that is read of it here (RFC 5280 section 4.1).

use jiff::civil::DateTime;

/// Tags of DER (X.690 section 8).
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, the version, which old certificates have not.
const VERSION: u8 = 0xA0;

/// `notAfter` of a certificate in DER, in Unix seconds; `None` where it is none that can be read.
pub(super) fn not_after(der: &[u8]) -> Option<i64> {
    let (certificate, _) = value(der, SEQUENCE)?;
    let (signed, _) = value(certificate, SEQUENCE)?;
    let rest = value(signed, VERSION).map_or(signed, |(_, rest)| rest);
    let (_, rest) = value(rest, INTEGER)?;
    let (_algorithm, rest) = value(rest, SEQUENCE)?;
    let (_issuer, rest) = value(rest, SEQUENCE)?;
    let (validity, _) = value(rest, SEQUENCE)?;
    let (_, _, after) = any(validity)?;
    let (tag, text, _) = any(after)?;
    time(tag, text)
}

/// The content of the first value, which must have this tag, and what follows it.
fn value(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    any(der).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

/// Tag and content of the first value, and what follows it.
fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        // Nobody's certificate is as long as three bytes can say.
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, always in UTC (RFC 5280 section 4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let short = number(digits.get(..2)?);
            (if short >= 50 { 1900 + short } else { 2000 + short }, digits.get(2..)?)
        }
        (GENERALIZED_TIME, 14) => (number(digits.get(..4)?), digits.get(4..)?),
        _ => return None,
    };
    let mut parts = rest.chunks(2).map(|two| i8::try_from(number(two)).ok());
    let mut next = || parts.next().flatten();
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    // A leap second is none of the calendar's.
    let at = DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?;
    Some(at.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_secs())
}

/// At most four digits.
fn number(digits: &[u8]) -> i16 {
    digits.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["home.example.org".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, month, day);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_forms() {
        for (year, month, day, wanted) in
            [(2031, 5, 6, 1_935_792_000), (2049, 12, 31, 2_524_521_600), (2106, 2, 7, 4_294_944_000)]
        {
            assert_eq!(not_after(&certificate(year, month, day)), Some(wanted), "{year}");
        }
        assert_eq!(time(GENERALIZED_TIME, b"99991231235959Z"), Some(253_402_300_799), "never");
        assert_eq!(time(UTC_TIME, b"700101000000Z"), Some(0));
        for wrong in [&b"7001010000Z"[..], b"700101000000", b"701301000000Z", b"70010100000xZ", b"Z", b""] {
            assert_eq!(time(UTC_TIME, wrong), None);
        }
    }

    #[test]
    fn what_is_damaged_has_no_end() {
        let whole = certificate(2031, 5, 6);
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "cut at {length}");
        }
        for at in 0..whole.len() {
            let mut other = whole.clone();
            for byte in [0, 0x80, 0xFF] {
                other[at] = byte;
                let _ = not_after(&other);
            }
        }
    }
}
