use std::net::Ipv4Addr;

use super::*;
use crate::lease::State;

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
    }
}

#[test]
fn what_was_flushed_comes_back_and_a_torn_end_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, found) = Store::open(dir.path()).unwrap();
    assert!(found.is_empty());
    for n in 0..6 {
        store.add(at(n), &lease(n));
        if n % 2 == 1 {
            store.flush().unwrap();
        }
    }
    drop(store);
    let path = dir.path().join("leases.log");
    let whole = std::fs::read(&path).unwrap();
    let all: Vec<_> = (0..6).map(|n| (at(n), lease(n))).collect();
    assert_eq!(contents(&whole), Some((all.clone(), whole.len())));
    for cut in 8..whole.len() {
        let (found, length) = contents(&whole[..cut]).unwrap();
        assert!(found.len().is_multiple_of(2) && all.starts_with(&found), "whole batches from the start");
        assert!(length <= cut);
        let mut damaged = whole.clone();
        damaged[cut] ^= 0x40;
        let (found, _) = contents(&damaged).unwrap();
        assert!(all.starts_with(&found), "damage is never read as a lease");
    }
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole.len() as u64 - 3).unwrap();
    let (mut store, found) = Store::open(dir.path()).unwrap();
    assert_eq!(found, all[..4]);
    store.add(at(9), &lease(9));
    store.flush().unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().1.len(), 5, "goes on where the right part ended");
}

#[test]
fn written_anew_with_what_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let now = lease(3);
    for _ in 0..30_000 {
        store.add(at(3), &now);
    }
    store.flush().unwrap();
    assert!(store.is_stale(1));
    store.rewrite([(at(3), &now)].into_iter()).unwrap();
    assert!(!store.is_stale(1));
    store.add(at(4), &lease(4));
    store.flush().unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().1, [(at(3), now), (at(4), lease(4))]);
    std::io::Write::write_all(&mut File::create(dir.path().join("leases.log")).unwrap(), b"hello").unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign { .. })));
}
