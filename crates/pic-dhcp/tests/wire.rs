//! Our messages read by another implementation, and its messages by ours.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use pic_dhcp::server::{Action, PROBATION, Server};
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
    ask_at(server, message, 1000).unwrap()
}

/// The answer at a time, if there is one.
fn ask_at(server: &mut Server, message: &Message, now: u64) -> Option<(Message, To)> {
    let bytes = message.to_vec().unwrap();
    let Some(read) = wire::read(&bytes) else { panic!("our own message cannot be read") };
    let mut action = server.handle(0, &read, now);
    if let Action::Probe(address) = action {
        server.proved(address);
        action = server.handle(0, &read, now);
    }
    match action {
        Action::Send(reply) | Action::Commit(_, Some(reply)) => {
            Some((Message::decode(&mut Decoder::new(&reply.bytes)).unwrap(), reply.to))
        }
        Action::None | Action::Commit(_, None) => None,
        other => panic!("asked twice: {other:?}"),
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

/// What the device with this last byte of its hardware address says.
struct Device(u8);

impl Device {
    fn says(&self, kind: MessageType) -> Message {
        let mut message = Message::default();
        message.set_chaddr(&[2, 0, 0, 0, 0, self.0]).set_xid(7);
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        message
    }

    /// As a client that begins, or one that has chosen us.
    fn wants(&self, address: Ipv4Addr, is_chosen: bool) -> Message {
        let mut message = self.says(MessageType::Request);
        message.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
        if is_chosen {
            message.opts_mut().insert(DhcpOption::ServerIdentifier([192, 168, 40, 1].into()));
        }
        message
    }

    /// As a client that has an address: renewing and rebinding are the same but for whom they are sent to.
    fn uses(&self, kind: MessageType, address: Ipv4Addr) -> Message {
        let mut message = self.says(kind);
        message.set_ciaddr(address);
        message
    }

    fn begins(&self, server: &mut Server, now: u64) -> Ipv4Addr {
        let (offer, _) = ask_at(server, &self.says(MessageType::Discover), now).unwrap();
        let (ack, _) = ask_at(server, &self.wants(offer.yiaddr(), true), now).unwrap();
        assert_eq!((kind(&ack), ack.yiaddr()), (MessageType::Ack, offer.yiaddr()));
        ack.yiaddr()
    }
}

fn kind(message: &Message) -> MessageType {
    message.opts().msg_type().unwrap()
}

#[test]
fn a_client_keeps_its_address_through_reboots_and_moves_are_told() {
    let (mut server, device, other) = (server(), Device(1), Device(2));
    let own = device.begins(&mut server, 1000);
    // INIT-REBOOT: what it had, while the lease lasts and after it has ended.
    for now in [1100, 5000] {
        let (ack, _) = ask_at(&mut server, &device.wants(own, false), now).unwrap();
        assert_eq!((kind(&ack), ack.yiaddr()), (MessageType::Ack, own));
    }
    let (nak, to) = ask_at(&mut server, &other.wants(own, false), 5100).unwrap();
    assert_eq!((kind(&nak), to), (MessageType::Nak, To::Everyone), "it is another's");
    let (nak, _) = ask_at(&mut server, &device.wants([10, 1, 2, 3].into(), false), 5100).unwrap();
    assert_eq!(kind(&nak), MessageType::Nak, "it was carried here from another network");
    // Renewing and rebinding, also of what this server has forgotten: nobody else is told to have it.
    let (ack, to) = ask_at(&mut server, &device.uses(MessageType::Request, own), 5300).unwrap();
    assert_eq!((kind(&ack), ack.yiaddr(), to), (MessageType::Ack, own, To::Client(own)));
    let mut forgetful = self::server();
    let (ack, _) = ask_at(&mut forgetful, &device.uses(MessageType::Request, own), 5300).unwrap();
    assert_eq!((kind(&ack), ack.yiaddr()), (MessageType::Ack, own));
    assert_ne!(other.begins(&mut forgetful, 5300), own);
    let (nak, _) = ask_at(&mut server, &other.uses(MessageType::Request, own), 5400).unwrap();
    assert_eq!(kind(&nak), MessageType::Nak, "nobody renews what another has");
}

#[test]
fn released_addresses_wait_for_their_clients_and_declined_ones_rest() {
    let (mut server, device, other) = (server(), Device(1), Device(2));
    let own = device.begins(&mut server, 1000);
    assert!(ask_at(&mut server, &other.uses(MessageType::Release, own), 1001).is_none());
    assert!(ask_at(&mut server, &device.uses(MessageType::Release, own), 1002).is_none());
    assert_ne!(other.begins(&mut server, 1003), own, "others have addresses that nobody had, first");
    assert_eq!(device.begins(&mut server, 1004), own);

    let decline = |device: &Device| {
        let mut message = device.wants(own, true);
        message.opts_mut().insert(DhcpOption::MessageType(MessageType::Decline));
        message
    };
    assert!(ask_at(&mut server, &decline(&other), 1010).is_none());
    assert_eq!(device.begins(&mut server, 1011), own, "nobody declines what is another's");
    assert!(ask_at(&mut server, &decline(&device), 1012).is_none());
    // Nine are left of ten, for a while.
    let given: BTreeSet<_> = (1..=9).map(|n| Device(n).begins(&mut server, 1020)).collect();
    assert!(given.len() == 9 && !given.contains(&own), "{given:?}");
    let tenth = Device(10).says(MessageType::Discover);
    assert!(ask_at(&mut server, &tenth, 1600).is_none(), "it rests");
    for n in 1..=9 {
        Device(n).begins(&mut server, 1012 + PROBATION);
    }
    assert_eq!(Device(10).begins(&mut server, 1013 + PROBATION), own, "not for ever");
}
