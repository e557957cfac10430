//! An HTTP proxy as its client: one `CONNECT` (RFC 9110 section 9.3.6) with Basic credentials (RFC 7617), where there are any.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pic_model::snapshot::proxy::Login;

use super::dialogue::{Refusal, Step};

/// For people.
pub(super) const NAME: &str = "HTTP";

/// Heads of answers on the way (1xx) that are passed over.
const ON_THE_WAY: usize = 8;

/// The client's part.
pub(super) struct Talk {
    /// What is said first, while it was not.
    request: Option<Vec<u8>>,
    has_login: bool,
    passed: usize,
    /// How far a head was looked at for its end, and where its last line began: each byte is looked at once, however few
    /// come at a time.
    seen: usize,
    line: usize,
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The request may have a password in it.
        f.debug_struct("Talk").field("passed", &self.passed).finish_non_exhaustive()
    }
}

impl Talk {
    pub(super) fn new(target: SocketAddr, login: Option<&Login>) -> Self {
        let authorization = login.map_or_else(String::new, |login| {
            let told = STANDARD.encode(format!("{}:{}", login.user, login.password));
            format!("Proxy-Authorization: Basic {told}\r\n")
        });
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        Self { request: Some(request.into_bytes()), has_login: login.is_some(), passed: 0, seen: 0, line: 0 }
    }

    pub(super) fn step(&mut self, heard: &mut Vec<u8>) -> Result<Step, Refusal> {
        if let Some(request) = self.request.take() {
            return Ok(Step::Say(request));
        }
        loop {
            // What is none is known by its first bytes, and not waited for.
            let begin = heard.len().min(BEGIN.len());
            if heard.get(..begin) != BEGIN.get(..begin) {
                return Err(Refusal::Foreign(NAME));
            }
            let Some(end) = self.end(heard) else { return Ok(Step::Hear) };
            let rest = heard.split_off(end);
            let head = std::mem::replace(heard, rest);
            (self.seen, self.line) = (0, 0);
            match status(&head).ok_or(Refusal::Foreign(NAME))? {
                100..=199 if self.passed < ON_THE_WAY => self.passed += 1,
                // Of such an answer nothing but the connection follows (RFC 9110 section 9.3.6).
                200..=299 => return Ok(Step::Done(std::mem::take(heard))),
                407 => return Err(if self.has_login { Refusal::Login } else { Refusal::NoLogin }),
                code => return Err(Refusal::Target(words(code))),
            }
        }
    }

    /// Length of a head with its empty line; of line feeds alone, too (RFC 9112 section 2.2).
    fn end(&mut self, heard: &[u8]) -> Option<usize> {
        for (at, byte) in heard.iter().enumerate().skip(self.seen) {
            if *byte == b'\n' {
                if matches!(heard.get(self.line..at), Some([] | [b'\r'])) {
                    return Some(at + 1);
                }
                self.line = at + 1;
            }
        }
        self.seen = heard.len();
        None
    }
}

const BEGIN: &[u8] = b"HTTP/1.";

/// `HTTP/1.x NNN …`
fn status(head: &[u8]) -> Option<u16> {
    let [minor, b' ', code @ ..] = head.strip_prefix(BEGIN)? else { return None };
    let (digits, rest) = code.split_at_checked(3)?;
    let ends = matches!(rest.first(), None | Some(b' ' | b'\r' | b'\n'));
    let is_number = minor.is_ascii_digit() && digits.iter().all(u8::is_ascii_digit);
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (ends && is_number && (100..600).contains(&code)).then_some(code)
}

fn words(code: u16) -> String {
    let words = match code {
        401 | 403 => "its rules forbid it",
        405 | 501 => "it does not make connections",
        502 | 503 => "the host cannot be reached from there",
        504 => "the host does not answer there",
        _ => return format!("answer {code}"),
    };
    format!("{words} (answer {code})")
}
