//! The uplink's side: where a prefix is asked for, what was given, and who is told.
//!
//! Messages leave and come by a raw socket of the uplink's link-local address: port 546 stays the host's own, whose DHCPv6
//! client may begin at any time. While that one is at work, two clients of one host could take each other's place at the
//! provider, so ours rests unless told not to.

use std::io;
use std::path::PathBuf;

use pic_model::snapshot::dhcp::{UplinkPrefixState, UplinkPrefixes, UplinkSnapshot, UplinkState, VERSION};
use pic_service::chain;
use pic_service::file::{Lasts, replace};
use pic_service::snapshot::{Kind, SnapshotError};
use serde::{Deserialize, Serialize};

use super::uplink_port::{UplinkPort, is_port_taken};
use crate::delegation::{Book, Client, Heard, Held, Phase};

/// Milliseconds between two looks whether another client of the host is at work.
const LOOK: u64 = 30_000;

const KIND: Kind<Kept> = Kind {
    program: "pic-dhcp",
    version: VERSION,
    version_of: |kept| kept.version,
    // A longer one is none of ours.
    max: 64 << 10,
};

/// What is on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    interface: String,
    /// Unix seconds at which this was written.
    written: u64,
    prefixes: Vec<Held>,
}

/// The uplink.
#[derive(Debug)]
pub(super) struct Uplink {
    pub(super) book: Book,
    wanted: Option<UplinkSnapshot>,
    duid: Vec<u8>,
    /// Interface that the book is about.
    interface: String,
    port: Option<UplinkPort>,
    client: Option<Client>,
    is_taken: bool,
    next_look: u64,
    /// As the agent was told.
    told: Option<Vec<u8>>,
    kept: PathBuf,
    tell: PathBuf,
}

impl Uplink {
    /// With what was kept; `kept` and `tell` are the files of this service and for the agent.
    pub(super) fn new(kept: PathBuf, tell: PathBuf, now: u64) -> Self {
        let before = read(&kept).unwrap_or_default();
        Self {
            book: Book::read_at(before.prefixes, before.written, now),
            wanted: None,
            duid: Vec::new(),
            interface: before.interface,
            port: None,
            client: None,
            is_taken: false,
            next_look: 0,
            told: None,
            kept,
            tell,
        }
    }

    /// What a new snapshot asks for.
    pub(super) fn configure(&mut self, wanted: Option<&UplinkSnapshot>, duid: &[u8], now: u64) {
        if (self.wanted.as_ref(), &self.duid[..]) == (wanted, duid) {
            return;
        }
        let moved = wanted.is_some_and(|wanted| wanted.interface != self.interface);
        if let Some(wanted) = wanted.filter(|_| moved) {
            // What another interface gave leads nowhere now.
            self.book.take(&[], now);
            self.interface.clone_from(&wanted.interface);
            self.keep(now);
        }
        (self.wanted, self.duid) = (wanted.cloned(), duid.to_vec());
        (self.port, self.client, self.next_look) = (None, None, 0);
    }

    pub(super) fn socket(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.port.as_ref().map(UplinkPort::socket)
    }

    /// Milliseconds at which something is due.
    pub(super) fn due(&self) -> Option<u64> {
        self.client.as_ref().map(Client::due)
    }

    /// Now and then: opens what is not open, and looks for others. `seconds` is the service's time.
    pub(super) fn tick(&mut self, seconds: u64, now: u64) {
        self.book.expire(seconds);
        let Some(wanted) = &self.wanted else { return };
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.is_taken = !wanted.beside_another && is_port_taken(&wanted.interface);
        }
        if self.is_taken {
            (self.port, self.client) = (None, None);
            return;
        }
        if self.port.as_mut().is_some_and(|port| !port.is_stale()) {
            return;
        }
        (self.port, self.client) = (None, None);
        match UplinkPort::open(&wanted.interface) {
            Ok(port) => {
                let current = self.book.shape(seconds).into_iter().filter(|(_, current)| *current);
                let before = current.map(|(net, _)| net).collect();
                self.client = Some(Client::new(&self.duid, before, port.seed(), now));
                self.port = Some(port);
            }
            Err(error) => tracing::debug!(%error, "cannot ask the uplink for a prefix yet"),
        }
    }

    /// Sends what is due and takes what has come. Whether prefixes have changed.
    pub(super) fn work(&mut self, seconds: u64, now: u64) -> bool {
        let (Some(port), Some(client)) = (&self.port, &mut self.client) else { return false };
        let mut given = None;
        let mut buffer = [0; 1500];
        while let Some(place) = port.receive(&mut buffer) {
            let packet = buffer.get(place).unwrap_or_default();
            if let Heard::Given(prefixes) = client.hear(packet, now) {
                given = Some(prefixes);
            }
        }
        if let Some(message) = client.step(now) {
            port.send(&message);
        }
        let Some(given) = given else { return false };
        let changed = self.book.take(&given, seconds);
        if changed {
            let nets: Vec<_> = given.iter().map(|(net, _)| net.to_string()).collect();
            tracing::info!(interface = self.interface, prefixes = nets.join(" "), "the uplink delegates");
        }
        self.keep(seconds);
        changed
    }

    /// On disk before anyone is told.
    fn keep(&self, seconds: u64) {
        let kept = Kept {
            version: VERSION,
            interface: self.interface.clone(),
            written: seconds,
            prefixes: self.book.held().to_vec(),
        };
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        if let Err(error) = replace(&self.kept, &text, Lasts::Always) {
            tracing::warn!(path = %self.kept.display(), %error, "the uplink's prefixes cannot be kept");
        }
    }

    /// Tells the agent, if it was told otherwise.
    pub(super) fn tell(&mut self, seconds: u64) {
        let prefixes = self.book.shape(seconds).into_iter();
        let prefixes = prefixes.map(|(prefix, current)| UplinkPrefixState { prefix, current }).collect();
        let text = serde_json::to_vec(&UplinkPrefixes { version: VERSION, prefixes }).unwrap_or_default();
        if self.told.as_ref() == Some(&text) {
            return;
        }
        match replace(&self.tell, &text, Lasts::UntilReboot) {
            Ok(()) => self.told = Some(text),
            Err(error) => {
                tracing::warn!(path = %self.tell.display(), %error, "cannot tell the agent of prefixes")
            }
        }
    }

    /// How it is, for people.
    pub(super) fn state(&self, seconds: u64) -> UplinkState {
        let current = self.book.shape(seconds).iter().any(|(_, current)| *current);
        let words = match (&self.wanted, self.client.as_ref().map(Client::phase)) {
            (None, _) => "no prefix is asked for".to_owned(),
            (Some(_), _) if self.is_taken => {
                "another DHCPv6 client of this host is at work there, and none is asked for beside it; \
                write uplink.prefix = \"ask\" to ask all the same, or the prefix itself"
                    .to_owned()
            }
            (Some(_), None) => "the interface is down, or has no link-local address".to_owned(),
            (Some(_), Some(Phase::Bound)) => "a prefix was delegated".to_owned(),
            (Some(_), Some(Phase::Renew | Phase::Rebind | Phase::Confirm)) if current => {
                "a prefix was delegated; asked whether it may be kept".to_owned()
            }
            (Some(_), Some(_)) if current => "no answer; the prefix from before still counts".to_owned(),
            (Some(_), Some(_)) => "asked for a prefix; nobody has given one".to_owned(),
        };
        let interface = self.wanted.as_ref().map(|wanted| wanted.interface.clone()).unwrap_or_default();
        let is_bad = !current && !self.book.held().is_empty();
        UplinkState { interface, words, is_bad, prefixes: self.book.held().to_vec() }
    }
}

fn read(path: &std::path::Path) -> Option<Kept> {
    match KIND.load(path) {
        Ok(kept) => Some(kept),
        Err(SnapshotError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!("the uplink's prefixes from before are left out: {}", chain(&error));
            None
        }
    }
}
