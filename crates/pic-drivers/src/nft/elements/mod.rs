//! Elements of sets between typed values and the keys that the kernel keeps.
//!
//! A set of networks is an interval set: each network is a start key and an end key one past its last address. A
//! network that reaches the end of the address space has no end key.
//!
//! ```text
//! write: Elements -> Keys     read: Keys of a dump -> Elements     kind: what a set of them is in the kernel
//! ```

mod key;
mod kind;
mod read;
mod write;

pub(super) use key::Key;
pub(super) use kind::{Effect, SetType};
pub(super) use read::{Typed, typed};
pub(super) use write::keys;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use pic_plan::target::nft::{Elements, Flow, L4};

    use super::*;

    fn back(elements: &Elements) -> Typed {
        let mut raw = keys(elements);
        raw.reverse();
        typed(SetType::of(elements), raw)
    }

    #[test]
    fn networks_at_the_ends_of_the_address_space_come_back() {
        for list in [
            vec!["0.0.0.0/0"],
            vec!["0.0.0.0/8", "255.255.255.255/32"],
            vec!["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23", "128.0.0.0/1"],
            vec![],
        ] {
            let nets = Elements::Net4(list.iter().map(|net| net.parse().unwrap()).collect());
            assert_eq!(back(&nets), Typed::Elements(nets));
        }
        for list in [vec!["::/0"], vec!["fd00::/64", "fd00:0:0:1::/64", "ffff::/16"], vec!["::/128"]] {
            let nets = Elements::Net6(list.iter().map(|net| net.parse().unwrap()).collect());
            assert_eq!(back(&nets), Typed::Elements(nets));
        }
    }

    #[test]
    fn an_interval_that_is_no_network_is_foreign() {
        let start = Key::start(&[10, 0, 0, 1]);
        let end = Key { is_start: false, ..Key::start(&[10, 0, 0, 5]) };
        assert_eq!(typed(SetType::NET4, vec![start, end]), Typed::Foreign);
    }

    #[test]
    fn rows_of_fields_and_maps_come_back() {
        let (a, b): (Ipv4Addr, Ipv4Addr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let (c, d): (Ipv6Addr, Ipv6Addr) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        for elements in [
            Elements::Pairs4([(a, b), (b, a)].into()),
            Elements::Pairs6([(c, d), (d, c)].into()),
            Elements::Flows4([Flow { source: a, destination: b, transport: L4::Tcp, port: 445 }].into()),
            Elements::Flows6([Flow { source: c, destination: d, transport: L4::Udp, port: 53 }].into()),
            Elements::Forwards4([((L4::Tcp, 8443), (a, 443)), ((L4::Udp, 8443), (b, 1))].into()),
            Elements::Forwards6([((L4::Tcp, 8443), (c, 443))].into()),
        ] {
            assert_eq!(back(&elements), Typed::Elements(elements));
        }
    }

    #[test]
    fn a_repeated_key_is_noticed() {
        let key = Key::start(&[10, 0, 0, 1]);
        assert_eq!(typed(SetType::V4, vec![key, key]), Typed::Repeated);
    }
}
