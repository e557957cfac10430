//! Changes on the host as they happen, whoever makes them, so that what someone removed is put back within a moment.
//!
//! Only says *that* something changed, merged while the reader is busy; what it is now is for `observe` to say. Never
//! blocks the kernel or the reader: what cannot be kept becomes [`Event::Lost`], the word to look at everything.
//! Tested in network namespaces (`tests/watch.rs`).
#![forbid(unsafe_code)]

mod folder;
mod message;
mod socket;

use std::collections::BTreeSet;

use tokio::sync::mpsc;

use folder::FolderWatcher;
pub use message::{nft as read_nft, route as read_route};
use socket::Watcher;
pub use socket::{Covered, Ear};

/// Different events that wait for a slow reader before they become one [`Event::Lost`].
const PENDING: usize = 256;

/// Something changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// An interface came, went or changed.
    Link {
        /// Interface.
        name: String,
    },
    /// An address of some interface.
    Address,
    /// A route.
    Route {
        /// It carries our protocol number.
        ours: bool,
    },
    /// A policy rule.
    Rule,
    /// The nftables rule set, by a committed transaction.
    Nft {
        /// Another process made it.
        foreign: bool,
        /// Name of the process (of the thread, strictly) that made it.
        process: String,
    },
    /// The host's resolv.conf, or systemd-resolved's.
    Resolver,
    /// More happened than could be told; look at everything.
    Lost,
}

/// Why the host cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A socket could not be opened or joined to its groups.
    #[error("cannot listen to the kernel's {what} messages")]
    Listen {
        /// Which.
        what: &'static str,
        /// Reason.
        #[source]
        source: std::io::Error,
    },
}

/// Starts to watch the calling thread's network namespace, on the current runtime. Ends when the receiver is dropped.
/// If the kernel's sockets ever fail for good, the channel closes: the reader then falls back to looking regularly.
pub fn start() -> Result<(mpsc::Receiver<Event>, Ear), Error> {
    let route = Watcher::route()?;
    let nft = Watcher::nft()?;
    let ear = nft.ear();
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(route, nft, FolderWatcher::start(), sender));
    Ok((receiver, ear))
}

async fn run(mut route: Watcher, mut nft: Watcher, mut folder: FolderWatcher, sender: mpsc::Sender<Event>) {
    let mut pending = BTreeSet::new();
    loop {
        // All branches are cancel-safe: reading is one system call after readiness, a reserved place is given back.
        let got = tokio::select! {
            got = route.read(message::route) => got,
            got = nft.read(message::nft) => got,
            got = folder.read() => got,
            place = sender.reserve(), if !pending.is_empty() => match place {
                Ok(place) => {
                    if let Some(event) = pending.pop_first() {
                        place.send(event);
                    }
                    continue;
                }
                Err(_) => return,
            },
            () = sender.closed() => return,
        };
        match got {
            Ok(events) => merge(&mut pending, events),
            Err(error) => {
                tracing::error!(%error, "the kernel's messages can no longer be read");
                return;
            }
        }
    }
}

fn merge(pending: &mut BTreeSet<Event>, events: Vec<Event>) {
    pending.extend(events);
    if pending.len() > PENDING || pending.contains(&Event::Lost) {
        *pending = BTreeSet::from([Event::Lost]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_events_are_one_and_too_many_are_lost() {
        let mut pending = BTreeSet::new();
        merge(&mut pending, vec![Event::Rule, Event::Rule, Event::Route { ours: true }]);
        assert_eq!(pending.len(), 2);
        merge(&mut pending, (0..300).map(|n| Event::Link { name: format!("veth{n}") }).collect());
        assert_eq!(pending, [Event::Lost].into());
        merge(&mut pending, vec![Event::Rule]);
        assert_eq!(pending, [Event::Lost].into());
    }
}
