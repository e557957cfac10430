//! Stateless DHCPv6 (RFC 8415 section 18.3.6): hosts that made their own addresses ask for the rest. Pure.

use pic_model::dhcp_option::wire_name;
use pic_model::snapshot::dhcp::Ipv6Lan;

/// Port that servers listen on.
pub const SERVER_PORT: u16 = 547;
const INFORMATION_REQUEST: u8 = 11;
const REPLY: u8 = 7;
const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const DNS: u16 = 23;
const SEARCH: u16 = 24;
const REFRESH: u16 = 32;
/// Seconds after which a host should ask again.
const REFRESH_TIME: u32 = 3600;
/// RFC 8415 section 11.1.
const MAX_DUID: usize = 130;

/// The answer to a message, if there is one.
pub fn answer(lan: &Ipv6Lan, mac: [u8; 6], packet: &[u8]) -> Option<Vec<u8>> {
    let ([kind, xid @ ..], options) = packet.split_first_chunk::<4>()?;
    if *kind != INFORMATION_REQUEST {
        return None;
    }
    let own = [&[0, 3, 0, 1], &mac[..]].concat();
    let mut client = None;
    for (code, value) in Options(options) {
        match code {
            CLIENT_ID if value.len() <= MAX_DUID => client = client.or(Some(value)),
            // Meant for another server.
            SERVER_ID if value != own => return None,
            _ => {}
        }
    }
    let mut out = vec![REPLY];
    out.extend_from_slice(xid);
    if let Some(client) = client {
        option(&mut out, CLIENT_ID, client);
    }
    option(&mut out, SERVER_ID, &own);
    let dns: Vec<u8> = lan.dns.iter().flat_map(|dns| dns.octets()).collect();
    option(&mut out, DNS, &dns);
    let search: Vec<u8> = lan.search.iter().flat_map(|name| wire_name(name)).collect();
    option(&mut out, SEARCH, &search);
    option(&mut out, REFRESH, &REFRESH_TIME.to_be_bytes());
    Some(out)
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    if let (false, Ok(length)) = (value.is_empty(), u16::try_from(value.len())) {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value);
    }
}

struct Options<'p>(&'p [u8]);

impl<'p> Iterator for Options<'p> {
    type Item = (u16, &'p [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([a, b, c, d], rest) = self.0.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        self.0 = rest;
        Some((u16::from_be_bytes([*a, *b]), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_whoever_asks_us() {
        let lan = Ipv6Lan {
            prefix: "fd00:1::/64".parse().unwrap(),
            router: false,
            dns: vec!["fd00:1::1".parse().unwrap()],
            search: vec!["home.cell".to_owned()],
        };
        let ask = |packet: &[u8]| answer(&lan, [2; 6], packet);
        let reply = ask(&[11, 1, 2, 3, 0, 1, 0, 2, 9, 9]).unwrap();
        assert_eq!(reply[..10], [7, 1, 2, 3, 0, 1, 0, 2, 9, 9]);
        assert_eq!(ask(&[1, 1, 2, 3]), None, "addresses are not handed out");
        assert_eq!(ask(&[11, 1, 2, 3, 0, 2, 0, 1, 7]), None, "another server is meant");
        assert_eq!(ask(&[11, 1]), None);
    }
}
