//! Life of the device: create, announce, wait for the end, clean up.

use std::path::{Path, PathBuf};

use gotatun::device::uapi::UapiServer;
use gotatun::device::{DefaultDeviceTransports, Device, DeviceBuilder};
use pic_service::life::{self, Stop};
use pic_service::log;
use tokio::time::MissedTickBehavior;

use crate::orders::Clerk;
use crate::socket::{self, ConfigSocket};
use crate::unseen::{self, Unseen};

/// Fewer would let one busy direction of the tunnel starve the other.
const MIN_WORKERS: usize = 2;

/// Why the device could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeviceError {
    #[error("cannot start the worker threads")]
    Runtime(#[source] std::io::Error),
    #[error("cannot create interface {interface}: is /dev/net/tun there, and CAP_NET_ADMIN granted?")]
    Create { interface: String, source: gotatun::device::Error },
    #[error("cannot start WireGuard on {interface}")]
    Start { interface: String, source: gotatun::device::Error },
    #[error("cannot serve the configuration socket {path}", path = path.display())]
    Socket { path: PathBuf, source: socket::SocketError },
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    #[error("{interface} stopped by itself; was the interface deleted? restart pic-wg to make it anew")]
    Died { interface: String },
}

/// Runs the device until SIGTERM or SIGINT.
pub(crate) fn run(interface: &str, socket: &Path) -> Result<(), DeviceError> {
    let workers = std::thread::available_parallelism().map_or(MIN_WORKERS, usize::from).max(MIN_WORKERS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(DeviceError::Runtime)?;
    runtime.block_on(serve(interface, socket))
}

async fn serve(interface: &str, path: &Path) -> Result<(), DeviceError> {
    let mut stop = Stop::listen().map_err(DeviceError::Signals)?;

    // The socket comes first: a second instance must fail here, before it disturbs the interface of the first.
    let listener =
        ConfigSocket::bind(path).map_err(|source| DeviceError::Socket { path: path.to_owned(), source })?;
    let (client, server) = UapiServer::new();
    let mut clerk = Clerk::new(client);
    let mut device = build(interface, server).await?;
    let (sender, mut orders) = tokio::sync::mpsc::channel(1);
    let accepting = tokio::spawn(listener.serve(sender));

    life::ready();
    tracing::info!(interface, socket = %path.display(), "userspace WireGuard is up");
    let mut unseen = Unseen::new(std::time::Instant::now());
    let mut looks = tokio::time::interval(unseen::PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            () = stop.asked() => break Ok(()),
            () = device.wait() => break Err(DeviceError::Died { interface: interface.to_owned() }),
            // The packets flow in tasks of the device: an order being carried out does not hold them up.
            Some(order) = orders.recv() => clerk.carry_out(&device, order).await,
            _ = looks.tick() => unseen.renew(&device).await,
        }
    };
    life::stopping();
    // Its parts are taken down in no order, and each says that the others are gone.
    log::mute("gotatun");
    // Ends the listener, whose drop removes the socket file.
    accepting.abort();
    let _ = accepting.await;
    device.stop().await;
    outcome
}

async fn build(interface: &str, server: UapiServer) -> Result<Device<DefaultDeviceTransports>, DeviceError> {
    DeviceBuilder::new()
        .with_default_udp()
        .create_tun(interface)
        .map_err(|source| DeviceError::Create { interface: interface.to_owned(), source })?
        .with_uapi(server)
        .build()
        .await
        .map_err(|source| DeviceError::Start { interface: interface.to_owned(), source })
}
