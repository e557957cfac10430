//! Notices of the kernel as events.

use std::path::Path;

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::route::RouteMessage;
use pic_plan::marks::ROUTE_PROTOCOL;

use super::Event;
use crate::netlink::split;

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN`: a transaction was committed.
const NEW_GENERATION: u16 = (10 << 8) | 15;
/// Length of `struct nfgenmsg`.
const NFGENMSG: usize = 4;
/// `NFTA_GEN_PROC_PID`: the *thread* that committed.
const GENERATION_PID: u16 = 2;
/// `NFTA_GEN_PROC_NAME`.
const GENERATION_NAME: u16 = 3;

/// Events of a routing datagram. One that cannot be decoded counts as lost: something did change.
pub fn route(datagram: &[u8]) -> Vec<Event> {
    each(datagram, |packet| match NetlinkMessage::<RouteNetlinkMessage>::deserialize(packet) {
        Ok(message) => match message.payload {
            NetlinkPayload::InnerMessage(inner) => of_route(&inner),
            _ => None,
        },
        Err(_) => Some(Event::Lost),
    })
}

/// Events of an nftables datagram: only commits, which name their author and follow what they commit.
pub fn nft(datagram: &[u8]) -> Vec<Event> {
    each(datagram, |packet| {
        let buffer = NetlinkBuffer::new(packet);
        if buffer.message_type() != NEW_GENERATION {
            return None;
        }
        let (mut thread, mut process) = (0, String::new());
        for attribute in NlasIterator::new(packet.get(16 + NFGENMSG..)?).flatten() {
            let value = attribute.value();
            match attribute.kind() {
                GENERATION_PID => thread = u32::from_be_bytes(value.try_into().ok()?),
                GENERATION_NAME => {
                    process = String::from_utf8_lossy(value).trim_end_matches('\0').to_owned();
                }
                _ => {}
            }
        }
        Some(Event::Nft { foreign: !is_own_thread(thread), process })
    })
}

/// Whether a thread is one of this process. In a container the kernel tells the outer number, which is no thread of
/// ours: then our own commits look foreign, and the one needless look at the table finds it as it should be.
fn is_own_thread(thread: u32) -> bool {
    Path::new("/proc/self/task").join(thread.to_string()).exists()
}

fn each(datagram: &[u8], event: impl Fn(&[u8]) -> Option<Event>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let Ok((packet, after)) = split(rest) else {
            events.push(Event::Lost);
            break;
        };
        events.extend(event(packet));
        rest = after;
    }
    events
}

fn of_route(message: &RouteNetlinkMessage) -> Option<Event> {
    match message {
        RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link) => Some(of_link(link)),
        RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_) => Some(Event::Address),
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
            Some(Event::Route { ours: is_ours(route) })
        }
        RouteNetlinkMessage::NewRule(_) | RouteNetlinkMessage::DelRule(_) => Some(Event::Rule),
        _ => None,
    }
}

fn is_ours(route: &RouteMessage) -> bool {
    u8::from(route.header.protocol) == ROUTE_PROTOCOL
}

fn of_link(link: &LinkMessage) -> Event {
    let name = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    name.map_or(Event::Lost, |name| Event::Link { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(thread: u32) -> Vec<u8> {
        let mut body = vec![0; NFGENMSG];
        body.extend([8, 0, 1, 0, 0, 0, 0, 9]);
        body.extend([8, 0, 2, 0]);
        body.extend(thread.to_be_bytes());
        body.extend([8, 0, 3, 0, b'n', b'f', b't', 0]);
        let mut packet = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        packet.extend(NEW_GENERATION.to_ne_bytes());
        packet.extend([0; 10]);
        packet.extend(body);
        packet
    }

    #[test]
    fn a_commit_names_its_author() {
        let other = generation(1);
        assert_eq!(nft(&other), [Event::Nft { foreign: true, process: "nft".into() }]);
        let own = generation(std::process::id());
        assert_eq!(nft(&own), [Event::Nft { foreign: false, process: "nft".into() }]);
        assert_eq!(nft(&[other, own].concat()).len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_lost_not_ignored() {
        assert_eq!(route(&[1, 2, 3]), [Event::Lost]);
        assert_eq!(route(&[20, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), [Event::Lost]);
    }
}
