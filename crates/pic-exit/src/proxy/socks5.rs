//! SOCKS5 as its client (RFC 1928, with user and password as of RFC 1929). Targets are told as addresses.

use std::net::SocketAddr;

use pic_model::snapshot::proxy::Login;

use super::dialogue::{Refusal, Step};

/// For people.
pub(super) const NAME: &str = "SOCKS5";

const VERSION: u8 = 5;
/// Version of the negotiation about user and password.
const VERSION_LOGIN: u8 = 1;
const METHOD_NONE: u8 = 0;
const METHOD_LOGIN: u8 = 2;
const METHOD_REFUSED: u8 = 0xFF;
const CONNECT: u8 = 1;

/// What was said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    Methods,
    Login,
    Request,
}

/// The client's part.
#[derive(Debug)]
pub(super) struct Talk {
    state: State,
    target: SocketAddr,
    /// User and password, in the form they are told in.
    login: Option<Secret>,
}

/// Bytes that `Debug` does not show.
struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Talk {
    pub(super) fn new(target: SocketAddr, login: Option<&Login>) -> Self {
        Self { state: State::Begin, target, login: login.map(told) }
    }

    pub(super) fn step(&mut self, heard: &mut Vec<u8>) -> Result<Step, Refusal> {
        match self.state {
            State::Begin => {
                self.state = State::Methods;
                // Without a login none is offered, so that no proxy asks for one.
                let offer =
                    if self.login.is_some() { &[METHOD_NONE, METHOD_LOGIN][..] } else { &[METHOD_NONE] };
                let count = u8::try_from(offer.len()).unwrap_or_default();
                Ok(Step::Say([&[VERSION, count], offer].concat()))
            }
            State::Methods => {
                let Some([version, method]) = take(heard) else { return Ok(Step::Hear) };
                match (version, method, &self.login) {
                    (VERSION, METHOD_NONE, _) => Ok(self.request()),
                    (VERSION, METHOD_LOGIN, Some(Secret(told))) => {
                        self.state = State::Login;
                        Ok(Step::Say(told.clone()))
                    }
                    (VERSION, METHOD_REFUSED, None) => Err(Refusal::NoLogin),
                    (VERSION, METHOD_REFUSED, Some(_)) => Err(Refusal::Login),
                    _ => Err(Refusal::Foreign(NAME)),
                }
            }
            State::Login => {
                let Some([version, status]) = take(heard) else { return Ok(Step::Hear) };
                match (version, status) {
                    // Some proxies answer with the version of SOCKS.
                    (VERSION_LOGIN | VERSION, 0) => Ok(self.request()),
                    (VERSION_LOGIN | VERSION, _) => Err(Refusal::Login),
                    _ => Err(Refusal::Foreign(NAME)),
                }
            }
            State::Request => reply(heard),
        }
    }

    fn request(&mut self) -> Step {
        self.state = State::Request;
        let mut bytes = vec![VERSION, CONNECT, 0];
        match self.target {
            SocketAddr::V4(at) => {
                bytes.push(1);
                bytes.extend(at.ip().octets());
            }
            SocketAddr::V6(at) => {
                bytes.push(4);
                bytes.extend(at.ip().octets());
            }
        }
        bytes.extend(self.target.port().to_be_bytes());
        Step::Say(bytes)
    }
}

/// RFC 1929 section 2. Longer words than fit were refused when the file was read.
fn told(login: &Login) -> Secret {
    let mut bytes = vec![VERSION_LOGIN];
    for word in [&login.user, &login.password] {
        let word = word.as_bytes().get(..255).unwrap_or(word.as_bytes());
        bytes.push(u8::try_from(word.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(word);
    }
    Secret(bytes)
}

/// Takes so many bytes off the front, if they are there.
fn take<const N: usize>(heard: &mut Vec<u8>) -> Option<[u8; N]> {
    let bytes = *heard.first_chunk::<N>()?;
    heard.drain(..N);
    Some(bytes)
}

/// The answer to the request: its length depends on the address in it, which means nothing to us.
fn reply(heard: &mut Vec<u8>) -> Result<Step, Refusal> {
    // Of a refusal some proxies send no more than this.
    match heard.as_slice() {
        [] | [VERSION] => return Ok(Step::Hear),
        [VERSION, 0, ..] => {}
        [VERSION, code, ..] => return Err(Refusal::Target(words(*code))),
        _ => return Err(Refusal::Foreign(NAME)),
    }
    let Some(kind) = heard.get(3) else { return Ok(Step::Hear) };
    let address = match kind {
        1 => 4,
        4 => 16,
        3 => match heard.get(4) {
            Some(length) => usize::from(*length) + 1,
            None => return Ok(Step::Hear),
        },
        _ => return Err(Refusal::Foreign(NAME)),
    };
    // Version, answer, a zero, the kind; the address; the port.
    let length = 4 + address + 2;
    if heard.len() < length {
        return Ok(Step::Hear);
    }
    Ok(Step::Done(heard.split_off(length)))
}

/// RFC 1928 section 6.
fn words(code: u8) -> String {
    match code {
        1 => "it failed",
        2 => "its rules forbid it",
        3 => "the network cannot be reached from there",
        4 => "the host cannot be reached from there",
        5 => "the connection was refused there",
        6 => "the packets took too many hops",
        7 => "it does not make connections",
        8 => "it does not know this kind of address",
        _ => return format!("answer {code}"),
    }
    .to_owned()
}
