//! Exits by destination: what a device sends to names and networks with a way of their own leaves by that alone, in both
//! families, from the first packet after the name was looked up; all else leaves as before. Seen on the wires, with controls.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Marker, Namespace, Provider, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";
const EGRESS: &str = r#"
[[egress]]
from = ["phone"]
to = ["*.stream.outside.example"]
exit = ["nl", "us"]

[[egress]]
from = ["tv"]
to = ["198.51.100.20/31", "2001:db8:f::20/127"]
exit = ["us"]

[[test]]
from = "phone"
to = "a.stream.outside.example:443"
expect = "allowed"
"#;
const A: [&str; 2] = address::STREAMS[0];
const EDGE: [&str; 2] = address::STREAMS[1];

fn soon(what: &str, cell: &Cell, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 30, what, condition).unwrap_or_else(|error| panic!("{error:#}\n{}", cell.log()));
}

fn now(cell: &Cell, words: &str) -> String {
    cell.picctl(words).unwrap().ok().unwrap_or_else(|error| panic!("{words}: {error:#}\n{}", cell.log()))
}

fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse::<IpAddr>().unwrap(), port)
}

/// As whom an outside address sees a device.
fn seen_as(device: &Namespace, address: &str) -> Option<String> {
    let page = device.http_get(at(address, address::HTTP), "/", SECOND).ok()?;
    Some(page.trim_end().rsplit('\n').next()?.to_owned())
}

/// What a device is told of a name, with the name server's code.
fn dig(device: &Namespace, rtype: &str, name: &str) -> String {
    let answer = device.run(&format!("dig +time=8 +tries=1 {rtype} {name}.outside.example")).unwrap();
    answer.stdout
}

/// Lets a device send to these, while `work` is done.
fn while_sending(device: &Namespace, to: &[&str], secret: &Marker, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut sent = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                for address in to {
                    // That the kernel refuses is what is hoped for.
                    let _ = device.send_udp(at(address, address::ECHO), secret.bytes());
                    sent += 1;
                }
                wait::pause(Duration::from_millis(5));
            }
            sent
        });
        work();
        wait::pause(SECOND / 2);
        stop.store(true, Ordering::Relaxed);
        assert!(sending.join().unwrap() > 10);
    });
}

fn add_exit(cell: &Cell, name: &str, provider: &Provider) {
    let path = cell.path(&format!("{name}.conf"));
    files::write(&path, provider.config("DNS = 198.51.100.53").unwrap()).unwrap();
    now(cell, &format!("exit add {name} --file {}", path.display()));
}

/// Who asked the outside name server for a name.
fn asked(lab: &Internet, name: &str) -> Vec<String> {
    let queries = lab.dns.as_ref().unwrap().queries().unwrap().into_iter();
    queries.map(|line| line.to_lowercase()).filter(|line| line.contains(&format!(" {name}."))).collect()
}

#[test]
fn names_and_networks_leave_by_exits_of_their_own_whatever_happens() {
    let lab = Internet::start().unwrap();
    let (nl, us) = (Provider::start(&lab, "nl", 40).unwrap(), Provider::start(&lab, "us", 50).unwrap());
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let tv = &Namespace::new("tv").unwrap();
    lab.public.plug(tv, "eth0").unwrap();
    tv.address("eth0", "203.0.113.30/24").unwrap();
    tv.default_route(address::PROVIDER[0]).unwrap();
    let _tv = Device::connect(tv, "tv", &cell.add("tv", "").unwrap()).unwrap();
    soon("the way out", &cell, || seen_as(phone, A[0]).as_deref() == Some(address::CELL[0]));
    add_exit(&cell, "nl", &nl);
    add_exit(&cell, "us", &us);
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    files::write(&cell.path("etc/cell.toml"), toml + EGRESS).unwrap();
    now(&cell, "apply --yes");
    for name in ["nl", "us"] {
        soon("the exits", &cell, || {
            now(&cell, &format!("exit show {name} --json")).contains("\"state\":\"up\"")
        });
    }
    // The control: what leaves directly is seen.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    for family in 0..2 {
        let to = at(address::OUTSIDE[family], address::ECHO);
        wire.prove(|marker| phone.send_udp(to, marker.bytes())).unwrap();
    }
    let secret = Marker::random().unwrap();
    let is_by = |device: &Namespace, address: &str, provider: &Provider| {
        let own = &provider.addresses[usize::from(address.contains(':'))];
        seen_as(device, address).as_deref() == Some(own)
    };

    // From the first packet after the answer on; also what an alias leads to. Others leave as before.
    for family in 0..2 {
        let rtype = ["A", "AAAA"][family];
        for (name, address) in [("a.stream", A[family]), ("film.stream", EDGE[family])] {
            let mut answer = String::new();
            soon("an answer", &cell, || {
                answer = dig(phone, rtype, name);
                answer.contains(address)
            });
            let ttl = answer.lines().find(|line| line.ends_with(address)).unwrap();
            let ttl: u32 = ttl.split_whitespace().nth(1).unwrap().parse().unwrap();
            assert!((1..=300).contains(&ttl), "{answer}");
            phone.send_udp(at(address, address::ECHO), secret.bytes()).unwrap();
            assert!(is_by(phone, address, &nl), "{name}: {:?}\n{}", seen_as(phone, address), cell.log());
        }
        assert_eq!(seen_as(phone, address::OUTSIDE[family]).as_deref(), Some(address::CELL[family]));
        assert!(is_by(tv, A[family], &us) && is_by(tv, EDGE[family], &us), "the tv has a line of its own");
        assert_eq!(seen_as(tv, address::OUTSIDE[family]).as_deref(), Some(address::CELL[family]));
    }
    wire.ensure_none(&secret).unwrap();
    let of_phone = asked(&lab, "a.stream");
    assert!(
        !of_phone.is_empty() && of_phone.iter().all(|line| line.contains(&nl.addresses[0])),
        "{of_phone:?}"
    );
    dig(phone, "A", "other");
    assert!(asked(&lab, "other").iter().all(|line| line.contains(address::CELL[0])));
    let hints = dig(phone, "HTTPS", "a.stream");
    assert!(hints.contains("NOERROR") && hints.contains("ANSWER: 0"), "{hints}");
    let why = now(&cell, "why phone a.stream.outside.example:443");
    assert!(
        why.contains("an exit of its destination") && why.contains("exit nl") && why.contains(A[0]),
        "{why}"
    );
    let why = now(&cell, "why phone www.outside.example:443");
    assert!(!why.contains("an exit of its destination"), "{why}");
    assert!(now(&cell, "exit list").contains("*.stream.outside.example"));
    let refused = cell.picctl("exit remove nl").unwrap();
    assert!(refused.code() != 0 && refused.stderr.contains("[[egress]] number 1"), "{}", refused.stderr);

    // What was learnt comes back with the table, and by itself where it alone was taken.
    let both = [A[0], A[1]];
    for attack in ["nft flush ruleset", "nft delete table inet pic", "ip rule flush"] {
        while_sending(phone, &both, &secret, || {
            lab.cell.run(attack).unwrap().ok().unwrap();
            soon(attack, &cell, || both.iter().all(|address| is_by(phone, address, &nl)));
        });
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("{attack}: {error:#}"));
    }
    let sets = lab.cell.run("nft list sets inet").unwrap().stdout;
    let set =
        sets.split_whitespace().find(|word| word.starts_with("names_") && word.ends_with("_4")).unwrap();
    lab.cell.run(&format!("nft flush set inet pic {set}")).unwrap().ok().unwrap();
    soon("what was learnt", &cell, || is_by(phone, A[0], &nl));

    // Without the agent what is known goes on, and what is not known is not told.
    cell.kill_agent().unwrap();
    assert!(is_by(phone, A[0], &nl) && is_by(phone, A[1], &nl));
    assert!(dig(phone, "A", "a.stream").contains(A[0]), "what it knows is told while it is away");
    // Another name that the agent was not asked about: the tv's line has no names, so that nothing need be held.
    assert!(dig(tv, "A", "film.stream").contains(EDGE[0]));
    while_sending(phone, &both, &secret, || {
        lab.cell.run("nft flush ruleset").unwrap().ok().map(drop).unwrap()
    });
    wire.ensure_none(&secret).unwrap();
    cell.start_agent().unwrap();
    soon("the return of the agent", &cell, || both.iter().all(|address| is_by(phone, address, &nl)));

    // The next of the list takes over; with none nothing leaves, and no name is asked elsewhere.
    while_sending(phone, &both, &secret, || {
        nl.connect(false).unwrap();
        soon("the second exit", &cell, || both.iter().all(|address| is_by(phone, address, &us)));
        us.connect(false).unwrap();
        soon("that none is left", &cell, || now(&cell, "exit list").matches("down").count() == 2);
    });
    wire.ensure_none(&secret).unwrap();
    assert_eq!(seen_as(phone, A[0]), None);
    assert_eq!(seen_as(phone, address::OUTSIDE[0]).as_deref(), Some(address::CELL[0]));
    assert!(dig(phone, "A", "hidden.stream").contains("SERVFAIL"));
    assert!(asked(&lab, "hidden.stream").is_empty());
}

#[test]
fn an_address_that_the_agent_does_not_know_is_not_told() {
    let lab = Internet::start().unwrap();
    let nl = Provider::start(&lab, "nl", 40).unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    soon("the way out", &cell, || seen_as(phone, A[0]).as_deref() == Some(address::CELL[0]));
    add_exit(&cell, "nl", &nl);
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    let line = "\n[[egress]]\nto = [\"a.stream.outside.example\", \"edge.outside.example\"]\nexit = \"nl\"\n";
    files::write(&cell.path("etc/cell.toml"), toml + line).unwrap();
    now(&cell, "apply --yes");
    soon("an answer", &cell, || dig(phone, "A", "a.stream").contains(A[0]));
    cell.kill_agent().unwrap();
    assert!(dig(phone, "A", "a.stream").contains(A[0]));
    let held = dig(phone, "A", "edge");
    assert!(held.contains("SERVFAIL") && held.contains("cannot be set"), "{held}");
    let held = dig(phone, "AAAA", "film.stream");
    assert!(held.contains("SERVFAIL"), "an alias leads there: {held}");
    cell.start_agent().unwrap();
    soon("the answer", &cell, || dig(phone, "A", "edge").contains(EDGE[0]));
    soon("the exit", &cell, || seen_as(phone, EDGE[0]).as_deref() == Some(&nl.addresses[0]));
    // A power cut takes the kernel's memory and the name server's: the book has it, as soon as there is a firewall.
    let book = cell.path("state/egress.json");
    soon("the book", &cell, || files::read(&book).is_ok_and(|text| text.contains(EDGE[0])));
}
