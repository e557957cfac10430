//! Addresses of names with a way out of their own: from the name server into the firewall.
//!
//! ```text
//! pic-dns ─ "about to tell 203.0.113.9, of names_1a2b…" ─> here ─> set in the kernel, book ─ "done" ─> pic-dns answers its client
//! ```
//! `pic-dns` has no power over the firewall; what it may say is which public addresses are in sets that are there already. The
//! kernel's elements outlive the agent; the book outlives a flush of theirs, a new table and, on disk, the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pic_drivers::{files, nft};
use pic_engine::{Handle, Report};
use pic_model::chain;
use pic_model::egress::{Book, LIFE, is_outside};
use pic_model::snapshot::dns::{DnsLearned, DnsNoted, DnsRequest};
use pic_plan::Action;
use pic_plan::compile::exit::egress::{is_learned, sets_of};
use pic_plan::target::nft::Elements;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::now;

/// Between two tries to reach the name server.
const PAUSE: Duration = Duration::from_millis(100);
/// From what was learnt to the disk.
const SAVE: Duration = Duration::from_secs(5);
/// Savings from one look at what the kernel has kept in use to the next.
const LOOKS: u64 = 12;
/// Longest line: two hundred addresses.
const MAX_LINE: u64 = 16 << 10;
/// An acknowledgement that is not taken for so long has nobody who waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is about to be forgotten by the kernel is not put there again: it would live for ever.
const MARGIN: i64 = 60;
/// Room for a full book.
const MAX_BYTES: u64 = 64 << 20;

/// What was learnt, shared by who learns it, who changes the firewall and who compiles it.
#[derive(Debug, Clone)]
pub(crate) struct Learned(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    book: Book,
    nft: nft::Connection,
    is_unsaved: bool,
}

/// The book on disk. One that cannot be read is told: devices then leave to such names as to others until they ask again.
pub(crate) fn read(path: &Path) -> Book {
    let book = match files::read_bounded(path, MAX_BYTES) {
        Ok(Some(bytes)) => Book::parse(&bytes).map_err(|error| format!("{} {error}", path.display())),
        Ok(None) => Ok(Book::default()),
        Err(error) => Err(chain(&error)),
    };
    book.map_err(|words| tracing::error!("addresses of [[egress]] are not known: {words}"))
        .unwrap_or_default()
}

impl Learned {
    /// Reads the file.
    pub(crate) fn open(path: PathBuf) -> Self {
        let (book, nft) = (read(&path), nft::Connection::new());
        Self(Arc::new(Mutex::new(State { path, book, nft, is_unsaved: false })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain data behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What belongs to each line now.
    pub(crate) fn facts(&self) -> BTreeMap<String, BTreeSet<IpAddr>> {
        self.lock().book.now(now())
    }

    /// Makes a change of the firewall; a new table has everything that was learnt meanwhile from its first moment on.
    pub(crate) fn during<T>(&self, action: &Action, make: impl FnOnce(&Action) -> T) -> T {
        let Action::NftReplace(table) = action else { return make(action) };
        let state = self.lock();
        let known = state.book.now(now());
        if known.is_empty() {
            return make(action);
        }
        let mut table = table.clone();
        for (set, addresses) in known {
            for (name, more) in elements(&set, &addresses) {
                match (table.sets.get_mut(&name), more) {
                    (Some(Elements::Learned4(all)), Elements::Learned4(more)) => all.extend(more),
                    (Some(Elements::Learned6(all)), Elements::Learned6(more)) => all.extend(more),
                    _ => {}
                }
            }
        }
        make(&Action::NftReplace(table))
    }

    /// Puts addresses where they belong; whether all of them are there now.
    fn learn(&self, learned: &DnsLearned) -> bool {
        let is_right = learned.sets.iter().all(|set| is_learned(set));
        // Others leave by no exit in any case.
        let addresses: BTreeSet<IpAddr> =
            learned.addresses.iter().copied().filter(|address| is_outside(*address)).collect();
        if !is_right {
            return false;
        }
        let all: Vec<_> = learned.sets.iter().flat_map(|set| elements(set, &addresses)).collect();
        let mut state = self.lock();
        if let Err(error) = state.nft.learn(&all) {
            tracing::debug!("addresses of [[egress]] were not taken: {}", chain(&error));
            return false;
        }
        let until = now() + i64::from(LIFE) - MARGIN;
        state.is_unsaved = true;
        // All of them, whichever has no room.
        let noted = learned.sets.iter().map(|set| state.book.learn(set, addresses.iter().copied(), until));
        noted.filter(|noted| !noted).count() == 0
    }

    /// Learns what the kernel has kept because something is sent there.
    fn follow(&self) {
        let mut state = self.lock();
        match state.nft.learned() {
            Ok(all) => {
                for (name, addresses) in all {
                    let Some((set, _)) = name.rsplit_once('_') else { continue };
                    for (address, left) in addresses {
                        let until = now() + i64::try_from(left).unwrap_or_default() - MARGIN;
                        state.book.learn(set, std::iter::once(address), until);
                    }
                }
                state.is_unsaved = true;
            }
            Err(error) => tracing::warn!("cannot read the addresses of [[egress]]: {}", chain(&error)),
        }
    }

    /// Forgets what is over, and writes what is not on disk.
    pub(crate) fn save(&self) {
        let mut state = self.lock();
        state.is_unsaved |= state.book.forget(now());
        if !state.is_unsaved {
            return;
        }
        // Plain data always serialises; an empty file would be refused when it is read.
        let bytes = serde_json::to_vec(&state.book).unwrap_or_default();
        match files::write_atomic(&state.path, &bytes, 0o600) {
            Ok(()) => state.is_unsaved = false,
            Err(error) => tracing::error!("addresses of [[egress]] are not on disk: {}", chain(&error)),
        }
    }
}

/// Addresses by the sets of both families.
fn elements(set: &str, addresses: &BTreeSet<IpAddr>) -> [(String, Elements); 2] {
    let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
    for address in addresses {
        match address {
            IpAddr::V4(ip) => drop(v4.insert(*ip)),
            IpAddr::V6(ip) => drop(v6.insert(*ip)),
        }
    }
    let [set4, set6] = sets_of(set);
    [(set4, Elements::Learned4(v4)), (set6, Elements::Learned6(v6))]
}

/// Learns for ever, while there are lines with names.
pub(crate) async fn attend(handle: Handle, learned: Learned, socket: PathBuf) {
    let mut reports = handle.watch();
    loop {
        if !has_names(&reports.borrow_and_update()) {
            if reports.changed().await.is_err() {
                return;
            }
            continue;
        }
        if let Err(error) = converse(&learned, &socket).await {
            tracing::debug!(%error, "the name server does not tell addresses");
        }
        aside(&learned, Learned::save).await;
        sleep(PAUSE).await;
    }
}

fn has_names(report: &Report) -> bool {
    let desired = report.current.desired.as_ref();
    desired.is_some_and(|desired| desired.egress.iter().any(|line| !line.names.is_empty()))
}

/// One connection, until it ends.
async fn converse(learned: &Learned, socket: &Path) -> io::Result<()> {
    let (reader, mut writer) = UnixStream::connect(socket).await?.into_split();
    let mut ask = serde_json::to_vec(&DnsRequest::Egress)?;
    ask.push(b'\n');
    writer.write_all(&ask).await?;
    let mut reader = BufReader::new(reader);
    let mut ticks = interval(SAVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut line = Vec::new();
    let mut count = 0_u64;
    loop {
        let room = MAX_LINE.saturating_sub(u64::try_from(line.len()).unwrap_or(MAX_LINE));
        tokio::select! {
            biased;
            // What was read of a line stays in it when something else happens first.
            read = async { (&mut reader).take(room).read_until(b'\n', &mut line).await } => {
                if read? == 0 {
                    return Ok(());
                }
                if line.last() != Some(&b'\n') {
                    continue;
                }
                let told: DnsLearned = serde_json::from_slice(&line)?;
                line.clear();
                let id = told.id;
                let done = aside(learned, move |learned| learned.learn(&told)).await.unwrap_or(false);
                let mut noted = serde_json::to_vec(&DnsNoted { id, done })?;
                noted.push(b'\n');
                timeout(PATIENCE, writer.write_all(&noted)).await??;
            }
            _ = ticks.tick() => {
                count += 1;
                if count.is_multiple_of(LOOKS) {
                    aside(learned, Learned::follow).await;
                }
                aside(learned, Learned::save).await;
            }
        }
    }
}

/// Runs where the kernel and the disk may be waited for.
async fn aside<T: Send + 'static>(
    learned: &Learned,
    work: impl FnOnce(&Learned) -> T + Send + 'static,
) -> Option<T> {
    let learned = learned.clone();
    tokio::task::spawn_blocking(move || work(&learned)).await.ok()
}
