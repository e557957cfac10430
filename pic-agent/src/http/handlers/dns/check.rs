//! What the name server says about itself, as a finding of the doctor. The service parses packets of strangers, so its
//! words are foreign: bounded, and told as they are.

use std::path::Path;

use pic_api::status::{Check, Health3};
use pic_drivers::{files, host};
use pic_model::chain;
use pic_model::desired::DnsTls;
use pic_model::snapshot::dns::{DnsBlocklistStatus, DnsListenFailure, DnsStatus, VERSION};

use crate::host::certificate;
use crate::http::handlers::doctor::{check, good};

const NAME: &str = "dns";
/// What helps against resolvers that do not.
const OTHERS: &str =
    "picctl config set dns.upstreams '[\"tls://ADDRESS#NAME\"]' (or only the address) with one that does";
/// Addresses and resolvers of one cell are a few.
const MAX: u64 = 64 << 10;

/// `tls` is what the owner wants of clients by TLS.
pub(crate) fn check_file(path: &Path, tls: Option<&DnsTls>) -> Check {
    match read(path) {
        Ok(Some(status)) => match by_tls(&status, tls) {
            // What stops all clients is told first.
            Some(found) if judge(&status).state != Health3::Failed => found,
            _ => judge(&status),
        },
        Ok(None) => silent("pic-dns has not said how it is doing".to_owned()),
        Err(words) => silent(words),
    }
}

fn silent(words: String) -> Check {
    check(NAME, Health3::Degraded, words, "systemctl restart pic-dns")
}

pub(super) fn read(path: &Path) -> Result<Option<DnsStatus>, String> {
    let bytes = files::read_bounded(path, MAX).map_err(|error| chain(&error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let status: DnsStatus = serde_json::from_slice(&bytes)
        .map_err(|error| format!("{} is not understood: {error}", path.display()))?;
    if status.version == VERSION { Ok(Some(status)) } else { Err("pic-dns is of another release".to_owned()) }
}

fn judge(status: &DnsStatus) -> Check {
    if !status.not_listening.is_empty() {
        let failures: Vec<_> = status.not_listening.iter().map(failure).collect();
        let words = format!("devices cannot ask for names: {}", failures.join("; "));
        let fix = "stop that program, or have it listen on its own addresses only; `ss -lntup 'sport = :53'` shows it";
        return check(NAME, Health3::Failed, words, fix);
    }
    if let Some(error) = &status.snapshot_error {
        let words = format!("pic-dns serves older names: {error}");
        return check(NAME, Health3::Failed, words, "see `picctl logs`");
    }
    if !status.upstreams.is_empty() && status.upstreams.iter().all(|upstream| !upstream.healthy) {
        let all: Vec<_> = status.upstreams.iter().map(|upstream| upstream.address.to_string()).collect();
        let words = format!("no resolver answers: {}", all.join(", "));
        return check(NAME, Health3::Degraded, words, OTHERS);
    }
    if let Some(found) = dnssec(status) {
        return found;
    }
    let broken = |list: &DnsBlocklistStatus| Some(format!("{} ({})", list.name, list.error.as_ref()?));
    let broken: Vec<_> = status.blocklists.iter().filter_map(broken).collect();
    if !broken.is_empty() {
        let words =
            format!("blocklists are not up to date, what they had still counts: {}", broken.join("; "));
        return check(
            NAME,
            Health3::Degraded,
            words,
            "mend dns.blocklist in cell.toml, or wait: it is tried again",
        );
    }
    let served: Vec<_> = status.listening.iter().map(ToString::to_string).collect();
    good(NAME, format!("answers at {}", served.join(", ")))
}

/// What stands in the way of clients by TLS.
fn by_tls(status: &DnsStatus, tls: Option<&DnsTls>) -> Option<Check> {
    let mine = tls.and_then(|tls| certificate::pem(tls).err());
    let theirs = || status.tls.as_ref().and_then(|state| state.error.clone());
    let error = mine.or_else(theirs)?;
    let before = status.tls.as_ref().is_some_and(|state| state.ready);
    let then = if before { "the one before is shown" } else { "nobody is answered by TLS" };
    let words = format!("the certificate of dns.tls is of no use: {error}; {then}");
    Some(check(NAME, Health3::Degraded, words, "mend the files, or [dns.tls] in cell.toml"))
}

pub(super) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// What stands in the way of validating answers.
fn dnssec(status: &DnsStatus) -> Option<Check> {
    let state = status.dnssec.as_ref()?;
    if let Some(error) = &state.anchor_error {
        let words = format!("the trust anchors of dns.trust_anchor are not used: {error}");
        return Some(check(NAME, Health3::Failed, words, "mend the file, or remove dns.trust_anchor"));
    }
    let unsigned = status.upstreams.iter().filter(|upstream| upstream.unsigned);
    let unsigned: Vec<_> = unsigned.map(|upstream| upstream.address.to_string()).collect();
    if !unsigned.is_empty() {
        let all = unsigned.len() == status.upstreams.len();
        let (then, health) = match (all, state.required) {
            (false, _) => ("others are asked instead", Health3::Degraded),
            (true, true) => ("names outside are not answered", Health3::Failed),
            (true, false) => ("names outside are answered without proof", Health3::Degraded),
        };
        let words = format!("cannot do DNSSEC (no signatures): {}; {then}", unsigned.join(", "));
        let fix = format!("{OTHERS}; or picctl config set dns.dnssec false");
        return Some(check(NAME, health, words, fix));
    }
    state.clock_doubt.map(|(from, until)| {
        let words = format!(
            "this machine's clock is wrong, or the trust anchor's signature is, which holds from {} to {}: dates of \
             signatures are not looked at until the two agree",
            date(from.into()),
            date(until.into())
        );
        check(NAME, Health3::Degraded, words, "see `timedatectl`, and set the time")
    })
}

fn failure(failure: &DnsListenFailure) -> String {
    let DnsListenFailure { address, error } = failure;
    match host::port_holder(*address, "pic-dns") {
        Some(holder) => format!("{address} is held by {holder} ({error})"),
        None => format!("{address} cannot be had ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        assert!(check_file(&path, None).words.contains("has not said"));
        let rest = r#""upstreams":[{"address":"9.9.9.9:53","healthy":false}],"cache_entries":0,
            "counters":{"zone":0,"cached":0,"forwarded":0,"failed":0,"refused":0,"malformed":0,"dropped":0}"#;
        let told = |version: u32, error: &str, taken: &str| {
            let text = format!(
                r#"{{"version":{version},"generation":0,"snapshot_error":{error},"listening":["10.77.0.1:53"],"not_listening":[{taken}],{rest}}}"#
            );
            files::write_atomic(&path, text.as_bytes(), 0o644).unwrap();
            check_file(&path, None).words
        };
        assert_eq!(told(1, "null", ""), "no resolver answers: 9.9.9.9:53");
        assert_eq!(told(1, "\"half a file\"", ""), "pic-dns serves older names: half a file");
        let taken = r#"{"address":"192.0.2.9:1","error":"why"}"#;
        assert_eq!(told(1, "null", taken), "devices cannot ask for names: 192.0.2.9:1 cannot be had (why)");
        let dnssec = |unsigned: &str, state: &str| {
            let text = format!(
                r#"{{"version":1,"generation":0,"snapshot_error":null,"listening":[],"not_listening":[],
                "upstreams":[{{"address":"192.0.2.1:53","healthy":true,"unsigned":{unsigned}}}],"cache_entries":0,
                "dnssec":{state},"counters":{{"zone":0,"cached":0,"forwarded":0,"failed":0,"refused":0,"malformed":0,
                "dropped":0}}}}"#
            );
            files::write_atomic(&path, text.as_bytes(), 0o644).unwrap();
            check_file(&path, None).words
        };
        let words = dnssec("true", r#"{"anchor_error":null,"clock_doubt":null}"#);
        assert!(words.ends_with("192.0.2.1:53; names outside are answered without proof"), "{words}");
        let words = dnssec("true", r#"{"anchor_error":null,"clock_doubt":null,"required":true}"#);
        assert_eq!(words, "cannot do DNSSEC (no signatures): 192.0.2.1:53; names outside are not answered");
        let words = dnssec("false", r#"{"anchor_error":"no","clock_doubt":null}"#);
        assert_eq!(words, "the trust anchors of dns.trust_anchor are not used: no");
        let words = dnssec("false", r#"{"anchor_error":null,"clock_doubt":[1793491200,1794000000]}"#);
        assert!(words.contains("holds from 2026-11-01 to 2026-11-06"), "{words}");
        assert!(dnssec("true", "null").contains("answers at"), "off");
        let text = format!(
            r#"{{"version":1,"generation":0,"snapshot_error":null,"listening":[],"not_listening":[],"upstreams":[],
            "blocklists":[{{"name":"ads","entries":9,"error":"https://lists.example/: the server says 404"}}],
            "cache_entries":0,{}}}"#,
            rest.split_once("\n").unwrap().1.trim()
        );
        files::write_atomic(&path, text.as_bytes(), 0o644).unwrap();
        let words = check_file(&path, None).words;
        assert!(words.contains("what they had still counts: ads (https://lists.example/"), "{words}");
        assert!(told(2, "null", "").contains("another release"));
        assert!(told(1, "nonsense", "").contains("is not understood"));
    }
}
