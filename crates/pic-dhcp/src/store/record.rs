//! One lease as bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::lease::{Lease, Relay, State};

/// Beside the state's number: the record ends with what a relay said.
const RELAYED: u8 = 0x80;
/// Beside the state's number: a v6 address follows, and the place of the v4 one is empty.
const V6: u8 = 0x40;

/// Beside the state's number: the record ends with the address of a router that has a prefix.
const ROUTED: u8 = 0x20;

/// Appends a record.
pub fn write(address: IpAddr, lease: &Lease, out: &mut Vec<u8>) {
    let flag = |is_there: bool, flag| if is_there { flag } else { 0 };
    let state = lease.state as u8 | flag(lease.relay.is_some(), RELAYED) | flag(lease.via.is_some(), ROUTED);
    match address {
        IpAddr::V4(address) => {
            out.extend_from_slice(&address.to_bits().to_le_bytes());
            out.push(state);
        }
        IpAddr::V6(address) => {
            out.extend_from_slice(&[0; 4]);
            out.push(state | V6);
            out.extend_from_slice(&address.octets());
        }
    }
    for seconds in [lease.expires, lease.first_seen, lease.last_seen] {
        out.extend_from_slice(&seconds.to_le_bytes());
    }
    out.extend_from_slice(&lease.mac);
    let name = lease.name.as_deref().unwrap_or_default().as_bytes();
    put(&lease.client, out);
    put(name, out);
    if let Some(relay) = &lease.relay {
        out.extend_from_slice(&relay.address.octets());
        put(&relay.added, out);
    }
    if let Some(via) = lease.via {
        out.extend_from_slice(&via.octets());
    }
}

fn put(part: &[u8], out: &mut Vec<u8>) {
    // Longer ones cannot come from a packet.
    let part = part.get(..part.len().min(511)).unwrap_or_default();
    out.extend_from_slice(&u16::try_from(part.len()).unwrap_or_default().to_le_bytes());
    out.extend_from_slice(part);
}

/// Takes a record from the front; `None` where there is no whole and sensible one.
pub fn read(bytes: &[u8]) -> Option<((IpAddr, Lease), &[u8])> {
    let (address, rest) = bytes.split_first_chunk::<4>()?;
    let (state, rest) = rest.split_first()?;
    let (address, rest) = if state & V6 == 0 {
        (IpAddr::from(u32::from_le_bytes(*address).to_be_bytes()), rest)
    } else {
        let (address, rest) = rest.split_first_chunk::<16>()?;
        (IpAddr::V6(Ipv6Addr::from(*address)), rest)
    };
    let (expires, rest) = rest.split_first_chunk::<8>()?;
    let (first_seen, rest) = rest.split_first_chunk::<8>()?;
    let (last_seen, rest) = rest.split_first_chunk::<8>()?;
    let (mac, rest) = rest.split_first_chunk::<6>()?;
    let (client, rest) = part(rest)?;
    let (name, rest) = part(rest)?;
    let (relay, rest) = if state & RELAYED == 0 { (None, rest) } else { relay(rest)? };
    let (via, rest) = if state & ROUTED == 0 {
        (None, rest)
    } else {
        let (via, rest) = rest.split_first_chunk::<16>()?;
        (Some(Ipv6Addr::from(*via)), rest)
    };
    let name = std::str::from_utf8(name).ok()?;
    let lease = Lease {
        client: client.into(),
        mac: *mac,
        state: State::read(*state & !(RELAYED | V6 | ROUTED))?,
        expires: u64::from_le_bytes(*expires),
        first_seen: u64::from_le_bytes(*first_seen),
        last_seen: u64::from_le_bytes(*last_seen),
        name: (!name.is_empty()).then(|| name.into()),
        relay,
        via,
    };
    Some(((address, lease), rest))
}

fn relay(bytes: &[u8]) -> Option<(Option<Box<Relay>>, &[u8])> {
    let (address, rest) = bytes.split_first_chunk::<4>()?;
    let (added, rest) = part(rest)?;
    Some((Some(Box::new(Relay { address: Ipv4Addr::from(*address), added: added.into() })), rest))
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)).min(512))
}
