//! Names with a way out of their own: the agent is told their addresses before a client is.
//!
//! Owns: which names are meant for whom, and what the agent has acknowledged. Never: whom an address is for in the end; that
//! is the firewall's. Where the agent cannot be told, an answer with addresses that it does not know is not given, unless its
//! line says that it may: a client must not use what would leave another way.
//!
//! The agent keeps what it was told for [`LIFE`] seconds, so that it is told again long before, and its absence is not felt for
//! names in use. Bounded: lines, addresses of an answer, answers that wait, what is remembered.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, Record};
use pic_model::egress::{LIFE, TTL};
use pic_model::snapshot::dns::{DnsEgress, DnsLearned, DnsNoted};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::cache::Entry;
use crate::wire::name;

/// An answer waits no longer than this for the agent, which needs some milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);
/// What was acknowledged is told again after this time, when it is given again.
const FRESH: Duration = Duration::from_secs(600);
/// What was acknowledged within this time may be given although the agent is away: it is known for twice as long.
const GOOD: Duration = Duration::from_secs(LIFE as u64 / 2);
/// Answers that wait for the agent; more are not given, so that a flood of names costs it no more.
const WAITING: usize = 256;
/// Addresses of one answer that are looked at. One with more is not given.
const MOST: usize = 128;
/// Pairs of line and address that are remembered.
const REMEMBERED: usize = 65_536;
/// Longest line of an acknowledgement.
const MAX_LINE: u64 = 256;

/// The lines of a snapshot.
#[derive(Debug, Default)]
pub struct Lines(Vec<Line>);

#[derive(Debug)]
struct Line {
    /// In lower-case wire form: the name itself, or all beneath it.
    names: Vec<(bool, Box<[u8]>)>,
    set: Arc<str>,
    exit: Option<u16>,
    open: bool,
}

impl Lines {
    /// Of these; the name that is none is the error.
    pub fn new(lines: &[DnsEgress]) -> Result<Self, String> {
        let name = |text: &String| {
            let rest = text.strip_prefix("*.");
            let wire = name::from_text(rest.unwrap_or(text)).ok_or_else(|| text.clone())?;
            Ok((rest.is_some(), Box::from(wire)))
        };
        let one = |line: &DnsEgress| {
            let names = line.names.iter().map(name).collect::<Result<_, String>>()?;
            Ok(Line { names, set: line.set.as_str().into(), exit: line.exit, open: line.open })
        };
        Ok(Self(lines.iter().take(64).map(one).collect::<Result<_, String>>()?))
    }

    /// Those of `among`, a bit each, that mean a name in lower-case wire form.
    pub fn meaning(&self, among: u64, asked: &[u8]) -> u64 {
        if among == 0 {
            return 0;
        }
        let means = |(beneath, apex): &(bool, Box<[u8]>)| match beneath {
            true => asked.len() > apex.len() && name::is_within(asked, apex),
            false => asked == apex.as_ref(),
        };
        let all = self
            .0
            .iter()
            .enumerate()
            .filter(|(at, line)| among & 1 << at != 0 && line.names.iter().any(means));
        all.fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// The same of a name and of those that its answer is an alias of.
    pub fn meaning_any(&self, among: u64, asked: &[u8], entry: &Entry) -> u64 {
        let aliases = entry.answer.targets.iter();
        aliases.fold(self.meaning(among, asked), |bits, alias| bits | self.meaning(among, alias))
    }

    /// Exit that questions leave by which these lines are for: that of the first. `None`: none is for them.
    pub fn exit(&self, lines: u64) -> Option<Option<u16>> {
        let first = usize::try_from(lines.trailing_zeros()).ok()?;
        Some(self.0.get(first)?.exit)
    }

    fn of(&self, lines: u64) -> impl Iterator<Item = &Line> {
        self.0.iter().enumerate().filter(move |(at, _)| lines & 1 << at != 0).map(|(_, line)| line)
    }
}

/// What is known of an answer to a client for whom there are lines.
#[derive(Debug, Clone)]
pub struct Meant {
    /// The lines of its snapshot.
    pub lines: Arc<Lines>,
    /// Those that count for the client.
    pub among: u64,
    /// Whom to tell.
    pub teller: Arc<Teller>,
}

impl Meant {
    /// Longest life to tell the client, if any line means the answer.
    pub fn most(&self, asked: &[u8], entry: &Entry) -> Option<u32> {
        (self.lines.meaning_any(self.among, asked, entry) != 0).then_some(TTL)
    }

    /// Whether the agent knows already what the answer would tell.
    pub fn is_known(&self, asked: &[u8], entry: &Entry) -> bool {
        let lines = self.lines.meaning_any(self.among, asked, entry);
        let is_known = |all: Vec<IpAddr>| self.unknown(lines, &all, FRESH).is_empty();
        lines == 0 || addresses(entry).is_some_and(is_known)
    }

    /// Tells the agent; whether the answer may be given.
    pub async fn tell(&self, asked: &[u8], entry: &Entry) -> bool {
        let lines = self.lines.meaning_any(self.among, asked, entry);
        if lines == 0 {
            return true;
        }
        let may_fail = || self.lines.of(lines).next().is_some_and(|line| line.open);
        let Some(addresses) = addresses(entry) else { return may_fail() };
        let unknown = self.unknown(lines, &addresses, FRESH);
        unknown.is_empty()
            || self.teller.tell(unknown, &addresses).await
            || self.unknown(lines, &addresses, GOOD).is_empty()
            || may_fail()
    }

    /// Sets of which the agent did not acknowledge all of these addresses within a time.
    fn unknown(&self, lines: u64, addresses: &[IpAddr], within: Duration) -> Vec<Arc<str>> {
        let (known, now) = (self.teller.lock(), Instant::now());
        let is_known = |set: &Arc<str>| {
            let of = known.acknowledged.get(set);
            addresses.iter().all(|address| {
                of.and_then(|of| of.get(address)).is_some_and(|at| now.duration_since(*at) < within)
            })
        };
        self.lines.of(lines).map(|line| &line.set).filter(|set| !is_known(set)).cloned().collect()
    }
}

/// Every address that an answer holds, in whatever section; `None` where that cannot be said.
fn addresses(entry: &Entry) -> Option<Vec<IpAddr>> {
    // One of our own holds none.
    if entry.ede.is_some() {
        return Some(Vec::new());
    }
    let message = Message::from_vec(&entry.answer.wire).ok()?;
    let records = || message.answers.iter().chain(&message.additionals);
    // Those have addresses within (RFC 9460, `ipv4hint`), and lead to other names.
    if records().any(|record| matches!(record.data, RData::SVCB(_) | RData::HTTPS(_))) {
        return None;
    }
    let address = |record: &Record| match &record.data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    };
    let mut all: Vec<_> = records().filter_map(address).collect();
    all.sort_unstable();
    all.dedup();
    (all.len() <= MOST).then_some(all)
}

/// Something to tell the agent, and who waits for it.
type Item = (DnsLearned, oneshot::Sender<bool>);

/// Tells the agent, over the connection that it made for it.
#[derive(Debug, Default)]
pub struct Teller {
    state: Mutex<State>,
    number: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// To the present connection.
    sender: Option<mpsc::Sender<Item>>,
    /// When each address of each set was acknowledged last.
    acknowledged: BTreeMap<Arc<str>, BTreeMap<IpAddr, Instant>>,
}

impl Teller {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain data behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the agent has put all of it where it belongs.
    async fn tell(&self, sets: Vec<Arc<str>>, addresses: &[IpAddr]) -> bool {
        let Some(sender) = self.lock().sender.clone() else { return false };
        let (done, told) = oneshot::channel();
        let id = self.number.fetch_add(1, Ordering::Relaxed);
        let names = sets.iter().map(|set| set.as_ref().to_owned()).collect();
        if sender.try_send((DnsLearned { id, sets: names, addresses: addresses.to_vec() }, done)).is_err() {
            return false;
        }
        if !matches!(timeout(PATIENCE, told).await, Ok(Ok(true))) {
            return false;
        }
        self.lock().remember(&sets, addresses);
        true
    }

    /// Serves the agent's connection until it ends or another one comes.
    pub async fn serve<R, W>(&self, mut reader: R, mut writer: W) -> io::Result<()>
    where
        R: AsyncBufRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (sender, mut items) = mpsc::channel(WAITING);
        // What an agent knew that is another one now is told anew, before anything else.
        let known = self.lock().begin(sender.clone());
        for (set, addresses) in known {
            for part in addresses.chunks(MOST) {
                let id = self.number.fetch_add(1, Ordering::Relaxed);
                let learned =
                    DnsLearned { id, sets: vec![set.as_ref().to_owned()], addresses: part.to_vec() };
                write(&mut writer, &learned).await?;
            }
        }
        let mut waiting: BTreeMap<u64, oneshot::Sender<bool>> = BTreeMap::new();
        let mut line = Vec::new();
        let ended = loop {
            tokio::select! {
                item = items.recv() => match item {
                    Some((learned, done)) => {
                        waiting.retain(|_, done| !done.is_closed());
                        waiting.insert(learned.id, done);
                        if let Err(error) = write(&mut writer, &learned).await {
                            break Err(error);
                        }
                    }
                    None => break Ok(()),
                },
                // What was read of a line stays in it when something else happens first.
                read = read_line(&mut reader, &mut line) => match read {
                    Ok(true) => {
                        match serde_json::from_slice::<DnsNoted>(&line) {
                            Ok(noted) => drop(waiting.remove(&noted.id).map(|done| done.send(noted.done))),
                            Err(error) => break Err(io::Error::other(error)),
                        }
                        line.clear();
                    }
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                },
            }
        };
        let mut state = self.lock();
        if state.sender.as_ref().is_some_and(|present| present.same_channel(&sender)) {
            state.sender = None;
        }
        ended
    }
}

impl State {
    fn begin(&mut self, sender: mpsc::Sender<Item>) -> Vec<(Arc<str>, Vec<IpAddr>)> {
        self.sender = Some(sender);
        let now = Instant::now();
        let life = Duration::from_secs(u64::from(LIFE));
        for known in self.acknowledged.values_mut() {
            known.retain(|_, at| now.duration_since(*at) < life);
        }
        self.acknowledged.retain(|_, known| !known.is_empty());
        let of = |known: &BTreeMap<IpAddr, Instant>| known.keys().copied().collect();
        self.acknowledged.iter().map(|(set, known)| (Arc::clone(set), of(known))).collect()
    }

    fn remember(&mut self, sets: &[Arc<str>], addresses: &[IpAddr]) {
        let now = Instant::now();
        if self.acknowledged.values().map(BTreeMap::len).sum::<usize>() > REMEMBERED {
            // Rather told once more than kept for ever.
            self.acknowledged.clear();
        }
        for set in sets {
            let known = self.acknowledged.entry(Arc::clone(set)).or_default();
            known.extend(addresses.iter().map(|address| (*address, now)));
        }
    }
}

/// Whether a whole line is there; else the other side has ended.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<bool> {
    while line.last() != Some(&b'\n') {
        let room = MAX_LINE.saturating_sub(line.len() as u64);
        if (&mut *reader).take(room).read_until(b'\n', line).await? == 0 {
            return if line.is_empty() { Ok(false) } else { Err(io::ErrorKind::InvalidData.into()) };
        }
    }
    Ok(true)
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), learned: &DnsLearned) -> io::Result<()> {
    let mut line = serde_json::to_vec(learned)?;
    line.push(b'\n');
    timeout(PATIENCE, writer.write_all(&line)).await?
}

#[cfg(test)]
mod tests;
