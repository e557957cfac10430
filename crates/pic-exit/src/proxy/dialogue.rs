//! What is said between us and a proxy until a connection is made through it: bytes in, bytes out, no socket.
//!
//! The proxy's words are foreign: what is kept of them is bounded, and none of them is repeated.

use std::net::SocketAddr;

use pic_model::exit::proxy::Protocol;
use pic_model::snapshot::proxy::Login;

use super::{http, socks5};

/// Bytes of a proxy that are kept until it has said what it has to.
pub const MOST: usize = 16 << 10;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What it says is not the protocol.
    #[error("what answers there is no proxy that speaks {0}")]
    Foreign(&'static str),
    /// It went away in the middle.
    #[error("the proxy ends the connection before it has answered")]
    Silent,
    /// It knows us not.
    #[error("the proxy refuses user and password")]
    Login,
    /// It wants to know who we are.
    #[error("the proxy wants a user and a password: add the exit again with --credentials")]
    NoLogin,
    /// It does not connect there, for a reason in words.
    #[error("the proxy does not connect: {0}")]
    Target(String),
}

impl Refusal {
    /// Whether trying again at once would only annoy.
    pub fn is_about_us(&self) -> bool {
        matches!(self, Self::Login | Self::NoLogin)
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Tell the proxy this, and come back.
    Say(Vec<u8>),
    /// Hear more.
    Hear,
    /// The connection is there. These bytes came by it already.
    Done(Vec<u8>),
}

/// A conversation.
#[derive(Debug)]
pub struct Dialogue {
    heard: Vec<u8>,
    talk: Talk,
}

#[derive(Debug)]
enum Talk {
    Socks5(socks5::Talk),
    Http(http::Talk),
}

impl Dialogue {
    /// One that has not begun.
    pub fn new(protocol: Protocol, target: SocketAddr, login: Option<&Login>) -> Self {
        let talk = match protocol {
            Protocol::Socks5 => Talk::Socks5(socks5::Talk::new(target, login)),
            Protocol::Http => Talk::Http(http::Talk::new(target, login)),
        };
        Self { heard: Vec::new(), talk }
    }

    /// Takes what the proxy said. More than [`MOST`] at once is more than any answer has.
    pub fn hear(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.heard.len());
        self.heard.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Bytes that can be heard at the most before the next step.
    pub fn room(&self) -> usize {
        MOST.saturating_sub(self.heard.len())
    }

    /// The next step. After [`Step::Hear`] something must have been heard.
    ///
    /// # Errors
    /// The proxy refuses, or is none.
    pub fn step(&mut self) -> Result<Step, Refusal> {
        let step = match &mut self.talk {
            Talk::Socks5(talk) => talk.step(&mut self.heard),
            Talk::Http(talk) => talk.step(&mut self.heard),
        }?;
        match step {
            Step::Hear if self.room() == 0 => Err(Refusal::Foreign(self.spoken())),
            step => Ok(step),
        }
    }

    fn spoken(&self) -> &'static str {
        match self.talk {
            Talk::Socks5(_) => socks5::NAME,
            Talk::Http(_) => http::NAME,
        }
    }
}
