//! Our messages read by another implementation, and its messages by ours.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use pic_dhcp::server::{Action, Server};
use pic_dhcp::wire::{self, Kind, To};
use pic_model::snapshot::dhcp::DhcpSnapshot;

fn server() -> Server {
    let snapshot: DhcpSnapshot = serde_json::from_str(
        r#"{"version":1,"lans":[{"name":"lan","interface":"eth1","address":"192.168.40.1/24",
        "dhcp":{"pools":[["192.168.40.100","192.168.40.109"]],"lease":600,"next_server":"192.168.40.5","options":{
            "1":"ffffff00","3":"c0a82801","6":"c0a82801","15":"686f6d652e63656c6c","67":"626f6f74","121":"00c0a82801"}}}]}"#,
    )
    .unwrap();
    let mut server = Server::default();
    server.configure(&snapshot);
    server
}

fn discover() -> Message {
    let mut message = Message::default();
    message.set_chaddr(&[2, 0, 0, 0, 0, 1]).set_xid(0x0102_0304);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::Discover));
    options.insert(DhcpOption::Hostname("phone".into()));
    options.insert(DhcpOption::ParameterRequestList(vec![
        OptionCode::DomainName,
        OptionCode::ClasslessStaticRoute,
        OptionCode::BootfileName,
    ]));
    message
}

fn ask(server: &mut Server, message: &Message) -> (Message, To) {
    let bytes = message.to_vec().unwrap();
    let read = wire::read(&bytes).unwrap();
    let mut action = server.handle(0, &read, 1000);
    if let Action::Probe(address) = action {
        server.proved(address);
        action = server.handle(0, &read, 1000);
    }
    match action {
        Action::Send(reply) | Action::Commit(_, Some(reply)) => {
            (Message::decode(&mut Decoder::new(&reply.bytes)).unwrap(), reply.to)
        }
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn an_offer_says_what_was_asked_for() {
    let (offer, to) = ask(&mut server(), &discover());
    assert_eq!(offer.yiaddr().to_string(), "192.168.40.100");
    assert_eq!(to, To::Hardware([2, 0, 0, 0, 0, 1], offer.yiaddr()));
    let get = |code| offer.opts().get(code).cloned();
    assert_eq!(get(OptionCode::MessageType), Some(DhcpOption::MessageType(MessageType::Offer)));
    assert_eq!(get(OptionCode::AddressLeaseTime), Some(DhcpOption::AddressLeaseTime(600)));
    assert_eq!(get(OptionCode::Renewal), Some(DhcpOption::Renewal(300)));
    assert_eq!(get(OptionCode::DomainName), Some(DhcpOption::DomainName("home.cell".into())));
    assert!(get(OptionCode::ClasslessStaticRoute).is_some() && get(OptionCode::Router).is_some());
    assert_eq!(offer.siaddr().to_string(), "192.168.40.5");
    assert!(offer.fname().is_some_and(|file| file.starts_with(b"boot")));
}

#[test]
fn relays_get_their_option_back_and_flags_are_obeyed() {
    let mut message = discover();
    message.set_flags(Flags::default().set_broadcast());
    assert_eq!(ask(&mut server(), &message).1, To::Everyone);
    message.set_giaddr([192, 168, 40, 7]);
    let mut bytes = message.to_vec().unwrap();
    let end = bytes.iter().rposition(|byte| *byte == 255).unwrap();
    bytes.splice(end..end, [82, 6, 1, 4, b'p', b'o', b'r', b't']);
    let mut server = server();
    let read = wire::read(&bytes).unwrap();
    let Action::Send(reply) = server.handle(0, &read, 1000) else { panic!("relayed ones are not probed") };
    assert_eq!(reply.to, To::Relay([192, 168, 40, 7].into()));
    assert_eq!(wire::read(&reply.bytes).unwrap().relay, Some(&[1, 4, b'p', b'o', b'r', b't'][..]));
    message.set_giaddr([10, 0, 0, 1]);
    let bytes = message.to_vec().unwrap();
    assert_eq!(server.handle(0, &wire::read(&bytes).unwrap(), 1000), Action::None, "a network nobody knows");
}

#[test]
fn wrong_addresses_are_refused_and_strangers_left_alone() {
    let request = |address: [u8; 4]| {
        let mut message = discover();
        message.opts_mut().insert(DhcpOption::MessageType(MessageType::Request));
        message.opts_mut().insert(DhcpOption::RequestedIpAddress(address.into()));
        message
    };
    let (nak, to) = ask(&mut server(), &request([10, 0, 0, 5]));
    assert_eq!(nak.opts().msg_type(), Some(MessageType::Nak));
    assert_eq!(to, To::Everyone);
    let bytes = request([192, 168, 40, 105]).to_vec().unwrap();
    let silent = server().handle(0, &wire::read(&bytes).unwrap(), 1);
    assert_eq!(silent, Action::None, "RFC 2131 section 4.3.2: no record, no word");
    let mut inform = discover();
    inform.opts_mut().insert(DhcpOption::MessageType(MessageType::Inform));
    inform.set_ciaddr([192, 168, 40, 50]);
    let (ack, to) = ask(&mut server(), &inform);
    assert!(ack.yiaddr().is_unspecified() && ack.opts().get(OptionCode::AddressLeaseTime).is_none());
    assert_eq!((ack.opts().msg_type(), to), (Some(MessageType::Ack), To::Client([192, 168, 40, 50].into())));
    assert_eq!(wire::read(&bytes).unwrap().kind, Kind::Request);
}
