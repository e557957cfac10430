//! `[[lan]]` and `[[reservation]]` as a person would write them, rightly and wrongly.

use pic_model::config::parse;
use pic_model::dhcp_option as option;

const CELL: &str = "[cell]\nname = \"home\"\n[uplink]\ninterface = \"eth0\"\n";

#[test]
fn a_lan_with_its_defaults() {
    let cell = parse(&format!(
        "{CELL}[[lan]]\nname=\"lan\"\ninterface=\"eth1\"\nipv4=\"192.168.40.1/24\"\ndhcp={{pool=\"192.168.40.100-192.168.40.199\"}}\n\
         [[reservation]]\nlan=\"lan\"\nmac=\"00:11:22:33:44:55\"\naddress=\"192.168.40.10\"\nname=\"nas\"\n"
    ))
    .unwrap();
    let lan = &cell.lans[&"lan".parse().unwrap()];
    assert_eq!(lan.device(), "eth1");
    assert_eq!(lan.allow.len(), 2);
    let dhcp = lan.dhcp.as_ref().unwrap();
    assert_eq!((dhcp.lease, dhcp.pools.len(), dhcp.beside_another), (43_200, 1, false));
    assert_eq!(cell.reservations.len(), 1);
}

#[test]
fn options_in_words_and_numbers() {
    let cell = parse(&format!(
        "{CELL}[[lan]]\nname=\"lan\"\ninterface=\"eth1\"\nvlan=20\nipv4=\"192.168.40.1/24\"\n[lan.dhcp]\npool=[\"192.168.40.50-192.168.40.60\",\"192.168.40.10-192.168.40.20\"]\nlease=\"1h\"\n\
         [lan.dhcp.options]\nrouter=[]\ndns=\"192.168.40.2\"\nroutes=\"10.0.0.0/8 via 192.168.40.3\"\nsearch=[\"a.example\",\"b.example\"]\nmtu=1400\n150=\"ip:192.168.40.4\"\n224=\"text:hi\"\n"
    ))
    .unwrap();
    let lan = &cell.lans[&"lan".parse().unwrap()];
    assert_eq!(lan.device(), "pic20");
    let dhcp = lan.dhcp.as_ref().unwrap();
    assert_eq!(dhcp.pools[0].0.to_string(), "192.168.40.10", "in order");
    let get = |code: u8| dhcp.options[&code].as_slice();
    assert_eq!(get(option::ROUTER), b"");
    assert_eq!(get(option::DNS), [192, 168, 40, 2]);
    assert_eq!(get(option::CLASSLESS_ROUTES), [8, 10, 192, 168, 40, 3]);
    assert_eq!(get(option::SEARCH), b"\x01a\x07example\x00\x01b\x07example\x00");
    assert_eq!((get(option::MTU), get(150), get(224)), (&[5, 120][..], &[192, 168, 40, 4][..], &b"hi"[..]));
}

#[test]
fn everything_wrong_is_told_at_its_place() {
    let lan = |name: &str, rest: &str| format!("[[lan]]\nname = \"{name}\"\n{rest}\n");
    let text = [
        CELL.to_owned(),
        lan("a", "interface = \"eth0\"\nipv4 = \"10.77.4.1/24\""),
        lan("b", "interface = \"eth1\"\nipv4 = \"192.168.40.1/24\""),
        lan("b", "interface = \"eth1\"\nipv4 = \"192.168.0.1/16\""),
        "[[reservation]]\nlan = \"x\"\nmac = \"00:11:22:33:44:55\"\naddress = \"192.168.40.9\"\n".to_owned(),
        "[[reservation]]\nlan = \"b\"\nmac = \"00:11:22:33:44:55\"\naddress = \"192.168.41.9\"\nname = \"nas\"\n".to_owned(),
        "[[reservation]]\nlan = \"b\"\nmac = \"00:11:22:33:44:55\"\naddress = \"192.168.40.1\"\nname = \"nas\"\n".to_owned(),
    ]
    .concat();
    insta::assert_snapshot!(parse(&text).expect_err("must be refused").to_string());
}

#[test]
fn values_that_cannot_be() {
    let dhcp = "[lan.dhcp]\npool = [\"192.168.40.9-192.168.40.5\", \"192.168.40.1-192.168.40.5\", \"192.168.41.2-192.168.41.3\", \"x\", \"192.168.40.20-192.168.40.30\", \"192.168.40.30-192.168.40.40\"]\nlease = \"5s\"\n\
        [lan.dhcp.options]\nmtu = 5\n53 = \"u8:1\"\n3 = \"ip:1.2.3.4\"\nrouter = \"192.168.40.1\"\n225 = \"what:1\"\nroutes = \"10.0.0.0/8\"\nvendor = \"1\"\nntp-server = \"1.2.3.4\"\n";
    let text = format!(
        "{CELL}[[lan]]\nname = \"Lan\"\ninterface = \"pic0\"\nvlan = 4095\nipv4 = \"192.168.40.0/24\"\n[[lan]]\nname = \"ok\"\ninterface = \"eth2\"\nipv4 = \"192.168.40.1/24\"\nallow = [\"all\"]\n{dhcp}[[reservation]]\nlan = \"ok\"\naddress = \"1.2.3.4.5\"\nmac = \"1\"\n"
    );
    insta::assert_snapshot!(parse(&text).expect_err("must be refused").to_string());
}
