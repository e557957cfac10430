//! The connection to openvpn's control socket (its `management-notes.txt`): lines that it says, and the few that it is told.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use pic_model::exit::openvpn::Credentials;
use zeroize::Zeroizing;

/// Bytes of a line; openvpn's own are of 10 KiB at the most.
const LONGEST: usize = 16 << 10;
/// Bytes that are read at one look.
const MOST: usize = 256 << 10;
/// It waits for us before it does anything, and must not do so again when it begins anew by itself.
const HELLO: &str = "hold off\nlog on\nstate on\nbytecount 5\nhold release\n";

/// The connection, while there is one.
#[derive(Debug, Default)]
pub(super) struct Control {
    stream: Option<UnixStream>,
    /// The beginning of a line.
    rest: Vec<u8>,
}

impl Control {
    /// What it said since the last look, without waiting for more.
    pub(super) fn lines(&mut self, socket: &Path) -> Vec<String> {
        if self.stream.is_none() {
            // Not there yet: openvpn has just begun.
            let Ok(stream) = UnixStream::connect(socket) else { return Vec::new() };
            if stream.set_nonblocking(true).is_err() {
                return Vec::new();
            }
            self.stream = Some(stream);
            self.rest.clear();
            self.say(HELLO);
        }
        let mut lines = Vec::new();
        let mut chunk = [0; 4096];
        let mut left = MOST;
        while let Some(stream) = &mut self.stream {
            match stream.read(&mut chunk) {
                Ok(0) => self.stream = None,
                Ok(length) => {
                    for byte in chunk.iter().take(length) {
                        match byte {
                            b'\n' => lines
                                .push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()),
                            byte if self.rest.len() < LONGEST => self.rest.push(*byte),
                            _ => {}
                        }
                    }
                    left = left.saturating_sub(length);
                    if left == 0 {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.stream = None,
            }
        }
        lines
    }

    /// Tells user and password.
    pub(super) fn answer(&mut self, both: &Credentials) {
        let lines = Zeroizing::new(format!(
            "username \"Auth\" {}\npassword \"Auth\" {}\n",
            *quoted(both.user.expose()),
            *quoted(both.password.expose())
        ));
        self.say(&lines);
    }

    fn say(&mut self, lines: &str) {
        let Some(stream) = &mut self.stream else { return };
        if let Err(error) = stream.write_all(lines.as_bytes()) {
            tracing::debug!(%error, "openvpn does not listen");
            self.stream = None;
        }
    }
}

/// As openvpn reads a word with anything in it.
fn quoted(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(2 * text.len() + 2));
    out.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_word_whatever_it_has() {
        assert_eq!(*quoted(r#"a "b\c"#), r#""a \"b\\c""#);
    }
}
