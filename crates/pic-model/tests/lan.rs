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

#[test]
fn networks_behind_routers_and_the_uplinks_own() {
    let text = format!(
        "{CELL}[[lan]]\nname=\"lan\"\ninterface=\"eth1\"\nipv4=\"192.168.40.1/24\"\n\
         [[subnet]]\nname=\"upstairs\"\nlan=\"lan\"\nvia=\"192.168.40.2\"\nipv4=\"10.5.0.0/24\"\nallow=[\"internet\"]\n\
         [subnet.dhcp]\npool=\"10.5.0.50-10.5.0.99\"\noptions={{router=\"10.5.0.1\"}}\n\
         [[subnet.dhcp.boot]]\narchitecture=[\"uefi-x64\", \"27\"]\nuser_class=\"iPXE\"\nfile=\"menu\"\n\
         [[reservation]]\nlan=\"upstairs\"\nmac=\"00:11:22:33:44:55\"\naddress=\"10.5.0.10\"\n\
         [[lan]]\nname=\"home\"\ninterface=\"eth0\"\nipv4=\"192.168.1.5/24\"\nuplink=true\n\
         [lan.dhcp]\npool=\"192.168.1.100-192.168.1.199\"\noptions={{router=\"192.168.1.1\"}}\n"
    );
    let cell = parse(&text).unwrap();
    let subnet = &cell.subnets[&"upstairs".parse().unwrap()];
    assert_eq!((subnet.via.octets()[3], subnet.allow.len()), (2, 1));
    let boot = &subnet.dhcp.as_ref().unwrap().boot[0];
    assert_eq!((boot.architectures.as_slice(), boot.user_class.as_deref()), (&[7, 9, 27][..], Some("iPXE")));
    assert!(cell.lans[&"home".parse().unwrap()].uplink);
    assert_eq!(cell.network_of([10, 5, 0, 7].into()).unwrap().0.as_str(), "upstairs");
    for (right, wrong, path) in [
        ("lan=\"lan\"\nvia", "lan=\"attic\"\nvia", "subnet[0].lan"),
        ("via=\"192.168.40.2\"", "via=\"192.168.40.1\"", "subnet[0].via"),
        ("ipv4=\"192.168.40.1/24\"", "ipv4=\"10.5.0.1/16\"", "subnet[0].ipv4"),
        ("options={router=\"10.5.0.1\"}", "lease=\"1h\"", "subnet[0].dhcp.options.router"),
        ("options={router=\"192.168.1.1\"}", "lease=\"1h\"", "lan[1].dhcp.options.router"),
        ("uplink=true", "uplink=true\nallow=[\"cell\"]", "lan[1].uplink"),
        ("name=\"upstairs\"", "name=\"home\"", "subnet[0].name"),
        ("\"uefi-x64\"", "\"z80\"", "subnet[0].dhcp.boot[0].architecture[0]"),
    ] {
        assert!(text.contains(right), "{right}");
        let problems = parse(&text.replace(right, wrong)).expect_err(wrong);
        assert!(problems.0.iter().any(|problem| problem.path == path), "{path}: {problems}");
    }
}

#[test]
fn v6_addresses_to_hand_out_and_the_uplinks_prefix() {
    let lan = "[[lan]]\nname=\"lan\"\ninterface=\"eth1\"\nipv4=\"192.168.40.1/24\"\n";
    let cell = parse(&format!("{CELL}prefix=\"2001:db8:1::/56\"\n{lan}dhcp6={{}}\n")).unwrap();
    let dhcp6 = cell.lans[&"lan".parse().unwrap()].dhcp6.clone().unwrap();
    assert_eq!((dhcp6.pools.len(), dhcp6.lease, dhcp6.slaac, dhcp6.preference), (1, 43_200, true, 0));
    assert_eq!(dhcp6.pools[0].0.to_string(), "::1000");
    assert_eq!(dhcp6.ntp, None, "the cell, where it serves the time");
    let ntp = |text: &str| {
        let cell = parse(&format!("{CELL}\n{lan}dhcp6={{ntp={text}}}\n"))?;
        Ok::<_, pic_model::Problems>(cell.lans[&"lan".parse().unwrap()].dhcp6.clone().unwrap().ntp.unwrap())
    };
    assert_eq!(ntp("[]").unwrap(), []);
    let told: Vec<_> =
        ntp("[\"fd00::1\",\"time.example.org\"]").unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["fd00::1", "time.example.org"]);
    assert!(ntp("\"192.168.40.1\"").expect_err("v4").to_string().contains("for IPv6"));
    let bad = format!(
        "{CELL}prefix=\"2001:db8::/32\"\n{lan}ipv6=\"off\"\ndhcp6={{pool=[\"::9-::5\",\"::1-::5\",\"::10-::20\",\"::20-::30\"],preference=256}}\n\
         [[reservation]]\nlan=\"lan\"\nmac=\"00:11:22:33:44:55\"\naddress=\"192.168.40.10\"\naddress6=\"2001:db8::1\"\nduid=\"00\"\n"
    );
    let told = parse(&bad).expect_err("must be refused").to_string();
    for words in [
        "/40 to /64",
        "\"off\" on this LAN",
        "::9-::5",
        "::1-::5",
        "overlaps ::10",
        "256",
        "what follows a prefix",
        "DUID",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
