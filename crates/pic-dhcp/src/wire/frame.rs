//! Ethernet frames: UDP to a client that has no address yet, and ARP probes (RFC 5227).

use std::net::Ipv4Addr;

/// Every host on the link.
pub const EVERYONE: [u8; 6] = [0xff; 6];
/// EtherType of IPv4.
pub const ETHER_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHER_ARP: u16 = 0x0806;
const ETHERNET: usize = 14;

/// One end of a packet.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Hardware address.
    pub mac: [u8; 6],
    /// Address.
    pub ip: Ipv4Addr,
    /// UDP port.
    pub port: u16,
}

/// An Ethernet frame with a UDP datagram; `payload` is at most 1472 bytes.
pub fn udp(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    let udp_length = u16::try_from(payload.len() + 8).unwrap_or(u16::MAX);
    let mut frame = Vec::with_capacity(ETHERNET + 28 + payload.len());
    frame.extend_from_slice(&to.mac);
    frame.extend_from_slice(&from.mac);
    frame.extend_from_slice(&ETHER_IPV4.to_be_bytes());
    let mut ip = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    ip[2..4].copy_from_slice(&udp_length.saturating_add(20).to_be_bytes());
    ip[12..16].copy_from_slice(&from.ip.octets());
    ip[16..20].copy_from_slice(&to.ip.octets());
    let sum = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut udp = [0; 8];
    udp[..2].copy_from_slice(&from.port.to_be_bytes());
    udp[2..4].copy_from_slice(&to.port.to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let pseudo = [0, 17, udp[4], udp[5]];
    let sum = match checksum(&[&ip[12..20], &pseudo, &udp, payload]) {
        // Zero says that there is none.
        0 => u16::MAX,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    frame.extend_from_slice(&ip);
    frame.extend_from_slice(&udp);
    frame.extend_from_slice(payload);
    frame
}

/// Internet checksum (RFC 1071) over parts, each but the last of even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The UDP payload of an Ethernet frame to a port, with its source address.
pub fn udp_payload(frame: &[u8], port: u16) -> Option<(Ipv4Addr, &[u8])> {
    let ip = frame.get(ETHERNET..).filter(|_| frame[12..14] == ETHER_IPV4.to_be_bytes())?;
    let header = usize::from(ip.first()? & 15) * 4;
    if ip[0] >> 4 != 4 || header < 20 || *ip.get(9)? != 17 {
        return None;
    }
    let source = Ipv4Addr::from(*ip.get(12..)?.first_chunk::<4>()?);
    let udp = ip.get(header..)?;
    (udp.get(2..4)? == port.to_be_bytes()).then_some((source, udp.get(8..)?))
}

/// Asks who has an address, without claiming one (RFC 5227 section 2.1.1).
pub fn arp_probe(mac: [u8; 6], wanted: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend_from_slice(&EVERYONE);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&ETHER_ARP.to_be_bytes());
    frame.extend_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&[0; 10]);
    frame.extend_from_slice(&wanted.octets());
    frame
}

/// Who says to have which address, by any ARP packet.
pub fn arp_sender(frame: &[u8]) -> Option<([u8; 6], Ipv4Addr)> {
    let arp = frame.get(ETHERNET..).filter(|_| frame[12..14] == ETHER_ARP.to_be_bytes())?;
    if *arp.first_chunk::<6>()? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let mac = *arp.get(8..)?.first_chunk::<6>()?;
    let ip = Ipv4Addr::from(*arp.get(14..)?.first_chunk::<4>()?);
    (!ip.is_unspecified()).then_some((mac, ip))
}

/// An ICMP echo request (RFC 792), without an IP header.
pub fn echo_request(id: u16, sequence: u16) -> [u8; 8] {
    let mut packet = [8, 0, 0, 0, 0, 0, 0, 0];
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..].copy_from_slice(&sequence.to_be_bytes());
    let sum = checksum(&[&packet]);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Who answers an echo request with this number; the packet begins with its IP header.
pub fn echo_reply(packet: &[u8], id: u16) -> Option<Ipv4Addr> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let source = Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?);
    let icmp = packet.get(header..).filter(|_| packet[0] >> 4 == 4 && packet[9] == 1)?;
    let [0, 0, _, _, a, b, ..] = icmp else { return None };
    (u16::from_be_bytes([*a, *b]) == id).then_some(source)
}

/// A client's question, to find out whether a server answers on this link.
pub fn discover(mac: [u8; 6], xid: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..4].copy_from_slice(&[1, 1, 6, 0]);
    message[4..8].copy_from_slice(&xid);
    message[10] = 0x80;
    message[28..34].copy_from_slice(&mac);
    message[236..240].copy_from_slice(&super::COOKIE);
    // Of a client of its own, so that no server mixes it up with this host's lease.
    message.extend_from_slice(&[53, 1, 1, 61, 9]);
    message.extend_from_slice(&[0]);
    message.extend_from_slice(b"pic-look");
    message.extend_from_slice(&[55, 1, 1, 255]);
    message.resize(300, 0);
    let from = End { mac, ip: Ipv4Addr::UNSPECIFIED, port: super::CLIENT_PORT };
    let to = End { mac: EVERYONE, ip: Ipv4Addr::BROADCAST, port: super::SERVER_PORT };
    udp(from, to, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let mac = [2, 0, 0, 0, 0, 1];
        let frame = discover(mac, [1, 2, 3, 4]);
        let (source, payload) = udp_payload(&frame, 67).unwrap();
        assert!(source.is_unspecified());
        let message = super::super::read(payload).unwrap();
        assert_eq!((message.xid(), message.mac(), message.broadcast()), ([1, 2, 3, 4], Some(mac), true));
        assert_eq!(checksum(&[&frame[14..34]]), 0, "the header's checksum is right");
        assert_eq!(arp_sender(&arp_probe(mac, [10, 0, 0, 1].into())), None, "a probe claims nothing");
        let reply =
            [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 5, 0, 9, 10, 5, 0, 1], &[0; 4][..]].concat();
        let reply = [&reply[..], &[0, 7, 0, 1]].concat();
        assert_eq!(echo_reply(&reply, 7), Some([10, 5, 0, 9].into()));
        assert_eq!((echo_reply(&reply, 8), checksum(&[&echo_request(7, 1)])), (None, 0));
        for length in 0..frame.len() {
            let _ = (udp_payload(&frame[..length], 67), arp_sender(&frame[..length]));
            let _ = (echo_reply(&frame[..length], 0), echo_reply(&reply[..length.min(reply.len())], 7));
        }
    }
}
