//! The requesting router against a server of the test's own: what it says, and when.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pic_dhcp::delegation::{Client, Heard, Phase};
use pic_dhcp::prefixes::Life;
use pic_dhcp::v6::{Out, kind, option, read};

const DUID: [u8; 18] = [0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const SERVER: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 0, 1];

/// An answer to what the client said, with one prefix or a status.
fn answer(kind: u8, asked: &[u8], net: Option<(&str, u32)>, status: Option<u16>) -> Vec<u8> {
    let message = read(asked).unwrap();
    let mut out = Out::message(kind, message.xid);
    out.option(option::CLIENT_ID, &DUID).option(option::SERVER_ID, &SERVER);
    let mut ia = Out::fixed(&[&message.ias[0].id[..], &[0; 8]].concat());
    if let Some((net, valid)) = net {
        let net: ipnet::Ipv6Net = net.parse().unwrap();
        let life = [(valid / 2).to_be_bytes(), valid.to_be_bytes()].concat();
        ia.option(option::IA_PREFIX, &[&life[..], &[net.prefix_len()], &net.network().octets()].concat());
    }
    if let Some(status) = status {
        ia.status(status, "no");
    }
    out.option(option::IA_PD, ia.bytes());
    out.finish()
}

/// Lets time pass until the client says something.
fn next(client: &mut Client, now: &mut u64) -> Vec<u8> {
    for _ in 0..10 {
        *now = (*now).max(client.due());
        if let Some(said) = client.step(*now) {
            return said;
        }
    }
    panic!("the client says nothing")
}

#[test]
fn asks_takes_keeps_and_asks_again() {
    let (mut now, net) = (5000, "2001:db8:a00::/56");
    let mut client = Client::new(&DUID, Vec::new(), 77, now);
    let first = next(&mut client, &mut now);
    assert_eq!(first[0], kind::SOLICIT);
    let begin = now;
    let said = next(&mut client, &mut now);
    assert!((1000..=1100).contains(&(now - begin)), "again after a second and a little: {}", now - begin);
    // What is not for us, or of no use, is passed over.
    let mut foreign = answer(kind::ADVERTISE, &said, Some((net, 7200)), None);
    foreign[1] ^= 1;
    for bad in [
        foreign,
        answer(kind::ADVERTISE, &said, None, Some(6)),
        answer(kind::ADVERTISE, &said, Some(("2000::/3", 9)), None),
    ] {
        assert_eq!(client.hear(&bad, now), Heard::Nothing);
        assert_eq!(client.phase(), Phase::Solicit);
    }
    client.hear(&answer(kind::ADVERTISE, &said, Some((net, 7200)), None), now);
    let request = next(&mut client, &mut now);
    assert_eq!((request[0], read(&request).unwrap().server), (kind::REQUEST, Some(&SERVER[..])));
    let given = Heard::Given(vec![(net.parse().unwrap(), Life { preferred: 3600, valid: 7200 })]);
    assert_eq!(client.hear(&answer(kind::REPLY, &request, Some((net, 7200)), None), now), given);
    let bound = now;
    let renew = next(&mut client, &mut now);
    assert_eq!((renew[0], now - bound), (kind::RENEW, 1_800_000), "half the preferred time");
    // The server is silent: any other may answer, until it is over; then it begins anew.
    let mut last = renew;
    while last[0] == kind::RENEW {
        last = next(&mut client, &mut now);
    }
    assert_eq!((last[0], now - bound), (kind::REBIND, 2_880_000), "four fifths");
    while last[0] == kind::REBIND {
        last = next(&mut client, &mut now);
    }
    assert_eq!(last[0], kind::SOLICIT);
    assert!(now - bound >= 7_200_000);
}

#[test]
fn a_prefix_from_before_is_asked_for_and_may_be_another_now() {
    let mut now = 5000;
    let before = vec!["2001:db8:a00::/56".parse().unwrap()];
    let mut client = Client::new(&DUID, before.clone(), 77, now);
    let said = next(&mut client, &mut now);
    assert_eq!(said[0], kind::REBIND);
    let other = answer(kind::REPLY, &said, Some(("2001:db8:b00::/56", 600)), None);
    assert!(matches!(client.hear(&other, now), Heard::Given(all) if all.len() == 1 && all[0].0 != before[0]));
    let mut client = Client::new(&DUID, before.clone(), 77, now);
    let said = next(&mut client, &mut now);
    assert_eq!(
        client.hear(&answer(kind::REPLY, &said, None, Some(3)), now),
        Heard::Given(Vec::new()),
        "no more"
    );
    // Nobody answers: it goes on by asking everyone.
    let mut client = Client::new(&DUID, before, 77, now);
    let mut said = next(&mut client, &mut now);
    while said[0] == kind::REBIND {
        said = next(&mut client, &mut now);
    }
    assert_eq!(said[0], kind::SOLICIT);
    assert!(client.due() - now <= 4000);
}
