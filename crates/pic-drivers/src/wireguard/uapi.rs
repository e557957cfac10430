//! A userspace device, over the text protocol of its configuration socket (`get=1`, `set=1`; one `key=value` a line,
//! an empty line ends a request and an answer).

mod format;
mod parse;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pic_model::key::PublicKey;
use pic_plan::target::wireguard::Delta;
use zeroize::Zeroizing;

use super::{Error, Observation};

/// Longest silence of a device that computes a key agreement for each new peer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Every answer ends with this.
const END: &[u8] = b"\n\n";

/// Where the userspace device of an interface listens.
pub fn socket_path(name: &str) -> PathBuf {
    Path::new("/run/wireguard").join(format!("{name}.sock"))
}

pub(super) fn observe(name: &str, path: &Path) -> Result<Observation, Error> {
    let answer = exchange(path, b"get=1\n\n").map_err(|source| Error::Socket {
        verb: "read",
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    read_answer_text(name, &answer)
}

/// The text of a device's answer to `get=1`, as plain data. Apart from the socket, so that fuzzing can reach it.
pub fn read_answer_text(name: &str, text: &[u8]) -> Result<Observation, Error> {
    let answer = parse::answer(text).map_err(|line| Error::Malformed { name: name.to_owned(), line })?;
    refused("read", name, answer.errno)?;
    Ok(answer.observation)
}

pub(super) fn apply(name: &str, path: &Path, delta: &Delta) -> Result<(), Error> {
    if delta.is_empty() {
        return Ok(());
    }
    change(name, path, &format::request(delta))
}

/// Sets endpoint and keepalive interval of peers the device has.
pub(super) fn greet(name: &str, peers: &BTreeMap<PublicKey, SocketAddr>, interval: u16) -> Result<(), Error> {
    change(name, &socket_path(name), &format::greeting(peers, interval))
}

fn change(name: &str, path: &Path, request: &[u8]) -> Result<(), Error> {
    let answer = exchange(path, request).map_err(|source| Error::Socket {
        verb: "change",
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    let answer = parse::answer(&answer).map_err(|line| Error::Malformed { name: name.to_owned(), line })?;
    refused("changed", name, answer.errno)
}

fn refused(verb: &'static str, name: &str, errno: i32) -> Result<(), Error> {
    if errno == 0 {
        return Ok(());
    }
    // Some devices answer with the negative number.
    let source = io::Error::from_raw_os_error(errno.saturating_abs());
    Err(Error::Refused { verb, name: name.to_owned(), source })
}

fn exchange(path: &Path, request: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let sent = stream.write_all(request);
    let answer = read_answer(&mut stream);
    match (sent, answer) {
        // A device that refuses a line stops reading; its reason is worth more than our broken pipe.
        (_, Ok(answer)) if !answer.is_empty() => Ok(answer),
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(_)) => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the device closed the connection"))
        }
    }
}

/// Reads up to the empty line: devices keep the connection open for further requests.
fn read_answer(stream: &mut UnixStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut answer = Zeroizing::new(Vec::new());
    let mut chunk = Zeroizing::new(vec![0; 64 * 1024]);
    while !answer.ends_with(END) {
        match stream.read(&mut chunk)? {
            0 => break,
            count => answer.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(answer)
}
