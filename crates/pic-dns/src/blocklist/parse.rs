//! Blocklist files: hosts files, lists of domains, and the host rules of adblock lists, told apart line by line.
//!
//! Bounded: a line is looked at up to [`MAX_LINE`] bytes, a list holds up to [`MAX_ENTRIES`] names; only hashes are kept.

use std::io::{self, BufRead, Read};
use std::net::IpAddr;

use super::table::hash;
use crate::wire::name;

/// Names of one list.
pub const MAX_ENTRIES: usize = 4_000_000;
const MAX_LINE: usize = 4_096;
/// Bytes of one file.
const MAX_BYTES: u64 = 256 << 20;

/// What a file says.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Hashes of blocked names, each with everything beneath it.
    pub blocked: Vec<u64>,
    /// Hashes of names that the list itself excepts.
    pub allowed: Vec<u64>,
    /// Lines that say something else.
    pub skipped: usize,
}

/// Reads a whole file.
pub fn read(file: impl BufRead) -> io::Result<Parsed> {
    let mut file = file.take(MAX_BYTES + 1);
    let mut parsed = Parsed::default();
    let mut line = Vec::new();
    let mut bytes = 0;
    loop {
        line.clear();
        let length = (&mut file).take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
        bytes += length as u64;
        if length == 0 {
            break;
        }
        if bytes > MAX_BYTES {
            return Err(io::Error::other(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
        }
        parsed.line(&line);
        if parsed.blocked.len() + parsed.allowed.len() > MAX_ENTRIES {
            return Err(io::Error::other(format!("it has more than {MAX_ENTRIES} names")));
        }
    }
    parsed.blocked.shrink_to_fit();
    Ok(parsed)
}

impl Parsed {
    fn line(&mut self, line: &[u8]) {
        let Ok(text) = std::str::from_utf8(line) else { return self.skip() };
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', '!', '[']) {
            return;
        }
        if let Some(rule) = text.strip_prefix("@@||") {
            return self.rule(rule, true);
        }
        if let Some(rule) = text.strip_prefix("||") {
            return self.rule(rule, false);
        }
        let mut words = text.split('#').next().unwrap_or_default().split_whitespace();
        let Some(first) = words.next() else { return };
        if first.parse::<IpAddr>().is_ok() {
            words.for_each(|host| self.add(host, false));
        } else if words.next().is_none() {
            self.add(first.trim_start_matches("*.").trim_start_matches('.'), false);
        } else {
            self.skip();
        }
    }

    /// `host^`, with nothing behind it: what else a rule can say is about pages, not names.
    fn rule(&mut self, rule: &str, excepts: bool) {
        match rule.strip_suffix('^') {
            Some(host) => self.add(host, excepts),
            None => self.skip(),
        }
    }

    fn add(&mut self, host: &str, excepts: bool) {
        let host = host.strip_suffix('.').unwrap_or(host);
        // Names of one label are the host itself (`localhost`), or would block a whole top-level domain.
        let is_host = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        let hash = name::from_text(host).filter(|_| is_host).and_then(|wire| hash(&wire));
        match hash {
            Some(hash) if excepts => self.allowed.push(hash),
            Some(hash) => self.blocked.push(hash),
            None => self.skip(),
        }
    }

    fn skip(&mut self) {
        self.skipped += 1;
    }
}
