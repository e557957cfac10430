use std::net::Ipv4Addr;

use super::*;
use crate::lease::{Relay, State};

fn at(n: u8) -> IpAddr {
    if n == 5 { "fd00:1::1005".parse().unwrap() } else { Ipv4Addr::from(u32::from(n)).into() }
}

fn lease(n: u8) -> Lease {
    Lease {
        client: vec![0, 1, n].into(),
        mac: [2, 0, 0, 0, 0, n],
        state: State::Bound,
        expires: 1000 + u64::from(n),
        first_seen: 1,
        last_seen: 2,
        name: n.is_multiple_of(2).then(|| format!("host-{n}").into()),
        via: n.is_multiple_of(5).then(|| std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n.into())),
        relay: n
            .is_multiple_of(3)
            .then(|| Box::new(Relay { address: [10, 0, 0, n].into(), added: [1, 1, n].into() })),
    }
}

/// Records on their way to the disk.
#[derive(Default)]
struct Batch(Vec<u8>);

impl Batch {
    fn add(&mut self, address: IpAddr, lease: &Lease) {
        write(address, lease, &mut self.0);
    }

    fn flush(&mut self, store: &mut Store) {
        store.append(&std::mem::take(&mut self.0)).unwrap();
    }
}

#[test]
fn what_was_flushed_comes_back_and_a_torn_end_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, found) = Store::open(dir.path()).unwrap();
    let mut batch = Batch::default();
    assert!(found.leases.is_empty());
    for n in 0..6 {
        batch.add(at(n), &lease(n));
        if n % 2 == 1 {
            batch.flush(&mut store);
        }
    }
    drop(store);
    let path = dir.path().join("leases.log");
    let whole = std::fs::read(&path).unwrap();
    let all: Vec<_> = (0..6).map(|n| (at(n), lease(n))).collect();
    let right = Contents { leases: all.clone(), end: whole.len(), damaged: 0 };
    assert_eq!(contents(&whole), Some(right));
    for cut in 8..whole.len() {
        let found = contents(&whole[..cut]).unwrap();
        assert!(
            found.leases.len().is_multiple_of(2) && all.starts_with(&found.leases),
            "whole batches from the start"
        );
        assert!(found.end <= cut && found.damaged == 0);
        let mut damaged = whole.clone();
        damaged[cut] ^= 0x40;
        let found = contents(&damaged).unwrap();
        assert!(found.leases.iter().all(|record| all.contains(record)), "damage is never read as a lease");
        assert_eq!(found.leases.len(), 4, "only the damaged batch is lost, at byte {cut}");
        assert!(found.damaged > 0 || found.end < whole.len());
    }
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole.len() as u64 - 3).unwrap();
    let (mut store, found) = Store::open(dir.path()).unwrap();
    assert_eq!(found.leases, all[..4]);
    batch.add(at(9), &lease(9));
    batch.flush(&mut store);
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().1.leases.len(), 5, "goes on where the right part ended");
}

#[test]
fn written_anew_with_what_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let mut batch = Batch::default();
    let now = lease(3);
    for _ in 0..30_000 {
        batch.add(at(3), &now);
    }
    batch.flush(&mut store);
    assert!(is_stale(store.length(), 1));
    store.rewrite([(at(3), &now)].into_iter()).unwrap();
    assert!(!is_stale(store.length(), 1));
    batch.add(at(4), &lease(4));
    batch.flush(&mut store);
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().1.leases, [(at(3), now), (at(4), lease(4))]);
    std::io::Write::write_all(&mut File::create(dir.path().join("leases.log")).unwrap(), b"hello").unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign { .. })));
}
