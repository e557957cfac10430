//! DNS over TCP: many questions on one connection, answered as they become ready (RFC 7766).
//!
//! Bounded in every direction: connections in all and per client, questions in flight per connection, idle time, and
//! the time a client may take to accept its answers.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::forward::stream::{frame, read_frame};
use crate::server::{Outcome, Server, Transport};

const MAX_CONNECTIONS: usize = 256;
const MAX_PER_CLIENT: usize = 32;
const MAX_IN_FLIGHT: usize = 64;
/// Bytes of answers after which they are sent before more are gathered.
const MAX_BATCH: usize = 16 << 10;
/// Clients that ask are told (RFC 7828), in `wire::reply`.
const IDLE: Duration = Duration::from_secs(10);

/// Serves one listening socket until aborted; its connections end with it.
pub(crate) async fn serve(listener: TcpListener, server: Arc<Server>) {
    let guests = Guests::default();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    if let Some(seat) = guests.seat(client.ip()) {
                        connections.spawn(converse(stream, client, Arc::clone(&server), seat));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Counts connections by client.
#[derive(Debug, Default, Clone)]
struct Guests(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// A place of one connection, given back when dropped.
#[derive(Debug)]
struct Seat {
    guests: Guests,
    client: IpAddr,
}

impl Guests {
    fn seat(&self, client: IpAddr) -> Option<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let own = counts.entry(client).or_default();
        if all >= MAX_CONNECTIONS || *own >= MAX_PER_CLIENT {
            return None;
        }
        *own += 1;
        Some(Seat { guests: self.clone(), client })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

async fn converse(stream: TcpStream, client: SocketAddr, server: Arc<Server>, seat: Seat) {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (answers, queue) = mpsc::channel(MAX_IN_FLIGHT);
    let writing = tokio::spawn(write_all(writer, queue));
    // The client's errors are its own business.
    let _ = read_all(BufReader::new(reader), client, &server, answers).await;
    // Answers still on their way go out first; `write_all` ends when the last one has.
    let _ = writing.await;
    drop(seat);
}

async fn read_all(
    mut reader: BufReader<tokio::net::tcp::OwnedReadHalf>,
    client: SocketAddr,
    server: &Arc<Server>,
    answers: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    loop {
        let packet = timeout(IDLE, read_frame(&mut reader)).await??;
        let mut out = Vec::new();
        match server.handle(&packet, client.ip(), Transport::Tcp, Instant::now(), &mut out) {
            // Nothing good comes from somebody who sends this over a stream.
            Outcome::Drop => return Ok(()),
            Outcome::Reply => answers.send(out).await.map_err(io::Error::other)?,
            Outcome::Renew(task) => {
                tokio::spawn(async move { drop(task.run().await) });
                answers.send(out).await.map_err(io::Error::other)?;
            }
            Outcome::Forward(task) => {
                let place = Arc::clone(&in_flight).acquire_owned().await.map_err(io::Error::other)?;
                let (server, answers) = (Arc::clone(server), answers.clone());
                tokio::spawn(async move {
                    let served = task.run().await;
                    let mut out = Vec::new();
                    let outcome = server.complete(&packet, Transport::Tcp, &task, &served, &mut out);
                    if matches!(outcome, Outcome::Reply) {
                        let _ = answers.send(out).await;
                    }
                    drop(place);
                });
            }
        }
    }
}

async fn write_all(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(answer) = queue.recv().await {
        let mut batch = frame(&answer)?;
        // Whatever is ready goes out with it: one call into the kernel, and one segment where it fits.
        while batch.len() < MAX_BATCH
            && let Ok(answer) = queue.try_recv()
        {
            batch.extend(frame(&answer)?);
        }
        timeout(IDLE, writer.write_all(&batch)).await??;
    }
    writer.shutdown().await
}
