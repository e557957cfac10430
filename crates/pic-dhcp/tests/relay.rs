//! Clients behind relays, and files for those that boot from the network; the messages are made and read by another
//! implementation.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode, UnknownOption};
use dhcproto::{Decodable, Decoder, Encodable};
use pic_dhcp::lease::{Lease, Relay};
use pic_dhcp::server::{Action, Server};
use pic_dhcp::wire::{self, To};
use pic_model::snapshot::dhcp::DhcpSnapshot;

const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 40, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 5, 0, 1);
/// Circuit `port3`, remote `sw`.
const ADDED: &[u8] = b"\x01\x05port3\x02\x02sw";

fn server() -> Server {
    let snapshot: DhcpSnapshot = serde_json::from_str(
        r#"{"version":1,"lans":[
        {"name":"lan","interface":"eth1","address":"192.168.40.1/24",
            "dhcp":{"pools":[["192.168.40.100","192.168.40.109"]],"lease":600,"options":{"67":"62696f73"},"next_server":"192.168.40.5",
                "boot":[{"user_class":"iPXE","file":"http://192.168.40.5/menu"},
                    {"architectures":[7,9],"file":"x64.efi","next_server":"192.168.40.6"}]}},
        {"name":"guests","interface":"eth2","address":"192.168.41.1/24",
            "dhcp":{"pools":[["192.168.41.100","192.168.41.109"]],"lease":600,"options":{}}},
        {"name":"upstairs","interface":"eth1","address":"192.168.40.1/24","behind":"10.5.0.0/24",
            "dhcp":{"pools":[["10.5.0.50","10.5.0.59"]],"lease":600,"options":{"3":"0a050001"}}},
        {"name":"attic","interface":"eth1","address":"192.168.40.1/24","behind":"10.6.0.0/24",
            "dhcp":{"pools":[["10.6.0.50","10.6.0.59"]],"lease":600,"options":{}}}]}"#,
    )
    .unwrap();
    let mut server = Server::default();
    server.configure(&snapshot);
    server
}

fn message(kind: MessageType) -> Message {
    let mut message = Message::default();
    message.set_chaddr(&[2, 0, 0, 0, 0, 1]).set_xid(7);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message
}

fn relayed(kind: MessageType, added: &[u8]) -> Message {
    let mut message = message(kind);
    message.set_giaddr(RELAY);
    message
        .opts_mut()
        .insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::Unknown(82), added.to_vec())));
    message
}

fn say(server: &mut Server, lan: usize, message: &Message, now: u64) -> Action {
    let bytes = message.to_vec().unwrap();
    server.handle(lan, &wire::read(&bytes).unwrap(), now)
}

/// The answer, after a probe that nobody answered.
fn answer(
    server: &mut Server,
    lan: usize,
    message: &Message,
    now: u64,
) -> Option<(Message, To, Option<Lease>)> {
    let action = match say(server, lan, message, now) {
        Action::Probe(address) => {
            server.proved(address);
            say(server, lan, message, now)
        }
        action => action,
    };
    let (reply, lease) = match action {
        Action::Send(reply) => (reply, None),
        Action::Commit(record, reply) => (reply?, Some(record.lease)),
        Action::None | Action::Probe(_) => return None,
    };
    Some((Message::decode(&mut Decoder::new(&reply.bytes)).unwrap(), reply.to, lease))
}

#[test]
fn a_relay_says_where_its_clients_are() {
    let mut server = server();
    let asked = relayed(MessageType::Discover, ADDED);
    assert_eq!(
        say(&mut server, 0, &asked, 5),
        Action::Probe([10, 5, 0, 50].into()),
        "looked for like any other"
    );
    let (offer, to, _) = answer(&mut server, 0, &asked, 5).unwrap();
    assert_eq!((offer.yiaddr(), to), ([10, 5, 0, 50].into(), To::Relay(RELAY)));
    let option = |message: &Message, code| message.opts().get(code).cloned();
    assert_eq!(option(&offer, OptionCode::Router), Some(DhcpOption::Router(vec![RELAY])));
    assert_eq!(option(&offer, OptionCode::ServerIdentifier), Some(DhcpOption::ServerIdentifier(OWN)));
    let last = &offer.to_vec().unwrap();
    assert!(last.windows(ADDED.len()).any(|bytes| bytes == ADDED), "what the relay added comes back");

    let mut take = relayed(MessageType::Request, ADDED);
    take.opts_mut().insert(DhcpOption::ServerIdentifier(OWN));
    take.opts_mut().insert(DhcpOption::RequestedIpAddress([10, 5, 0, 50].into()));
    let (_, _, lease) = answer(&mut server, 0, &take, 6).unwrap();
    assert_eq!(lease.unwrap().relay.as_deref(), Some(&Relay { address: RELAY, added: ADDED.into() }));

    // It renews without the relay, and stays where it is.
    let mut renew = message(MessageType::Request);
    renew.set_ciaddr([10, 5, 0, 50]);
    let (ack, to, lease) = answer(&mut server, 0, &renew, 300).unwrap();
    assert_eq!((ack.yiaddr(), to), ([10, 5, 0, 50].into(), To::Client([10, 5, 0, 50].into())));
    assert_eq!(lease.unwrap().relay.unwrap().added.as_ref(), ADDED, "where it is is not forgotten");
}

#[test]
fn the_relay_may_name_another_network_and_none_elsewhere() {
    let mut server = server();
    // RFC 3527: reached at one address, asking for a network of another.
    let named = relayed(MessageType::Discover, &[5, 4, 10, 6, 0, 1]);
    assert_eq!(answer(&mut server, 0, &named, 1).unwrap().0.yiaddr(), Ipv4Addr::new(10, 6, 0, 50));
    let mut forged = relayed(MessageType::Discover, ADDED);
    assert!(answer(&mut server, 1, &forged, 2).is_none(), "a guest cannot empty the pools of others");
    forged.set_giaddr([192, 168, 40, 77]);
    assert!(answer(&mut server, 1, &forged, 2).is_none());
    forged.set_giaddr([10, 99, 0, 1]);
    assert!(answer(&mut server, 0, &forged, 2).is_none(), "a network that nobody wrote down");
}

#[test]
fn another_host_behind_the_relay_keeps_its_address() {
    let mut server = server();
    let asked = relayed(MessageType::Discover, ADDED);
    let Action::Probe(address) = say(&mut server, 0, &asked, 5) else { panic!("no probe") };
    assert!(matches!(server.conflict(address, 5), Action::Commit(_, None)));
    assert_eq!(answer(&mut server, 0, &asked, 5).unwrap().0.yiaddr(), Ipv4Addr::new(10, 5, 0, 51));
}

#[test]
fn who_boots_from_the_network_gets_the_file_for_it() {
    let mut server = server();
    let mut boots = |options: &[(u8, &[u8])]| {
        let mut asked = message(MessageType::Discover);
        asked.opts_mut().insert(DhcpOption::ParameterRequestList(vec![OptionCode::BootfileName]));
        for (code, value) in options {
            let option = UnknownOption::new(OptionCode::Unknown(*code), value.to_vec());
            asked.opts_mut().insert(DhcpOption::Unknown(option));
        }
        let (offer, _, _) = answer(&mut server, 0, &asked, 1).unwrap();
        let Some(DhcpOption::BootfileName(file)) = offer.opts().get(OptionCode::BootfileName).cloned() else {
            panic!("no file in {offer}")
        };
        assert!(offer.fname().unwrap().starts_with(&file), "the same in the header");
        (String::from_utf8(file).unwrap(), offer.siaddr().octets()[3])
    };
    assert_eq!(boots(&[]), ("bios".to_owned(), 5));
    assert_eq!(boots(&[(93, &[0, 0])]), ("bios".to_owned(), 5));
    assert_eq!(boots(&[(93, &[0, 7])]), ("x64.efi".to_owned(), 6));
    assert_eq!(boots(&[(93, &[0, 7]), (77, b"iPXE")]), ("http://192.168.40.5/menu".to_owned(), 5));
    assert_eq!(boots(&[(93, &[0, 7]), (77, b"\x04iPXE")]), ("http://192.168.40.5/menu".to_owned(), 5));
}
