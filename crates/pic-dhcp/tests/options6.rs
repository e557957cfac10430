//! What hosts are told beside addresses in v6, as another implementation reads it: to those that ask for it, with and
//! without addresses from us.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use dhcproto::v6::{DhcpOption, Message};
use dhcproto::{Decodable, Decoder};
use pic_dhcp::delegation::Book;
use pic_dhcp::server6::{Action6, From6, Server6};
use pic_dhcp::v6::{Out, kind, option};
use pic_model::snapshot::dhcp::DhcpSnapshot;

const PORTAL: &str = "https://portal.example.org/api";

fn server(more: &str) -> Server6 {
    let snapshot: DhcpSnapshot = serde_json::from_str(&format!(
        r#"{{"version":1,"duid":"00040102030405060708090a0b0c0d0e0f10","lans":[{{"name":"lan","interface":"eth1",
        "address":"192.168.40.1/24","ipv6":{{"prefix":"fd00:1::/64","router":true,"dns":["fd00:1::1"],"search":["home.cell"],
        "ntp":["fd00:1::1","time.example.org","fd00:1::2"],"captive_portal":"{PORTAL}"{more}}}}}]}}"#
    ))
    .unwrap();
    let mut server = Server6::default();
    server.configure(&snapshot);
    server
}

/// The options of the answer to a host that wants these.
fn told(server: &mut Server6, wanted: &[u16]) -> Vec<(u16, Vec<u8>)> {
    let mut out = Out::message(kind::INFORMATION_REQUEST, [1, 2, 3]);
    out.option(option::CLIENT_ID, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]);
    out.option(option::ORO, &wanted.iter().flat_map(|code| code.to_be_bytes()).collect::<Vec<_>>());
    let from = From6 { lan: 0, source: "fe80::9".parse().unwrap(), mac: None };
    let Action6::Send(reply) = server.handle(from, &out.finish(), &Book::default(), 1000) else {
        panic!("no answer");
    };
    let message = Message::decode(&mut Decoder::new(&reply.bytes)).unwrap();
    let mut all = Vec::new();
    for option in message.opts().iter() {
        if let DhcpOption::Unknown(unknown) = option {
            all.push((unknown.code().into(), unknown.data().to_vec()));
        }
    }
    let mut rest = &reply.bytes[4..];
    let mut plain = Vec::new();
    while let [a, b, c, d, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        plain.push((u16::from_be_bytes([*a, *b]), rest[4..4 + length].to_vec()));
        rest = &rest[4 + length..];
    }
    assert!(all.iter().all(|one| plain.contains(one)), "both read the same");
    plain.retain(|(code, _)| wanted.contains(code));
    plain
}

#[test]
fn time_servers_and_the_portal_are_told_to_those_that_ask() {
    for more in ["", r#","dhcp6":{"pools":[],"lease":600,"slaac":true,"preference":0}"#] {
        let mut server = server(more);
        let own = b"\xfd\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01";
        let other = b"\xfd\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02";
        // RFC 5908: one server in each option.
        let by_address = |address: &[u8]| [&[0, 1, 0, 16], address].concat();
        assert_eq!(
            told(&mut server, &[option::NTP]),
            [
                (option::NTP, by_address(own)),
                (option::NTP, b"\x00\x03\x00\x12\x04time\x07example\x03org\x00".to_vec()),
                (option::NTP, by_address(other)),
            ]
        );
        // RFC 4075 knows addresses alone.
        assert_eq!(told(&mut server, &[option::SNTP]), [(option::SNTP, [&own[..], other].concat())]);
        assert_eq!(
            told(&mut server, &[option::CAPTIVE_PORTAL]),
            [(option::CAPTIVE_PORTAL, PORTAL.as_bytes().to_vec())]
        );
        assert_eq!(told(&mut server, &[1234]), []);
    }
}
