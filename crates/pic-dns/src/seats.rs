//! Accepting connections: so many in all, and so many per client.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const MAX_CONNECTIONS: usize = 256;
const MAX_PER_CLIENT: usize = 32;

/// Serves one listening socket with `converse` until aborted; its connections end with it.
pub(crate) async fn serve<F>(listener: TcpListener, converse: impl Fn(TcpStream, IpAddr) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let guests = Guests::default();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    if let Some(seat) = guests.seat(client.ip()) {
                        let _ = stream.set_nodelay(true);
                        let talk = converse(stream, client.ip());
                        connections.spawn(async move {
                            talk.await;
                            drop(seat);
                        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_seats() {
        let guests = Guests::default();
        let client = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut seats: Vec<Seat> = (0..MAX_PER_CLIENT).map(|_| guests.seat(client(1)).unwrap()).collect();
        assert!(guests.seat(client(1)).is_none());
        seats.extend(
            (2..9).flat_map(|n| (0..MAX_PER_CLIENT).map(move |_| n)).map_while(|n| guests.seat(client(n))),
        );
        assert_eq!(seats.len(), MAX_CONNECTIONS);
        assert!(guests.seat(client(99)).is_none());
        seats.pop();
        assert!(guests.seat(client(99)).is_some());
        drop(seats);
        assert!(guests.0.lock().unwrap().is_empty(), "nothing is kept of who left");
    }
}
