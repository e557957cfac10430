//! The control socket: questions of the agent about this service, one line of JSON each.
//!
//! Only root and our own user are answered. Bounded: connections, bytes of a line, time. Never changes what is served.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pic_model::snapshot::dns::{
    DnsClientTally, DnsClients, DnsFlushed, DnsKnocked, DnsLog, DnsRefused, DnsRequest, DnsSigns, DnsStatus,
    DnsViewTally,
};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::policy::ViewTally;
use crate::probe;
use crate::server::Server;
use crate::tally::Counted;
use crate::wire::name;

/// Names a hundred exits that are asked.
const MAX_LINE: u64 = 16_384;
const MAX_CONNECTIONS: usize = 16;
/// Questions or clients in one answer, so that it stays below what the agent reads.
const MAX_ITEMS: usize = 1_000;
const IDLE: Duration = Duration::from_secs(10);

/// Listens at `path`, replacing a socket that an earlier run left.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The agent is root without the power to override modes; who is answered is decided by who connects.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// Serves until aborted.
pub async fn serve(listener: UnixListener, server: Arc<Server>, status: watch::Receiver<Option<DnsStatus>>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (server, status) = (Arc::clone(&server), status.clone());
                tokio::spawn(async move {
                    // What goes wrong with one connection is its own business.
                    let _ = converse(stream, &server, &status).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the control socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(
    stream: UnixStream,
    server: &Arc<Server>,
    status: &watch::Receiver<Option<DnsStatus>>,
) -> io::Result<()> {
    let who = stream.peer_cred()?.uid();
    if who != 0 && who != nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        timeout(IDLE, (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Ok(());
        }
        if matches!(serde_json::from_slice(&line), Ok(DnsRequest::Egress)) {
            return server.teller.serve(reader, writer).await;
        }
        let answer = answer(&line, server, status).await?;
        timeout(IDLE, writer.write_all(&answer)).await??;
    }
}

async fn answer(
    line: &[u8],
    server: &Arc<Server>,
    status: &watch::Receiver<Option<DnsStatus>>,
) -> io::Result<Vec<u8>> {
    let refused = |error: String| json(&DnsRefused { error });
    let wire = |text: &str| name::from_text(text.strip_suffix('.').unwrap_or(text));
    match serde_json::from_slice(line) {
        Err(error) => refused(error.to_string()),
        Ok(DnsRequest::Query { name, rtype, source }) => match wire(&name) {
            Some(name) => json(&server.explain(&name, rtype, source).await),
            None => refused("that is not a domain name".to_owned()),
        },
        Ok(DnsRequest::Status) => match status.borrow().as_ref() {
            Some(status) => json(status),
            None => refused("the service is starting".to_owned()),
        },
        Ok(DnsRequest::Flush { name }) => match wire(name.as_deref().unwrap_or_default()) {
            Some(apex) => json(&DnsFlushed { entries: flush(server, &apex) }),
            None => refused("that is not a domain name".to_owned()),
        },
        Ok(DnsRequest::Log { clients, after, limit }) => json(&match &server.world.load().query_log {
            Some(log) => log.read(&clients, after, limit.min(MAX_ITEMS)),
            None => DnsLog { size: 0, next: 0, entries: Vec::new() },
        }),
        Ok(DnsRequest::Egress) => refused("that is served by itself".to_owned()),
        Ok(DnsRequest::Signs { of }) => json(&DnsSigns { signs: server.probes.look(&of, Instant::now()) }),
        Ok(DnsRequest::Knock { at }) => {
            json(&DnsKnocked { error: probe::knock(&at).err().map(|error| error.to_string()) })
        }
        Ok(DnsRequest::Clients { limit }) => json(&clients(server, limit.min(MAX_ITEMS))),
    }
}

/// Questions by client and by view.
fn clients(server: &Server, limit: usize) -> DnsClients {
    let world = server.world.load();
    let (all, others) = server.clients.snapshot(Instant::now());
    let view = |client: &Counted| {
        let admitted = world.policy.admit(client.address).ok()?;
        Some(world.policy.view_name(admitted.view).to_owned())
    };
    let one = |client: &Counted| DnsClientTally {
        address: client.address,
        view: view(client),
        idle: client.idle,
        tally: client.tally,
    };
    DnsClients {
        clients: all.iter().take(limit).map(one).collect(),
        known: all.len(),
        others,
        views: world.policy.tallies().map(|view| counted(view)).collect(),
    }
}

fn counted(view: &ViewTally) -> DnsViewTally {
    DnsViewTally { name: view.name.clone(), tally: view.tally.snapshot() }
}

fn flush(server: &Server, apex: &[u8]) -> usize {
    server.world.load().forwarders().map(|forwarder| forwarder.flush(apex)).sum()
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
