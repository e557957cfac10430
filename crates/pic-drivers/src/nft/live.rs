//! A table of ours for a while, beside `inet pic`: it counts real packets, or has the kernel tell their way.
//!
//! It belongs to its socket (`NFT_TABLE_F_OWNER`, since Linux 5.12): the kernel takes it away when that is closed, so
//! nothing stays however its maker ends, and nobody else can change it. It decides about no packet but those that a rule of
//! it drops. Tested in `tests/nft.rs` against the kernel.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pic_plan::target::nft::Table;

use super::attributes::{find, messages, text};
use super::error::Error;
use super::query::{Interrupted, Query};
use super::socket::Socket;
use super::trace::{self, Event};
use super::{abi, build, observe};

/// How often a disturbed reading is begun again.
const ATTEMPTS: u32 = 20;

/// The table; goes with this.
#[derive(Debug)]
pub struct Live {
    /// Empty for a moment while it is asked something.
    socket: Option<Socket>,
    name: &'static str,
}

impl Live {
    /// Puts a table `inet` of this name there. With `traced`, the kernel tells the way of what any of its rules matches, to
    /// [`Listener`]s. Fails if it is there already: then somebody else looks at the same moment.
    pub fn start(name: &'static str, table: &Table, traced: bool) -> Result<Self, Error> {
        let mut socket = Socket::open()?;
        build::live(name, table, traced)?.commit(&mut socket)?;
        Ok(Self { socket: Some(socket), name })
    }

    /// Packets that each counter has seen, by the `why` of its rule; those of rules with equal words together.
    pub fn counters(&mut self) -> Result<BTreeMap<String, u64>, Error> {
        let name = self.name;
        for _ in 0..ATTEMPTS {
            let socket = self.socket.take().ok_or(Error::Restless)?;
            let mut query = Query::over(socket);
            let mut counted = BTreeMap::new();
            let read = query.dump("rules", abi::MSG_GETRULE, &[(abi::RULE_TABLE, name)], |rule| {
                if text(rule, abi::RULE_TABLE)? == name {
                    let comment =
                        find(rule, abi::RULE_USERDATA).and_then(observe::comment).unwrap_or_default();
                    if let Some(count) = observe::counted(rule) {
                        *counted.entry(why(&comment).to_owned()).or_default() += count.packets;
                    }
                }
                Some(())
            });
            let mut socket = query.socket();
            // What an interrupted reading left behind would come before the next answers.
            while read.is_err() && socket.receive_queued().map_err(Error::Receive)?.is_some() {}
            self.socket = Some(socket);
            match read {
                Ok(()) => return Ok(counted),
                Err(Interrupted::ByChange) => {}
                Err(Interrupted::By(error)) => return Err(error),
            }
        }
        Err(Error::Restless)
    }
}

/// What each rule of a table is for, by its chain and handle.
pub fn rules(table: &str) -> Result<BTreeMap<(String, u64), String>, Error> {
    for _ in 0..ATTEMPTS {
        let mut query = Query::over(Socket::open()?);
        let mut all = BTreeMap::new();
        let read = query.dump("rules", abi::MSG_GETRULE, &[(abi::RULE_TABLE, table)], |rule| {
            if text(rule, abi::RULE_TABLE)? == table {
                let comment = find(rule, abi::RULE_USERDATA).and_then(observe::comment).unwrap_or_default();
                let handle =
                    find(rule, abi::RULE_HANDLE)?.first_chunk().map(|all| u64::from_be_bytes(*all))?;
                all.insert((text(rule, abi::RULE_CHAIN)?.to_owned(), handle), why(&comment).to_owned());
            }
            Some(())
        });
        match read {
            Ok(()) => return Ok(all),
            Err(Interrupted::ByChange) => {}
            Err(Interrupted::By(error)) => return Err(error),
        }
    }
    Err(Error::Restless)
}

/// The words of a rule's comment, without the tag behind them.
pub(super) fn why(comment: &str) -> &str {
    comment.rsplit_once(" [").map_or(comment, |(why, _)| why)
}

/// Hears what the kernel tells of packets that are traced.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// Told and not asked for yet.
    waiting: std::collections::VecDeque<Event>,
}

impl Listener {
    /// Begins to listen.
    pub fn start() -> Result<Self, Error> {
        let mut socket = Socket::open()?;
        socket.join(abi::GROUP_TRACE).map_err(Error::Socket)?;
        Ok(Self { socket, waiting: std::collections::VecDeque::new() })
    }

    /// The next thing that is told, if that is before the deadline.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_patience(left.max(Duration::from_millis(1))).map_err(Error::Socket)?;
            let datagram = match self.socket.receive_or_time_out() {
                Ok(Some(datagram)) => datagram,
                Ok(None) => continue,
                Err(error) => return Err(Error::Receive(error)),
            };
            let kind = abi::SUBSYSTEM | abi::MSG_TRACE;
            let told = messages(datagram).filter(|message| message.kind == kind);
            self.waiting.extend(told.filter_map(|message| trace::read(message.body.get(4..)?)));
        }
    }
}
