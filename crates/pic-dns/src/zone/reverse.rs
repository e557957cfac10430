//! Names of addresses: RFC 1035 section 3.5 and RFC 3596 section 2.5.

use std::net::IpAddr;

const V4: &[u8] = b"\x07in-addr\x04arpa\x00";
const V6: &[u8] = b"\x03ip6\x04arpa\x00";

/// The name that holds an address's pointer, in wire form.
pub(super) fn name(address: IpAddr) -> Vec<u8> {
    let mut name = Vec::with_capacity(2 * 32 + V6.len());
    match address {
        IpAddr::V4(ip) => {
            for octet in ip.octets().into_iter().rev() {
                // By hand: formatting them took a tenth of the time in which a large zone is compiled.
                let count = 1 + u8::from(octet > 9) + u8::from(octet > 99);
                let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
                name.push(count);
                name.extend(digits.into_iter().skip(3 - usize::from(count)));
            }
            name.extend_from_slice(V4);
        }
        IpAddr::V6(ip) => {
            for octet in ip.octets().into_iter().rev() {
                name.extend_from_slice(&[1, hex(octet & 15), 1, hex(octet >> 4)]);
            }
            name.extend_from_slice(V6);
        }
    }
    name
}

fn hex(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

#[cfg(test)]
mod tests {
    use crate::wire::name::from_text;

    fn name(ip: &str) -> Vec<u8> {
        super::name(ip.parse().unwrap())
    }

    #[test]
    fn least_significant_first() {
        assert_eq!(name("10.177.0.99"), from_text("99.0.177.10.in-addr.arpa").unwrap());
        let v6 = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa";
        assert_eq!(name("fd12:3456:789a::2"), from_text(v6).unwrap());
    }
}
