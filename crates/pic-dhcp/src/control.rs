//! What the agent asks over the service's socket: the leases, and to end one. Only root is listened to.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use pic_model::lan::{ClientId, Mac};
use pic_model::snapshot::dhcp::{
    DhcpLanState, DhcpRequest, DhcpState, LeaseState, Relay, UplinkState, VERSION, Wire,
};

use crate::delegation::Book;
use crate::label;
use crate::lease::{Lease, State};
use crate::prefixes;
use crate::server::{Net, Server};
use crate::server6::{Net6, duid_of, join, router_of};
use crate::wire::relay_part;

/// A request is one short line.
const MAX_REQUEST: u64 = 1024;
/// Root writes its line at once, or is not listened to.
const PATIENCE: Duration = Duration::from_millis(100);
/// Reading the answer may take longer; that is done beside serving.
const WRITE: Duration = Duration::from_secs(10);

/// Listens in the runtime folder, in the place of a socket that a killed run left.
pub fn listen(folder: &Path) -> io::Result<UnixListener> {
    let path = folder.join("control.sock");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    // Whom to answer is decided by who connects; the agent has no power to override file modes.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// The request on a new connection, if it is one and from root or ourselves.
pub fn request(stream: &UnixStream) -> Option<DhcpRequest> {
    let peer = getsockopt(stream, PeerCredentials).ok()?.uid();
    if peer != 0 && peer != nix::unistd::geteuid().as_raw() {
        return None;
    }
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

/// Sends an answer without holding anybody up.
pub fn reply(mut stream: UnixStream, state: DhcpState) {
    let sent = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        let mut line = serde_json::to_vec(&state).unwrap_or_default();
        line.push(b'\n');
        // Whoever asked is gone, or asks again.
        let _ = stream.set_write_timeout(Some(WRITE)).and_then(|()| stream.write_all(&line));
    });
    if let Err(error) = sent {
        tracing::warn!(%error, "cannot answer the agent");
    }
}

/// How the leases are; whoever asks adds what else is to be said.
pub fn state(server: &Server, lans: Vec<DhcpLanState>, done: bool, now: u64) -> DhcpState {
    let leases = server
        .nets()
        .iter()
        .flat_map(|net| net.table.iter().map(move |(address, lease)| lease_state(net, address, lease, now)));
    DhcpState {
        version: VERSION,
        done,
        disk: None,
        uplink: UplinkState::default(),
        lans,
        leases: leases.collect(),
    }
}

/// The v6 leases of a network, with their addresses in all its prefixes, and with the prefixes of its routers.
pub fn leases6(net: &Net6, book: &Book, now: u64) -> Vec<LeaseState> {
    let prefixes = prefixes::of(&net.lan, book, now);
    let one = |(number, lease): (u64, &Lease)| {
        let duid = duid_of(&lease.client);
        let given: Vec<_> = net.prefixes_of(number, book, now).into_iter().map(|one| one.net).collect();
        // A router of which nothing is left has nothing that could be shown.
        let address = match (router_of(number), given.first()) {
            (Some(_), first) => first?.network(),
            (None, _) => net.address(number),
        };
        let is_host = given.is_empty();
        let kept = net.reservation_of(number);
        let others = prefixes.iter().skip(1).filter(|prefix| is_host && prefix.life.preferred > 0);
        Some(LeaseState {
            lan: net.name.clone(),
            address: address.into(),
            prefixes: given,
            mac: (lease.mac != [0; 6]).then_some(Mac(lease.mac)),
            client_id: None,
            relay: None,
            duid: (!duid.is_empty()).then(|| Wire(duid.to_vec())),
            others: others.map(|prefix| join(prefix.net, number)).collect(),
            hostname: kept.and_then(|one| one.name.clone()),
            says: lease
                .name
                .as_deref()
                .map(|name| (name.to_owned(), crate::names::otherwise(name, lease.mac, duid))),
            state: state_word(lease, now).to_owned(),
            expires: seconds(lease.expires),
            first_seen: seconds(lease.first_seen),
            last_seen: seconds(lease.last_seen),
            reserved: kept.is_some(),
        })
    };
    net.table.iter().filter_map(one).collect()
}

fn state_word(lease: &Lease, now: u64) -> &'static str {
    match lease.state {
        State::Bound if lease.expires > now => "bound",
        State::Bound => "expired",
        State::Unproven | State::Offered => "offered",
        State::Released => "released",
        State::Declined => "declined",
    }
}

fn seconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn lease_state(net: &Net, address: u32, lease: &Lease, now: u64) -> LeaseState {
    let reservation = net.reservation_of(address).and_then(|index| net.lan.reservations.get(index));
    LeaseState {
        lan: net.lan.name.clone(),
        address: std::net::Ipv4Addr::from_bits(address).into(),
        mac: (lease.mac != [0; 6]).then_some(Mac(lease.mac)),
        client_id: lease.client.strip_prefix(&[1]).and_then(ClientId::from_bytes),
        relay: lease.relay.as_deref().map(|relay| Relay {
            address: relay.address,
            circuit_id: part(&relay.added, 1),
            remote_id: part(&relay.added, 2),
        }),
        duid: None,
        others: Vec::new(),
        prefixes: Vec::new(),
        hostname: reservation.and_then(|one| one.name.clone()),
        says: lease.name.as_deref().map(|name| (name.to_owned(), label::otherwise(name, lease.mac))),
        state: state_word(lease, now).to_owned(),
        expires: seconds(lease.expires),
        first_seen: seconds(lease.first_seen),
        last_seen: seconds(lease.last_seen),
        reserved: reservation.is_some(),
    }
}

fn part(added: &[u8], code: u8) -> Option<Wire> {
    relay_part(added, code).map(|part| Wire(part.to_vec()))
}
