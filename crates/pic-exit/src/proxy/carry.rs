//! Connections of devices: taken in, made anew through the proxy, and carried until both sides are done.
//!
//! A connection costs two buffers, and there are only so many; what one side does not take, the other is not asked for.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::dial::{Dialer, Through, keep_alive};

/// Connections that are carried at the same time: with two buffers each they stay far below the unit's memory.
const MOST: usize = 2048;
/// The same for one device.
const MOST_EACH: usize = 512;
/// Bytes on the way, in each direction of a connection.
const BUFFER: usize = 16 << 10;
/// A connection on which nothing moves is ended: one of which both ways are open, and one of which one way is.
const IDLE: Duration = Duration::from_secs(2 * 3600);
const IDLE_HALF: Duration = Duration::from_secs(600);
/// After a failure to take one in.
const PAUSE: Duration = Duration::from_millis(200);
/// Connections that wait to be taken in.
const BACKLOG: u32 = 1024;

/// Where a connection leads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leads {
    /// Where its device sent it, before it was led here.
    AsSent,
    /// There.
    To(SocketAddr),
}

/// Who is served, and how many.
#[derive(Debug)]
pub(super) struct Carrier {
    dialer: Arc<Dialer>,
    places: Arc<Semaphore>,
    each: Mutex<BTreeMap<IpAddr, usize>>,
}

impl Carrier {
    pub(super) fn new(dialer: Arc<Dialer>) -> Arc<Self> {
        Arc::new(Self { dialer, places: Arc::new(Semaphore::new(MOST)), each: Mutex::default() })
    }

    /// Takes connections in at an address for ever. All of them end with this.
    pub(super) async fn serve(self: Arc<Self>, at: SocketAddr, leads: Leads) {
        let listener = listen(at).await;
        let mut carried = JoinSet::new();
        loop {
            // Whoever finds no place waits outside.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            while carried.try_join_next().is_some() {}
            let (stream, from) = match listener.accept().await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be taken in");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            cut_off(&stream, true);
            let Some(seat) = self.seat(from.ip()) else { continue };
            let carrier = Arc::clone(&self);
            carried.spawn(async move {
                carrier.carry(stream, leads).await;
                drop((seat, place));
            });
        }
    }

    /// A seat for one more connection of a device.
    fn seat(self: &Arc<Self>, whose: IpAddr) -> Option<Seat> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = each.entry(whose).or_default();
        if *taken >= MOST_EACH {
            return None;
        }
        *taken += 1;
        Some(Seat { carrier: Arc::clone(self), whose })
    }

    async fn carry(&self, mut stream: TcpStream, leads: Leads) {
        let target = match leads {
            Leads::AsSent => sent_to(&stream),
            Leads::To(target) => Some(target),
        };
        let Some(target) = target else { return };
        let mut through = match self.dialer.dial(target).await {
            Ok(through) => through,
            Err(error) => return tracing::debug!(%error, "no connection through the proxy"),
        };
        cut_off(&through.stream, true);
        let carried = match keep_alive(&stream) {
            Ok(()) => both_ways(&mut stream, &mut through).await,
            Err(error) => Err(error),
        };
        if carried.is_ok() {
            cut_off(&stream, false);
            cut_off(&through.stream, false);
        }
    }
}

/// One connection of a device counts while this lives.
struct Seat {
    carrier: Arc<Carrier>,
    whose: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut each = self.carrier.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = each.get_mut(&self.whose) {
            *taken -= 1;
            if *taken == 0 {
                each.remove(&self.whose);
            }
        }
    }
}

/// Listens as soon as the address is there.
async fn listen(at: SocketAddr) -> TcpListener {
    let mut is_told = false;
    loop {
        let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let listening = socket.and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(at)?;
            socket.listen(BACKLOG)
        });
        match listening {
            Ok(listener) => return listener,
            Err(error) if !is_told => {
                tracing::warn!(%at, %error, "cannot listen yet");
                is_told = true;
            }
            Err(_) => {}
        }
        sleep(PAUSE).await;
    }
}

/// Where a connection was sent before the firewall led it here (`SO_ORIGINAL_DST`); `None` of one that was not led here, or
/// that leads to no host.
fn sent_to(stream: &TcpStream) -> Option<SocketAddr> {
    let own = stream.local_addr().ok()?;
    let target = match own {
        SocketAddr::V4(_) => {
            let at: libc::sockaddr_in = getsockopt(stream, sockopt::OriginalDst).ok()?;
            let ip = Ipv4Addr::from(u32::from_be(at.sin_addr.s_addr));
            SocketAddr::new(ip.into(), u16::from_be(at.sin_port))
        }
        SocketAddr::V6(_) => {
            let at: libc::sockaddr_in6 = getsockopt(stream, sockopt::Ip6tOriginalDst).ok()?;
            let ip = Ipv6Addr::from(at.sin6_addr.s6_addr);
            SocketAddr::new(ip.into(), u16::from_be(at.sin6_port))
        }
    };
    let ip = target.ip();
    let is_host = !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && target.port() != 0;
    (is_host && target != own).then_some(target)
}

/// Says how a connection is closed, however we end: with a reset, so that the other side knows that it was cut off and does
/// not take what it has for the whole; or as one that has come to its end.
fn cut_off(stream: &TcpStream, is_cut: bool) {
    let linger = libc::linger { l_onoff: i32::from(is_cut), l_linger: 0 };
    let _ = setsockopt(stream, sockopt::Linger, &linger);
}

/// When something moved last, in milliseconds of its own clock; and whether both ways are open.
struct Moved {
    begin: Instant,
    last: AtomicU64,
    half: AtomicU64,
}

impl Moved {
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until nothing has moved for too long.
    async fn idle(&self) {
        loop {
            let patience = if self.half.load(Ordering::Relaxed) > 0 { IDLE_HALF } else { IDLE };
            let still = Duration::from_millis(self.now().saturating_sub(self.last.load(Ordering::Relaxed)));
            if still >= patience {
                return;
            }
            sleep((patience - still).min(IDLE_HALF / 4)).await;
        }
    }
}

/// Carries both ways until both have ended; each ends by itself, as what was sent in the other may still be on its way.
async fn both_ways(device: &mut TcpStream, through: &mut Through) -> io::Result<()> {
    device.write_all(&std::mem::take(&mut through.came)).await?;
    let moved = Moved { begin: Instant::now(), last: AtomicU64::new(0), half: AtomicU64::new(0) };
    let (from_device, to_device) = device.split();
    let (from_proxy, to_proxy) = through.stream.split();
    tokio::select! {
        done = async {
            tokio::try_join!(one_way(from_device, to_proxy, &moved), one_way(from_proxy, to_device, &moved))
        } => done.map(drop),
        () = moved.idle() => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn one_way(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, moved: &Moved) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        moved.last.store(moved.now(), Ordering::Relaxed);
        match buffer.get(..read) {
            Some([]) | None => {
                moved.half.fetch_add(1, Ordering::Relaxed);
                return to.shutdown().await;
            }
            Some(bytes) => to.write_all(bytes).await?,
        }
        moved.last.store(moved.now(), Ordering::Relaxed);
    }
}
