//! Life of the service: sockets, time and disk around the pure server.
//!
//! One thread serves, another writes leases. What has arrived is handled in one go, written with one flush, and only then
//! answered: the more arrive, the more share a flush. Offers, which need no disk, do not wait for it. The service may be
//! killed at any moment; what is on disk is what clients were told.

mod clock;
mod commit;
mod control;
mod look;
mod packets;
mod ping;
mod port;
mod port6;
mod six;
mod told;
mod uplink;
mod uplink_port;
mod writer;

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use pic_model::snapshot::dhcp::DhcpSnapshot;
use pic_service::{chain, life};

use crate::probe::Probes;
use crate::server::{Net, Server};
use crate::server6::Server6;
use crate::snapshot::Followed;
use crate::store::{Store, StoreError};
use clock::Clock;
use commit::Ledger;
use look::Look;
use ping::Pinger;
use port::Port;
use told::Told;
use uplink::Uplink;
use writer::Writer;

/// Milliseconds between two looks at what tells nothing by itself: the snapshot's folder replaced, interfaces.
const TICK: u64 = 2000;
/// Packets of one network handled in one go.
const BATCH: usize = 256;
const PACKET: usize = 1500;

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The leases.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder at run time.
    #[error("cannot listen in {path}", path = path.display())]
    Control {
        /// The folder.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// The thread that writes leases cannot be begun.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// It has ended.
    #[error(transparent)]
    Writer(#[from] writer::Gone),
    /// The system.
    #[error("cannot wait for packets")]
    Wait(#[source] nix::Error),
}

/// Where the service finds and leaves things.
#[derive(Debug, Clone)]
pub struct Paths {
    /// What to serve.
    pub snapshot: PathBuf,
    /// Folder of the leases.
    pub leases: PathBuf,
    /// Folder of the socket and of the names.
    pub run: PathBuf,
}

/// Serves until killed.
pub fn run(paths: Paths) -> Result<(), ServeError> {
    let mut service = Service::new(paths)?;
    loop {
        service.tick();
        service.work()?;
        service.wait()?;
    }
}

struct Service {
    server: Server,
    server6: Server6,
    uplink: Uplink,
    writer: Writer,
    ledger: Ledger,
    clock: Clock,
    snapshot: Followed,
    inotify: Option<Inotify>,
    control: UnixListener,
    /// By the number of the network; a network behind a relay has none of its own.
    ports: Vec<Option<Port>>,
    /// Where there are networks behind relays.
    pinger: Option<Pinger>,
    probes: Probes,
    names: Told,
    routers: Told,
    next_tick: u64,
}

impl Service {
    fn new(paths: Paths) -> Result<Self, ServeError> {
        let (store, found) = Store::open(&paths.leases)?;
        let mut server = Server::default();
        tracing::info!(records = found.leases.len(), "leases read");
        let newest = found.leases.iter().map(|(_, lease)| lease.last_seen).max().unwrap_or_default();
        let clock = Clock::start(&paths.leases, &paths.run, newest);
        let now = clock.seconds();
        let mut server6 = Server6::default();
        for (address, lease) in found.leases {
            let lease = lease.read_at(now);
            match address {
                IpAddr::V4(address) => server.load([(address.to_bits(), lease)]),
                IpAddr::V6(address) => server6.load([(address, lease)]),
            }
        }
        let kept = paths.leases.join("delegation.json");
        let uplink = Uplink::new(kept, paths.run.join("uplink.json"), now);
        let snapshot = Followed::new(paths.snapshot);
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        let control = crate::control::listen(&paths.run)
            .map_err(|source| ServeError::Control { path: paths.run.clone(), source })?;
        Ok(Self {
            server,
            server6,
            uplink,
            writer: Writer::start(store).map_err(ServeError::Thread)?,
            ledger: Ledger::new(found.damaged > 0),
            clock,
            snapshot,
            inotify,
            control,
            ports: Vec::new(),
            pinger: None,
            probes: Probes::default(),
            names: Told::new(paths.run.join("names.json")),
            routers: Told::new(paths.run.join("routers.json")),
            next_tick: 0,
        })
    }

    fn wait(&self) -> Result<(), ServeError> {
        let now = self.clock.milliseconds();
        let v6 = self.ports.iter().flatten().filter_map(|port| Some(port.v6.as_ref()?.due()));
        let due = v6
            .chain([self.next_tick])
            .chain(self.names.due())
            .chain(self.routers.due())
            .chain(self.uplink.due());
        let due = due.min().unwrap_or(now);
        let looking = self.ports.iter().flatten().any(|port| port.look.socket().is_some());
        let timeout = due.saturating_sub(now).min(if looking { 100 } else { TICK });
        let timeout = self.probes.next(now).map_or(timeout, |next| timeout.min(next));
        let timeout = u16::try_from(timeout).unwrap_or(u16::MAX);
        let sockets = self.ports.iter().flatten().flat_map(Port::sockets);
        let others = self.inotify.iter().map(AsFd::as_fd).chain([self.control.as_fd(), self.writer.as_fd()]);
        let others = others.chain(self.pinger.iter().map(AsFd::as_fd)).chain(self.uplink.socket());
        let mut fds: Vec<_> = sockets.chain(others).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::from(timeout)) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(ServeError::Wait(error)),
        }
    }

    /// What is done now and then, and when the snapshot's folder changed.
    fn tick(&mut self) {
        let now = self.clock.milliseconds();
        let told = self.inotify.as_ref().is_some_and(|inotify| inotify.read_events().is_ok());
        if !told && now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        // Whatever holds this thread up holds up packets.
        life::alive();
        if let Some(inotify) = &self.inotify {
            // Watching anew costs nothing and follows a folder that was replaced.
            let events = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE;
            let _ = inotify.add_watch(self.snapshot.folder(), events);
        }
        match self.snapshot.look() {
            Some(Ok(snapshot)) => self.configure(&snapshot),
            Some(Err(error)) => tracing::error!(error = chain(&error), "new snapshot ignored"),
            None => {}
        }
        self.open_ports();
        self.uplink.tick(self.clock.seconds(), now);
        self.clock.keep();
        self.names.touch();
        self.routers.touch();
    }

    fn configure(&mut self, snapshot: &DhcpSnapshot) {
        self.probes.clear();
        let gone = self.farewells(snapshot);
        let old = std::mem::take(&mut self.ports);
        self.server.configure(snapshot);
        self.server6.configure(snapshot);
        let duid = snapshot.duid.as_ref().map_or(&[][..], |duid| &duid.0);
        self.uplink.configure(snapshot.uplink.as_ref(), duid, self.clock.seconds());
        self.pinger = self.pinger.take().filter(|_| snapshot.lans.iter().any(|lan| lan.behind.is_some()));
        let mut old: Vec<_> = old.into_iter().flatten().collect();
        self.ports = snapshot
            .lans
            .iter()
            .map(|lan| {
                let is_its = |port: &Port| {
                    lan.behind.is_none()
                        && port.name == lan.interface
                        && port.v6.is_some() == lan.ipv6.is_some()
                };
                let at = old.iter().position(is_its);
                at.map(|at| old.swap_remove(at))
            })
            .collect();
        self.advertise_soon(gone);
        tracing::info!(lans = snapshot.lans.len(), "serving a new snapshot");
    }

    /// Opens what is not open and closes what is of an interface that has gone.
    fn open_ports(&mut self) {
        let now = self.clock.seconds();
        let on_links = |(_, net): &(_, &Net)| net.lan.behind.is_none();
        for (slot, net) in self.ports.iter_mut().zip(self.server.nets()).filter(on_links) {
            if slot.as_ref().is_some_and(|port| !port.is_stale()) {
                continue;
            }
            match Port::open(&net.lan.interface, first_look(net, now), net.lan.ipv6.is_some()) {
                Ok(port) => {
                    tracing::info!(lan = net.lan.name, interface = net.lan.interface, "listening");
                    *slot = Some(port);
                }
                Err(error) => {
                    if slot.take().is_some() {
                        tracing::warn!(lan = net.lan.name, %error, "the interface has gone");
                    } else {
                        tracing::debug!(lan = net.lan.name, %error, "cannot listen yet");
                    }
                }
            }
        }
        if self.pinger.is_none() && self.server.lans().any(|lan| lan.behind.is_some()) {
            match Pinger::open() {
                Ok(pinger) => self.pinger = Some(pinger),
                Err(error) => tracing::warn!(%error, "addresses behind relays are given out unprobed"),
            }
        }
    }

    fn work(&mut self) -> Result<(), ServeError> {
        let now = self.clock.milliseconds();
        for lan in 0..self.ports.len() {
            self.look(lan, now);
            self.hear_claims(lan);
            self.receive(lan);
            self.work6(lan, now);
        }
        self.work_uplink(now);
        self.hear_pings();
        self.finish_probes(now);
        self.control();
        self.commit()?;
        let (server, server6, book) = (&self.server, &self.server6, &self.uplink.book);
        let seconds = self.clock.seconds();
        self.names.write_if_due(now, || crate::names::of(server, server6, book, seconds));
        self.routers.write_if_due(now, || crate::names::routed(server, server6, book, seconds));
        Ok(())
    }
}

/// How a network is begun. Where clients hold leases of ours, another server came after us: they are served.
fn first_look(net: &Net, now: u64) -> Look {
    let Some(dhcp) = &net.lan.dhcp else { return Look::beside_others() };
    if dhcp.beside_another {
        return Look::beside_others();
    }
    let is_known = net.table.iter().any(|(_, lease)| lease.is_bound(now));
    if is_known { Look::serving() } else { Look::Wanted }
}
