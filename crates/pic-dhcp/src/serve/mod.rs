//! Life of the service: sockets, time and disk around the pure server.
//!
//! One thread. What has arrived is handled in one go, written with one flush, and only then answered: the more arrive,
//! the more share a flush. It may be killed at any moment; what is on disk is what clients were told.

mod clock;
mod look;
mod names_file;
mod port;
mod port6;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::socket::{MsgFlags, recv};
use pic_model::snapshot::dhcp::{DhcpLanState, DhcpRequest, DhcpSnapshot};

use crate::control;
use crate::probe::Probes;
use crate::server::{Action, Record, Server};
use crate::snapshot::Followed;
use crate::store::{Store, StoreError};
use crate::wire::{self, Message, Reply, frame};
use clock::Clock;
use look::Look;
use names_file::NamesFile;
use port::Port;

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
        service.work();
        service.wait()?;
    }
}

/// A reply that waits for the disk, and the network it leaves by.
type Pending = (usize, Record, Option<Reply>);

struct Service {
    server: Server,
    store: Store,
    clock: Clock,
    snapshot: Followed,
    inotify: Option<Inotify>,
    control: UnixListener,
    /// By the number of the network.
    ports: Vec<Option<Port>>,
    probes: Probes,
    pending: Vec<Pending>,
    names: NamesFile,
    next_tick: u64,
    disk_is_bad: bool,
}

impl Service {
    fn new(paths: Paths) -> Result<Self, ServeError> {
        let (store, leases) = Store::open(&paths.leases)?;
        let mut server = Server::default();
        tracing::info!(records = leases.len(), "leases read");
        let clock = Clock::start();
        let now = clock.seconds();
        server.load(leases.into_iter().filter_map(|(address, lease)| match address {
            IpAddr::V4(address) => Some((address.to_bits(), lease.read_at(now))),
            IpAddr::V6(_) => None,
        }));
        let snapshot = Followed::new(paths.snapshot);
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        let control = control::listen(&paths.run)
            .map_err(|source| ServeError::Control { path: paths.run.clone(), source })?;
        Ok(Self {
            server,
            store,
            clock,
            snapshot,
            inotify,
            control,
            ports: Vec::new(),
            probes: Probes::default(),
            pending: Vec::new(),
            names: NamesFile::new(paths.run.join("names.json")),
            next_tick: 0,
            disk_is_bad: false,
        })
    }

    fn wait(&self) -> Result<(), ServeError> {
        let now = self.clock.milliseconds();
        let v6 = self.ports.iter().flatten().filter_map(|port| Some(port.v6.as_ref()?.due()));
        let due = v6.chain([self.next_tick]).chain(self.names.due()).min().unwrap_or(now);
        let looking = self.ports.iter().flatten().any(|port| port.look.socket().is_some());
        let timeout = due.saturating_sub(now).min(if looking { 100 } else { TICK });
        let timeout = self.probes.next(now).map_or(timeout, |next| timeout.min(next));
        let timeout = u16::try_from(timeout).unwrap_or(u16::MAX);
        let sockets = self.ports.iter().flatten().flat_map(Port::sockets);
        let others = self.inotify.iter().map(AsFd::as_fd).chain([self.control.as_fd()]);
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
        self.names.touch();
    }

    fn configure(&mut self, snapshot: &DhcpSnapshot) {
        self.probes.clear();
        let old = std::mem::take(&mut self.ports);
        for (port, lan) in old.iter().zip(self.server.lans()) {
            let stays =
                snapshot.lans.iter().any(|new| (&new.interface, &new.ipv6) == (&lan.interface, &lan.ipv6));
            let v6 = port.as_ref().and_then(|port| port.v6.as_ref()).zip(lan.ipv6.as_ref());
            if let Some((v6, lan)) = v6.filter(|_| !stays) {
                v6.farewell(lan);
            }
        }
        self.server.configure(snapshot);
        let mut old: Vec<_> = old.into_iter().flatten().collect();
        self.ports = snapshot
            .lans
            .iter()
            .map(|lan| {
                let at = old
                    .iter()
                    .position(|port| port.name == lan.interface && port.v6.is_some() == lan.ipv6.is_some());
                at.map(|at| old.swap_remove(at))
            })
            .collect();
        // Hosts hear at once what has changed.
        self.ports.iter_mut().flatten().filter_map(|port| port.v6.as_mut()).for_each(port6::Port6::soon);
        tracing::info!(lans = snapshot.lans.len(), "serving a new snapshot");
    }

    /// Opens what is not open and closes what is of an interface that has gone.
    fn open_ports(&mut self) {
        let now = self.clock.seconds();
        for (slot, net) in self.ports.iter_mut().zip(self.server.nets()) {
            if slot.as_ref().is_some_and(|port| !port.is_stale()) {
                continue;
            }
            let beside = net.lan.dhcp.as_ref().is_none_or(|dhcp| dhcp.beside_another);
            // Where clients hold leases of ours, another server came after us.
            let known = net.table.iter().any(|(_, lease)| lease.is_bound(now));
            let look = if beside || known { Look::Serving } else { Look::Wanted };
            match Port::open(&net.lan.interface, look, net.lan.ipv6.is_some()) {
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
    }

    fn work(&mut self) {
        let now = self.clock.milliseconds();
        for lan in 0..self.ports.len() {
            self.look(lan, now);
            self.hear_claims(lan);
            self.receive(lan);
            let ipv6 = self.server.nets().get(lan).and_then(|net| net.lan.ipv6.as_ref());
            let port = self.ports.get_mut(lan).and_then(Option::as_mut);
            if let Some((v6, ipv6)) = port.and_then(|port| port.v6.as_mut()).zip(ipv6) {
                v6.work(ipv6, now);
            }
        }
        self.finish_probes(now);
        self.control();
        self.commit();
        self.names.write_if_due(&self.server, self.clock.seconds(), now);
    }

    fn look(&mut self, lan: usize, now: u64) {
        let Some((Some(port), net)) =
            self.ports.get_mut(lan).map(Option::as_mut).zip(self.server.nets().get(lan))
        else {
            return;
        };
        if port.look.step(&port.interface, net.lan.address.addr(), now) {
            match port.look.why_not() {
                None => tracing::info!(lan = net.lan.name, "no other DHCP server answers: serving"),
                Some(why) => tracing::warn!(lan = net.lan.name, "not serving: {why}"),
            }
        }
    }

    /// Somebody on the link says to have an address that is being probed.
    fn hear_claims(&mut self, lan: usize) {
        let mut buffer = [0; 128];
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get(lan) else { return };
            let fd = std::os::fd::AsRawFd::as_raw_fd(&port.arp);
            let Ok(length) = recv(fd, &mut buffer, MsgFlags::MSG_DONTWAIT) else { return };
            let claim = buffer.get(..length).and_then(frame::arp_sender);
            let Some((mac, address)) = claim.filter(|(mac, _)| *mac != port.interface.mac) else { continue };
            if let Some(waiting) = self.probes.claimed(address, mac) {
                tracing::warn!(%address, "another host uses an address that was to be given out; it is left out for a while");
                let action = self.server.conflict(address, self.clock.seconds());
                self.act(waiting.lan, action, None);
                self.handle(waiting.lan, &waiting.packet);
            }
        }
    }

    fn finish_probes(&mut self, now: u64) {
        for (address, lan) in self.probes.again(now) {
            if let Some(Some(port)) = self.ports.get(lan) {
                port.ask(address);
            }
        }
        for (address, waiting) in self.probes.proved(now) {
            self.server.proved(address);
            self.handle(waiting.lan, &waiting.packet);
        }
    }

    fn receive(&mut self, lan: usize) {
        let mut buffer = [0; PACKET];
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get(lan) else { return };
            let Ok((length, _)) = port.udp.recv_from(&mut buffer) else { return };
            if port.look.is_serving() {
                let packet = buffer;
                self.handle(lan, packet.get(..length).unwrap_or_default());
            }
        }
    }

    fn handle(&mut self, lan: usize, packet: &[u8]) {
        let Some(message) = wire::read(packet) else { return };
        let action = self.server.handle(lan, &message, self.clock.seconds());
        self.act(lan, action, Some((&message, packet)));
    }

    fn act(&mut self, lan: usize, action: Action, about: Option<(&Message<'_>, &[u8])>) {
        match action {
            Action::None => {}
            Action::Send(reply) => self.send(lan, &reply),
            Action::Commit(record, reply) => {
                self.store.add(Ipv4Addr::from_bits(record.address), &record.lease);
                self.pending.push((lan, record, reply));
            }
            Action::Probe(address) => {
                let Some((message, packet)) = about else { return };
                let (mac, now) = (message.mac().unwrap_or_default(), self.clock.milliseconds());
                if self.probes.begin(address, lan, mac, packet, now)
                    && let Some(Some(port)) = self.ports.get(lan)
                {
                    port.ask(address);
                }
            }
        }
    }

    fn send(&self, lan: usize, reply: &Reply) {
        let own = self.server.nets().get(lan).map_or(Ipv4Addr::UNSPECIFIED, |net| net.lan.address.addr());
        if let Some(Some(port)) = self.ports.get(lan) {
            port.send(own, reply);
        }
    }

    /// One flush for all that has come together, then their answers.
    fn commit(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let flushed = self.store.flush();
        let is_bad = flushed.is_err();
        if let Err(error) = flushed {
            if !self.disk_is_bad {
                tracing::error!(
                    error = chain(&error),
                    "leases cannot be written: only known clients are served"
                );
            }
        } else if self.disk_is_bad {
            tracing::info!("leases can be written again");
        }
        let was_bad = std::mem::replace(&mut self.disk_is_bad, is_bad);
        let now = self.clock.seconds();
        for (lan, record, reply) in std::mem::take(&mut self.pending) {
            if is_bad && !record.is_renewal {
                self.server.unwritten(record.address, now);
                continue;
            }
            if record.lease.name.is_some() {
                self.names.touch();
            }
            if let Some(reply) = reply {
                self.send(lan, &reply);
            }
        }
        // What known clients were told while the disk took nothing is made up for.
        let caught_up = was_bad && !is_bad;
        if (caught_up || self.store.is_stale(self.server.len()))
            && let Err(error) = self
                .store
                .rewrite(self.server.leases().map(|(a, lease)| (Ipv4Addr::from_bits(a).into(), lease)))
        {
            tracing::warn!(error = chain(&error), "the log of leases cannot be written anew yet");
        }
    }

    /// What the agent asks.
    fn control(&mut self) {
        while let Ok((stream, _)) = self.control.accept() {
            let Some(request) = control::request(&stream) else { continue };
            let now = self.clock.seconds();
            let done = match request {
                DhcpRequest::Leases => true,
                DhcpRequest::Release { address: IpAddr::V6(_) } => false,
                DhcpRequest::Release { address: IpAddr::V4(address) } => {
                    self.server.end(address, now).is_some_and(|record| {
                        self.store.add(Ipv4Addr::from_bits(record.address), &record.lease);
                        self.pending.push((0, record, None));
                        self.names.touch();
                        true
                    })
                }
            };
            self.commit();
            control::reply(stream, control::state(&self.server, self.lan_states(), done, now));
        }
    }

    fn lan_states(&self) -> Vec<DhcpLanState> {
        let one = |(net, port): (&crate::server::Net, &Option<Port>)| {
            let why_not = match (port, &net.lan.dhcp) {
                (_, None) => Some("no addresses are handed out there".to_owned()),
                (None, _) => Some(format!("cannot listen on {}", net.lan.interface)),
                (Some(port), _) => port.look.why_not(),
            };
            DhcpLanState { name: net.lan.name.clone(), serving: why_not.is_none(), why_not, size: net.size() }
        };
        self.server.nets().iter().zip(&self.ports).map(one).collect()
    }
}

/// The error and everything beneath it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
