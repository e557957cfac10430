//! Names of a whole cell as devices see them: records by picctl, what is shown to whom, zones asked elsewhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Namespace, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";
const CELL4: &str = "10.77.0.1";
/// A question for the address of printer.home.cell, id 7.
const PRINTER: &[u8] =
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07printer\x04home\x04cell\x00\x00\x01\x00\x01";

fn dig(device: &Namespace, words: &str) -> String {
    device.run(&format!("dig +time=2 +tries=1 @{CELL4} {words}")).unwrap().stdout.trim().to_owned()
}

fn short(device: &Namespace, words: &str) -> String {
    dig(device, &format!("+short {words}"))
}

fn picctl(cell: &Cell, words: &str) -> String {
    cell.picctl(words)
        .unwrap()
        .ok()
        .unwrap_or_else(|error| panic!("picctl {words}: {error:#}\n{}", cell.log()))
}

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 20, what, condition).unwrap();
}

/// Asks again and again until told to stop; how many questions, and how many of them nobody answered.
fn ask_on(device: &Namespace, stop: &AtomicBool) -> (usize, usize) {
    let (mut asked, mut lost) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        asked += 1;
        lost += usize::from(device.ask_udp(format!("{CELL4}:53").parse().unwrap(), PRINTER, SECOND).is_err());
    }
    (asked, lost)
}

#[test]
fn nobody_outside_is_answered() {
    let lab = Internet::start().unwrap();
    // Even where the firewall is out of the way.
    for stance in ["closed", "open"] {
        let config = format!("{CELL_TOML}\n[firewall]\ninbound = \"{stance}\"\n");
        let _cell = Cell::start(&lab.cell, &config).unwrap();
        soon("the cell's names", || short(&lab.cell, "home.cell") == CELL4);
        let stranger = Namespace::new("stranger").unwrap();
        lab.public.plug(&stranger, "eth0").unwrap();
        stranger.address("eth0", "203.0.113.30/24").unwrap();
        stranger.run(&format!("ip route add 10.77.0.0/16 via {}", address::CELL[0])).unwrap().ok().unwrap();
        let wire = Capture::start(&lab.cell, "eth0", "port 53").unwrap();
        for target in [CELL4, address::CELL[0]] {
            for way in ["+notcp", "+tcp", "+notcp -t ANY"] {
                let text =
                    stranger.run(&format!("dig +time=1 +tries=1 {way} @{target} home.cell")).unwrap().stdout;
                assert!(!text.contains("status:"), "{stance}: {target} answers {way}: {text}");
            }
        }
        // Questions came in, and an answer would have been seen: that of the resolver outside is.
        let resolver = address::OUTSIDE_DNS[0];
        let control = format!("dig +time=2 +short @{resolver} {}", address::OUTSIDE_NAME);
        assert_eq!(lab.cell.run(&control).unwrap().stdout.trim(), address::OUTSIDE[0]);
        wire.wait_for("the control", SECOND * 5, |packet| {
            packet.sockets().is_some_and(|(from, _)| from.port() == 53 && from.ip().to_string() == resolver)
        })
        .unwrap();
        let packets = wire.stop().unwrap();
        let sockets: Vec<_> = packets.iter().filter_map(|packet| packet.sockets()).collect();
        let of_stranger = |ip: IpAddr| ip.to_string() == "203.0.113.30";
        assert!(sockets.iter().any(|(from, to)| of_stranger(from.ip()) && to.port() == 53), "{stance}");
        let answers = packets.iter().filter(|packet| {
            packet.sockets().is_some_and(|(from, to)| from.port() == 53 && of_stranger(to.ip()))
                && packet.protocol() == Some(17)
        });
        assert_eq!(answers.count(), 0, "{stance}: strangers were answered");
    }
}

#[test]
fn records_are_answered_within_a_second_and_no_question_is_lost() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    soon("the tunnel", || short(&lab.client, "home.cell") == CELL4);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask_on(&lab.client, &stop));
        for n in 20..25 {
            let value = format!("192.168.40.{n}");
            picctl(&cell, &format!("dns add printer A {value}"));
            let begin = Instant::now();
            while !short(&lab.client, "printer.home.cell").contains(&value) {
                assert!(begin.elapsed() < SECOND, "not answered within a second");
            }
        }
        stop.store(true, Ordering::Relaxed);
        let (asked, lost) = asking.join().unwrap();
        assert!(asked > 100 && lost == 0, "{lost} of {asked} questions lost");
    });

    picctl(&cell, "dns remove printer");
    assert!(dig(&lab.client, "printer.home.cell").contains("NXDOMAIN"));
    assert_eq!(cell.picctl("dns remove printer").unwrap().code(), 1);
    let refused = cell.picctl("dns add phone A 192.0.2.1").unwrap();
    assert_eq!(refused.code(), 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("is the name of a peer"), "{}", refused.stderr);

    let zone = "$TTL 1h\n@ IN SOA ns hm 1 2 3 4 5\n@ MX 10 mail.example.org.\n@ TXT \"v=spf1 -all\"\n\
        nas A 192.168.40.10\nwww CNAME nas\n*.apps A 10.77.0.1\nout CNAME www.outside.example.\n\
        _ipp._tcp SRV 0 0 631 nas\n10.40.168.192.in-addr.arpa. PTR nas\n";
    files::write(&cell.path("zone"), zone).unwrap();
    picctl(&cell, &format!("dns import {}", cell.path("zone").display()));
    for (words, wanted) in [
        ("home.cell MX", "10 mail.example.org."),
        ("home.cell TXT", "\"v=spf1 -all\""),
        ("www.home.cell", "nas.home.cell.\n192.168.40.10"),
        ("any.thing.apps.home.cell", "10.77.0.1"),
        ("_ipp._tcp.home.cell SRV", "0 0 631 nas.home.cell."),
        ("-x 192.168.40.10", "nas.home.cell."),
    ] {
        assert_eq!(short(&lab.client, words), wanted, "{words}");
    }
    assert_eq!(
        short(&lab.client, "out.home.cell"),
        format!("{}.\n{}", address::OUTSIDE_NAME, address::OUTSIDE[0])
    );
    let listed = picctl(&cell, "dns list --json nas");
    assert!(listed.contains("\"total\":4"), "{listed}");
    files::write(&cell.path("bad"), "a A nowhere\nb.example.org. A 192.0.2.1\n").unwrap();
    let refused = cell.picctl(&format!("dns import {}", cell.path("bad").display())).unwrap();
    assert!(refused.code() == 3 && refused.stderr.contains(":1:"), "{}", refused.stderr);
}

#[test]
fn each_device_sees_what_is_for_it() {
    let lab = Internet::start().unwrap();
    let toml = format!(
        "{CELL_TOML}\n[[dns.forward]]\nzone = \"office.cell\"\nupstreams = [\"{}\"]\n",
        address::OUTSIDE_DNS[0]
    );
    let cell = Cell::start(&lab.cell, &toml).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let tv_place = Namespace::new("tv").unwrap();
    lab.public.plug(&tv_place, "eth0").unwrap();
    tv_place.address("eth0", "203.0.113.30/24").unwrap();
    tv_place.default_route(address::PROVIDER[0]).unwrap();
    let _tv = Device::connect(&tv_place, "tv", &cell.add("tv", "--allow cell").unwrap()).unwrap();
    let guest = cell.add("guest", "--allow internet").unwrap();
    assert!(guest.contains("10.77.0.4"));
    soon("both tunnels", || {
        short(&lab.client, "home.cell") == CELL4 && short(&tv_place, "home.cell") == CELL4
    });
    picctl(&cell, "dns add nas A 192.168.40.10");
    picctl(&cell, "dns add nas A 192.168.40.11 --for tv");
    picctl(&cell, "dns add secret TXT hush --for phone");

    assert_eq!(short(&lab.client, "phone.home.cell"), "10.77.0.2", "itself");
    assert_eq!(short(&lab.client, "-x 10.77.0.2"), "phone.home.cell.");
    assert!(dig(&lab.client, "tv.home.cell").contains("NXDOMAIN"), "devices do not reach each other");
    assert!(dig(&lab.client, "-x 10.77.0.3").contains("NXDOMAIN"));
    assert_eq!(short(&lab.client, "nas.home.cell"), "192.168.40.10");
    assert_eq!(short(&tv_place, "nas.home.cell"), "192.168.40.11", "another address for the tv");
    assert_eq!(short(&lab.client, "secret.home.cell TXT"), "\"hush\"");
    assert!(dig(&tv_place, "secret.home.cell TXT").contains("NXDOMAIN"));
    assert_eq!(short(&lab.client, address::OUTSIDE_NAME), address::OUTSIDE[0]);
    assert_eq!(
        short(&tv_place, address::OUTSIDE_NAME),
        address::OUTSIDE[0],
        "its own internet needs names, too"
    );
    assert!(dig(&tv_place, "office.cell").contains("REFUSED"), "asked at the office, which does not know it");

    // A list for the phone alone, excepting one name beneath what it blocks.
    files::write(&cell.path("ads"), "0.0.0.0 outside.example\n").unwrap();
    let lists = format!(
        "\n[[dns.blocklist]]\nname = \"ads\"\nsource = \"{}\"\nfor = [\"phone\"]\n",
        cell.path("ads").display()
    );
    let text = files::read(&cell.path("etc/cell.toml")).unwrap() + &lists;
    files::write(&cell.path("etc/cell.toml"), &text).unwrap();
    picctl(&cell, "apply --yes");
    soon("the list", || dig(&lab.client, address::OUTSIDE_NAME).contains("blocked by a list"));
    assert_eq!(short(&lab.cell, address::OUTSIDE_NAME), address::OUTSIDE[0], "not for the host");
    assert!(
        picctl(&cell, &format!("dns query {} --as phone", address::OUTSIDE_NAME)).contains("by the list ads")
    );
    // Told every few seconds.
    soon("the list in the statistics", || picctl(&cell, "dns stats").contains("ads: 1 names"));
    picctl(&cell, "config set --yes dns.allow [\"www.outside.example\"]");
    soon("the exception", || short(&lab.client, address::OUTSIDE_NAME) == address::OUTSIDE[0]);

    // The guest has the internet and nothing of the cell but its own name. It is asked for by picctl.
    let why = |words: &str| picctl(&cell, &format!("dns query {words}"));
    assert!(why("guest --as guest").contains("10.77.0.4"));
    assert!(why("nas --as guest").contains("may not see it"));
    let hidden = why("tv --as phone");
    assert!(hidden.contains("NXDOMAIN") && hidden.contains("may not see it"), "{hidden}");
    assert!(why("tv").contains("10.77.0.3"), "the host sees all");
    assert!(why("office.cell --as tv").contains("dns.forward"));
    assert!(why(&format!("{} --as phone", address::OUTSIDE_NAME)).contains("198.51.100.53:53"));
    let stats = picctl(&cell, "dns stats");
    assert!(stats.contains("asked upstream"), "{stats}");
    assert!(picctl(&cell, "dns flush").contains("answers forgotten"));
    assert_eq!(cell.picctl("dns query x --as nobody").unwrap().code(), 1);
}

/// What the clock shows so many minutes from now, in UTC, as the cell's clock by default.
fn clock(minutes: u64) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 60 + minutes;
    format!("{:02}:{:02}", now / 60 % 24, now % 60)
}

#[test]
fn a_group_is_blocked_on_a_schedule() {
    let lab = Internet::start().unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _tablet = Device::connect(&lab.client, "tablet", &cell.add("tablet", "").unwrap()).unwrap();
    soon("the tunnel", || short(&lab.client, "home.cell") == CELL4);
    picctl(&cell, "group add kids");
    let refused = cell.picctl("peer set tablet --groups kid").unwrap();
    assert!(refused.code() == 3 && refused.stderr.contains("did you mean \"kids\"?"), "{}", refused.stderr);
    picctl(&cell, "peer set tablet --groups kids");
    assert!(picctl(&cell, "group show kids").contains("tablet"));
    files::write(&cell.path("social"), "0.0.0.0 outside.example\n").unwrap();
    let plain = files::read(&cell.path("etc/cell.toml")).unwrap();
    let applied = |cell: &Cell, when: &str| {
        let text = format!(
            "{plain}\n[[dns.blocklist]]\nname = \"social\"\nsource = \"{}\"\nfor = [\"kids\"]\nwhen = \"{when}\"\n",
            cell.path("social").display()
        );
        files::write(&cell.path("etc/cell.toml"), &text).unwrap();
        picctl(cell, "apply --yes");
    };
    let is_blocked = || dig(&lab.client, address::OUTSIDE_NAME).contains("blocked by a list");
    applied(&cell, &format!("daily {}-{}", clock(1_380), clock(60)));
    soon("the list", is_blocked);
    let why = picctl(&cell, &format!("dns query {} --as tablet", address::OUTSIDE_NAME));
    assert!(why.contains("by the list social, which counts every day from"), "{why}");
    assert_eq!(short(&lab.cell, address::OUTSIDE_NAME), address::OUTSIDE[0], "not for the host");
    let refused = cell.picctl("group remove kids").unwrap();
    assert!(refused.code() == 3 && refused.stderr.contains("kids"), "{}", refused.stderr);
    cell.kill_agent().unwrap();
    assert!(is_blocked(), "without the agent, too");
    cell.start_agent().unwrap();
    applied(&cell, &format!("daily {}-{}", clock(60), clock(120)));
    soon("no list", || short(&lab.client, address::OUTSIDE_NAME) == address::OUTSIDE[0]);
    assert!(picctl(&cell, "dns stats").contains("does not count now"));
    picctl(&cell, "peer set tablet --groups none");
    assert!(!picctl(&cell, "group show kids").contains("tablet"));
}

#[test]
fn names_by_tls_and_who_asked_for_them() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    soon("the tunnel", || short(&lab.client, "home.cell") == CELL4);
    let [certificate, key] = ["fullchain.pem", "privkey.pem"].map(|name| cell.path(name));
    let renew = || {
        let (certificate, key) = (certificate.display(), key.display());
        let made = format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=home.cell \
             -addext subjectAltName=DNS:home.cell -out {certificate} -keyout {key}"
        );
        lab.cell.run(&made).unwrap().ok().unwrap();
    };
    renew();
    let tls = format!(
        "\n[dns.tls]\ncertificate = \"{}\"\nkey = \"{}\"\nhttps = true\n",
        certificate.display(),
        key.display()
    );
    let text = files::read(&cell.path("etc/cell.toml")).unwrap() + &tls;
    files::write(&cell.path("etc/cell.toml"), &text).unwrap();
    picctl(&cell, "apply --yes");
    picctl(&cell, "config set --yes dns.query_log 100");

    let kdig = |words: &str| {
        let ca = certificate.display();
        let line =
            format!("kdig @{CELL4} +time=3 +retry=0 +tls-ca={ca} +tls-hostname=home.cell +short {words}");
        lab.client.run(&line).unwrap().stdout.trim().to_owned()
    };
    soon("DNS over TLS", || kdig("+tls phone.home.cell") == "10.77.0.2");
    assert_eq!(kdig("+https phone.home.cell"), "10.77.0.2");
    assert_eq!(kdig(&format!("+tls {}", address::OUTSIDE_NAME)), address::OUTSIDE[0]);
    // A renewed certificate, without a restart; the old one is not trusted by then.
    renew();
    soon("the new certificate", || kdig("+tls phone.home.cell") == "10.77.0.2");
    // Nobody else comes near those ports.
    let stranger = Namespace::new("stranger").unwrap();
    lab.public.plug(&stranger, "eth0").unwrap();
    stranger.address("eth0", "203.0.113.30/24").unwrap();
    stranger.run(&format!("ip route add 10.77.0.0/16 via {}", address::CELL[0])).unwrap().ok().unwrap();
    for target in [CELL4, address::CELL[0]] {
        for port in [853, 443] {
            let talk = format!("socat -T1 - TCP:{target}:{port},connect-timeout=1");
            assert_ne!(stranger.run(&talk).unwrap().code(), 0, "{target}:{port} is open to strangers");
        }
    }

    let log = picctl(&cell, "dns log --client phone");
    let named = format!(" phone {} A forwarded NOERROR by tls ", address::OUTSIDE_NAME);
    assert!(
        log.contains(&named) && log.contains(" phone phone.home.cell A local NOERROR by https "),
        "{log}"
    );
    let clients = picctl(&cell, "dns stats --clients");
    assert!(clients.contains("phone (10.77.0.2)"), "{clients}");
    assert!(picctl(&cell, "dns stats").contains("clients by TLS"));

    files::write(&certificate, "no certificate").unwrap();
    soon("the trouble in the doctor's words", || {
        cell.picctl("doctor").unwrap().stdout.contains("the one before is shown")
    });
    picctl(&cell, "config set --yes dns.query_log 0");
    assert_eq!(cell.picctl("dns log").unwrap().code(), 1);
}

#[test]
fn the_internet_is_answered_only_when_asked_for_and_only_what_is_for_it() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    soon("the cell's names", || short(&lab.cell, "home.cell") == CELL4);
    let stranger = Namespace::new("stranger").unwrap();
    lab.public.plug(&stranger, "eth0").unwrap();
    stranger.address("eth0", "203.0.113.30/24").unwrap();
    let own = address::CELL[0];
    let ask = |words: &str| {
        stranger.run(&format!("dig +time=1 +tries=1 @{own} {words}")).unwrap().stdout.trim().to_owned()
    };
    picctl(&cell, "dns add www A 192.0.2.80 --for outside");
    picctl(&cell, "dns add nas A 192.168.40.10");
    assert!(!ask("www.home.cell").contains("status:"), "not before it is asked for");
    picctl(&cell, "config set --yes dns.outside true");
    soon("the answer", || ask("+short www.home.cell") == "192.0.2.80");
    assert_eq!(ask("+short +tcp www.home.cell"), "192.0.2.80");
    for (words, code) in
        [("nas.home.cell", "NXDOMAIN"), (address::OUTSIDE_NAME, "REFUSED"), ("localhost", "REFUSED")]
    {
        let text = ask(words);
        assert!(
            text.contains(&format!("status: {code}")) && !text.contains("flags: qr rd ra"),
            "{words}: {text}"
        );
    }
    assert!(dig(&lab.cell, "www.home.cell").contains("192.0.2.80"), "the host sees everything");
    // A flood: a part of it is answered, a part is asked to come by TCP, and so much as it asks it does not get.
    let flood = (0..300).map(|_| "www.home.cell A\n").collect::<String>();
    files::write(&cell.path("flood"), &flood).unwrap();
    let words = format!("dig +time=1 +tries=1 +ignore @{own} -f {}", cell.path("flood").display());
    let text = stranger.run(&words).unwrap().stdout;
    assert!(
        text.contains("flags: qr aa tc") || text.contains("flags: qr tc"),
        "nobody was asked to come by TCP"
    );
    assert!(
        picctl(&cell, "dns stats").lines().any(|line| {
            line.contains("asked too often from outside") && !line.trim_end().ends_with("\t0")
        })
    );
    picctl(&cell, "config set --yes dns.outside false");
    soon("silence", || !ask("www.home.cell").contains("status:"));
}
