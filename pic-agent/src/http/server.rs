//! The socket: who may connect, how many, for how long, and who it is that asks.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::unistd::{Gid, Group, Uid, chown};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::caller::Caller;
use super::{Api, gate};

/// Connections served at a time; more wait in the socket's queue.
const CONNECTIONS: usize = 64;
/// A request's head comes at once or never; idle connections end after this, too.
const HEAD: Duration = Duration::from_secs(10);
/// Root and this group may connect.
const GROUP: &str = "pic";
const MODE: u32 = 0o660;

/// Serves the API at a socket until the future is dropped. Replaces a socket that an earlier run left; the caller has
/// made sure that there is no other agent.
pub async fn serve(api: Arc<Api>, socket: &Path) -> io::Result<()> {
    let listener = bind(socket)?;
    watch(&api);
    let router = gate::router(&api);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, as a rule: a moment later some are free again.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    if let Some(group) = group() {
        chown(path, None, Some(group))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// The group that may use the socket, where the package has made it.
fn group() -> Option<Gid> {
    let group = Group::from_name(GROUP).ok().flatten().filter(|_| Uid::effective().is_root());
    group.map(|group| group.gid)
}

/// Follows the engine, so that every operation's states and every change of its health are known.
fn watch(api: &Arc<Api>) {
    let (api, mut reports) = (Arc::clone(api), api.handle.watch());
    tokio::spawn(async move {
        // The report an engine is made with says nothing yet, unless it has run for a while.
        if reports.borrow().reconciled.is_some() {
            api.see(&reports.borrow());
        }
        while reports.changed().await.is_ok() {
            let report = Arc::clone(&reports.borrow_and_update());
            api.see(&report);
        }
    });
}

async fn connection(stream: UnixStream, router: Router) {
    let caller = match stream.peer_cred() {
        Ok(credentials) => Caller::of(credentials),
        Err(error) => {
            tracing::warn!(%error, "a caller without a user is turned away");
            return;
        }
    };
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(caller.clone());
        let request: Request = request.map(axum::body::Body::new);
        routes.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
