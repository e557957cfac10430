//! How long the certificate still holds that clients by TLS are shown, as a finding of the doctor.

use std::path::Path;

use pic_api::status::{Check, Health3};

use super::check::{date, read};
use crate::http::handlers::doctor::{check, good};

const NAME: &str = "certificate";
/// Whoever renews by a program does so earlier; whoever does it by hand has time to.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400;

/// `None` while there is no certificate in use, or nothing is known of it.
pub(crate) fn check_certificate(status: &Path, now: i64) -> Option<Check> {
    let expires = read(status).ok()??.tls?.expires?;
    let (left, on) = (expires.saturating_sub(now), date(expires));
    let fix = "renew it in the files of [dns.tls] in cell.toml; the new one is taken over by itself";
    Some(match left {
        ..=0 => {
            let words = format!("that of dns.tls expired on {on}: devices do not believe it");
            check(NAME, Health3::Failed, words, fix)
        }
        _ if left < SOON => {
            let days = match left / DAY {
                0 => "less than a day".to_owned(),
                1 => "1 day".to_owned(),
                days => format!("{days} days"),
            };
            check(NAME, Health3::Degraded, format!("that of dns.tls expires in {days}, on {on}"), fix)
        }
        _ => good(NAME, format!("that of dns.tls holds until {on}")),
    })
}

#[cfg(test)]
mod tests {
    use pic_drivers::files;

    use super::*;

    #[test]
    fn it_is_told_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        assert_eq!(check_certificate(&path, 0), None);
        let write = |tls: &str| {
            let text = format!(
                r#"{{"version":1,"generation":0,"snapshot_error":null,"listening":[],"not_listening":[],"upstreams":[],
                "cache_entries":0,"tls":{tls},"counters":{{"zone":0,"cached":0,"forwarded":0,"failed":0,"refused":0,
                "malformed":0,"dropped":0}}}}"#
            );
            files::write_atomic(&path, text.as_bytes(), 0o644).unwrap();
        };
        for nothing in ["null", r#"{"ready":false,"error":null}"#] {
            write(nothing);
            assert_eq!(check_certificate(&path, 0), None);
        }
        // 2031-05-06
        const END: i64 = 1_935_792_000;
        write(&format!(r#"{{"ready":true,"error":null,"expires":{END}}}"#));
        for (now, state, words) in [
            (END - 30 * DAY, Health3::Ok, "that of dns.tls holds until 2031-05-06"),
            (END - 14 * DAY, Health3::Ok, "that of dns.tls holds until 2031-05-06"),
            (END - 14 * DAY + 1, Health3::Degraded, "that of dns.tls expires in 13 days, on 2031-05-06"),
            (END - DAY, Health3::Degraded, "that of dns.tls expires in 1 day, on 2031-05-06"),
            (END - 1, Health3::Degraded, "that of dns.tls expires in less than a day, on 2031-05-06"),
            (END, Health3::Failed, "that of dns.tls expired on 2031-05-06: devices do not believe it"),
        ] {
            let found = check_certificate(&path, now).unwrap();
            assert_eq!((found.state, found.words.as_str()), (state, words));
        }
    }
}
