//! From typed values to keys.

use std::net::{Ipv4Addr, Ipv6Addr};

use pic_plan::target::nft::{Elements, Flow, L4};

use super::key::{KEY, Key, WORD};

/// Keys of elements in ascending order.
pub(in crate::nft) fn keys(elements: &Elements) -> Vec<Key> {
    match elements {
        Elements::Tally4 | Elements::Tally6 | Elements::Meter4(_) | Elements::Meter6(_) => Vec::new(),
        Elements::Rates4(map) => map.iter().map(|(ip, rate)| limited(&ip.octets(), *rate)).collect(),
        Elements::Twins6(map) => map.iter().map(|(ip, twin)| twinned(&ip.octets(), &twin.octets())).collect(),
        Elements::TallyLinks(set) => set.iter().map(|name| Key::start(name.as_bytes())).collect(),
        Elements::V4(set) | Elements::Learned4(set) => {
            set.iter().map(|address| Key::start(&address.octets())).collect()
        }
        Elements::V6(set) | Elements::Learned6(set) => {
            set.iter().map(|address| Key::start(&address.octets())).collect()
        }
        Elements::Ports(set) => set.iter().map(|port| Key::start(&port.to_be_bytes())).collect(),
        Elements::Pairs4(set) => {
            set.iter().map(|(from, to)| Key::start(&row(&[&from.octets(), &to.octets()]))).collect()
        }
        Elements::Pairs6(set) => {
            set.iter().map(|(from, to)| Key::start(&row(&[&from.octets(), &to.octets()]))).collect()
        }
        Elements::Flows4(set) => set.iter().map(|one| flow(one, Ipv4Addr::octets)).collect(),
        Elements::Flows6(set) => set.iter().map(|one| flow(one, Ipv6Addr::octets)).collect(),
        Elements::Forwards4(map) => {
            map.iter().map(|(from, (to, port))| forward(from, &to.octets(), *port)).collect()
        }
        Elements::Forwards6(map) => {
            map.iter().map(|(from, (to, port))| forward(from, &to.octets(), *port)).collect()
        }
        Elements::Net4(set) => set
            .iter()
            .flat_map(|net| {
                let end = u32::from(net.broadcast()).checked_add(1);
                interval(net.network().octets(), end.map(u32::to_be_bytes))
            })
            .collect(),
        Elements::Net6(set) => set
            .iter()
            .flat_map(|net| {
                let end = u128::from(net.broadcast()).checked_add(1);
                interval(net.network().octets(), end.map(u128::to_be_bytes))
            })
            .collect(),
    }
}

fn interval<const N: usize>(start: [u8; N], end: Option<[u8; N]>) -> impl Iterator<Item = Key> {
    let end = end.map(|end| Key { is_start: false, ..Key::start(&end) });
    std::iter::once(Key::start(&start)).chain(end)
}

/// Several fields in a row.
fn row(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KEY);
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len().next_multiple_of(WORD), 0);
    }
    bytes
}

fn flow<A: Copy, const N: usize>(flow: &Flow<A>, octets: fn(&A) -> [u8; N]) -> Key {
    let (source, destination) = (octets(&flow.source), octets(&flow.destination));
    Key::start(&row(&[&source, &destination, &[flow.transport.number()], &flow.port.to_be_bytes()]))
}

fn forward(from: &(L4, u16), to: &[u8], port: u16) -> Key {
    let key = Key::start(&row(&[&[from.0.number()], &from.1.to_be_bytes()]));
    key.with(&row(&[to, &port.to_be_bytes()])).unwrap_or(key)
}

fn twinned(content: &[u8], twin: &[u8]) -> Key {
    let key = Key::start(content);
    key.with(twin).unwrap_or(key)
}

fn limited(content: &[u8], rate: u64) -> Key {
    let key = Key::start(content);
    key.with(&rate.to_be_bytes()).unwrap_or(key)
}
