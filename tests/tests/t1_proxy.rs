//! Exits by proxies that others wrote: who is sent by one is seen outside as the proxy alone, in both families and in its
//! questions for names; what a proxy does not carry is stopped; nothing leaves another way, whatever dies; and what is wrong
//! with a proxy is told in words.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Child, Internet, Marker, Namespace, Scratch, files, proxies, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

fn now(cell: &Cell, words: &str) -> String {
    cell.picctl(words).unwrap().ok().unwrap_or_else(|error| panic!("{words}: {error:#}\n{}", cell.log()))
}

fn soon(what: &str, cell: &Cell, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 60, what, condition).unwrap_or_else(|error| {
        let list = cell.picctl("exit list --json").map(|out| out.stdout).unwrap_or_default();
        panic!("{error:#}\n{list}\n{}", cell.log())
    });
}

/// The file of a login, as a person would write it.
fn login(cell: &Cell, password: &str) -> String {
    let path = cell.path(&format!("login-{password}"));
    files::write(&path, format!("{}\n{password}\n", proxies::LOGIN[0])).unwrap();
    path.display().to_string()
}

/// Lets a device try by TCP, UDP and ping, in both families, while `work` is done.
fn while_trying(device: &Namespace, secret: &Marker, work: impl FnOnce()) {
    let (web, echo) = (Internet::web().unwrap(), Internet::udp_echo().unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let trying = scope.spawn(|| {
            let mut tried = 0_u32;
            while tried < 2 || !stop.load(Ordering::Relaxed) {
                for family in 0..2 {
                    // That nothing comes of it is what is hoped for, or not looked at.
                    let _ = device.send_udp(echo[family], secret.bytes());
                    let _ = device.ping(address::OUTSIDE[family], 1, Some(secret));
                    let path = format!("/{}", secret.hex());
                    let _ = device.http_get(web[family], &path, Duration::from_millis(300));
                }
                tried += 1;
            }
        });
        work();
        stop.store(true, Ordering::Relaxed);
        trying.join().unwrap();
    });
}

/// What the outside name server was asked about a name.
fn asked(lab: &Internet, name: &str) -> Vec<String> {
    let queries = lab.dns.as_ref().unwrap().queries().unwrap().into_iter();
    queries.map(|line| line.to_lowercase()).filter(|line| line.contains(&format!("{name}."))).collect()
}

fn dig(device: &Namespace, name: &str) -> String {
    device.run(&format!("dig +short +time=8 +tries=1 {name}")).unwrap().stdout.trim().to_owned()
}

/// Sends megabytes to a server that answers when it has them all: whether they are the same there.
fn digest(lab: &Internet, device: &Namespace) {
    let mut server = lab.outside.command("socat");
    server.args(["TCP4-LISTEN:9000,reuseaddr,fork", "SYSTEM:head -c 8388608 | sha256sum"]);
    let _server = Child::spawn(server).unwrap();
    wait::until(SECOND * 20, "the server", || {
        !lab.outside.run("ss -Hltn sport = :9000").unwrap().stdout.trim().is_empty()
    })
    .unwrap();
    let told = device.enter(|| {
        let mut stream = TcpStream::connect((address::OUTSIDE[0], 9000)).unwrap();
        stream.set_read_timeout(Some(SECOND * 30)).unwrap();
        stream.write_all(&vec![b'x'; 8 << 20]).unwrap();
        let mut told = [0; 64];
        stream.read_exact(&mut told).unwrap();
        String::from_utf8_lossy(&told).into_owned()
    });
    // `head -c 8388608 /dev/zero | tr '\0' x | sha256sum`
    let expected = "0c77bc0a0795a93612d45256897456d0fcb24f151c44c150d07ecd03f4ef5168";
    assert_eq!(told.unwrap(), expected);
}

#[test]
fn who_is_sent_by_a_proxy_leaves_by_it_alone_whatever_happens() {
    let lab = Internet::start().unwrap();
    let place = proxies::place(&lab).unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let by_proxy = |family: usize| {
        Internet::seen_as(phone, family, SECOND * 8).as_deref() == Some(proxies::PLACE[family])
    };
    soon("the way out", &cell, || {
        Internet::seen_as(phone, 0, SECOND * 8).as_deref() == Some(address::CELL[0])
    });
    // Whatever leaves for somebody else than the proxy. The controls: it is seen, by UDP and by TCP.
    let [v4, v6] = proxies::PLACE;
    let mut wire = Capture::start(&lab.cell, "eth0", &format!("not host {v4} and not host {v6}")).unwrap();
    wire.prove(|marker| phone.send_udp(Internet::udp_echo()?[0], marker.bytes())).unwrap();
    let clear = Marker::random().unwrap();
    phone.http_get(Internet::web().unwrap()[1], &format!("/{}", clear.hex()), SECOND * 8).unwrap();
    wait::until(SECOND * 5, "the page on the wire", || wire.count(&clear).unwrap() > 0).unwrap();
    let secret = Marker::random().unwrap();

    // Before anybody is there.
    let file = login(&cell, proxies::LOGIN[1]);
    now(
        &cell,
        &format!("exit add office --kind socks5 --proxy {v4}:{} --credentials {file}", proxies::SOCKS5),
    );
    now(&cell, "peer set phone --exit office");
    let shown = || now(&cell, "exit show office");
    while_trying(phone, &secret, || {
        soon("that it is known to be dead", &cell, || shown().contains("nobody takes connections"));
    });
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 8), None);

    // It comes up.
    let mut proxy = proxies::socks5(&place).unwrap();
    soon("the proxy", &cell, || now(&cell, "exit show office --json").contains("\"state\":\"up\""));
    for family in 0..2 {
        soon("a page by the proxy", &cell, || by_proxy(family));
    }
    let leaks = cell.picctl("exit test office --leaks").unwrap();
    assert!(leaks.code() == 0, "{}{}", leaks.stdout, leaks.stderr);
    let why = now(&cell, "why phone internet:443");
    assert!(why.contains("by an exit on this host"), "{why}");
    while_trying(phone, &secret, || {});
    wire.ensure_none(&secret).unwrap();
    for family in 0..2 {
        assert!(
            !phone.ping(address::OUTSIDE[family], 1, None).unwrap().all_back(),
            "a proxy carries no ping"
        );
    }
    digest(&lab, phone);
    // A port where nobody listens is one where nobody answers, and not an empty page.
    assert!(
        phone
            .http_get((address::OUTSIDE[0].parse::<std::net::IpAddr>().unwrap(), 9).into(), "/", SECOND * 8)
            .is_err()
    );
    // Its names are asked by the proxy, and are right.
    assert_eq!(dig(phone, address::OUTSIDE_NAME), address::OUTSIDE[0]);
    dig(phone, &format!("for-the-phone.{}", address::OUTSIDE_NAME));
    let queries = asked(&lab, "for-the-phone");
    assert!(!queries.is_empty() && queries.iter().all(|line| line.contains(v4)), "{queries:?}");

    for attack in ["nft flush ruleset", "ip rule flush", "ip -6 rule flush", "ip link del pic0"] {
        while_trying(phone, &secret, || {
            lab.cell.run(attack).unwrap().ok().unwrap();
            soon(attack, &cell, || by_proxy(0) && by_proxy(1));
        });
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("{attack}: {error:#}"));
    }
    while_trying(phone, &secret, || {
        assert_eq!(cell.kill_service("pic-exit").unwrap(), 1);
        soon("the relay anew", &cell, || by_proxy(0));
        proxy.stop(Signal::SIGKILL, SECOND * 5).unwrap();
        soon("that the proxy is known to be dead", &cell, || shown().contains("nobody takes connections"));
    });
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 8), None);
    let mut proxy = proxies::socks5(&place).unwrap();
    soon("the proxy anew", &cell, || by_proxy(0));
    wire.ensure_none(&secret).unwrap();

    // Nobody is there to repair anything.
    cell.kill_agent().unwrap();
    assert!(by_proxy(0), "it goes on without the agent");
    assert_eq!(cell.kill_service("pic-exit").unwrap(), 1);
    while_trying(phone, &secret, || {});
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 8), None);
    while_trying(phone, &secret, || lab.cell.run("nft flush ruleset").unwrap().ok().map(drop).unwrap());
    wire.ensure_none(&secret).unwrap();
    dig(phone, &format!("hidden.{}", address::OUTSIDE_NAME));
    assert!(asked(&lab, "hidden").is_empty());
    cell.start_agent().unwrap();
    soon("the exit after the agent's return", &cell, || by_proxy(0) && by_proxy(1));

    // The password is where nobody sees it.
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    assert!(
        toml.contains(".auth")
            && !toml.contains(proxies::LOGIN[1])
            && !cell.log().contains(proxies::LOGIN[1])
    );
    let refused = cell.picctl("exit remove office").unwrap();
    assert!(refused.code() != 0 && refused.stderr.contains("peer phone"), "{}", refused.stderr);
    now(&cell, "exit disable office");
    while_trying(phone, &secret, || {});
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 8), None);
    now(&cell, "peer set phone --exit none");
    now(&cell, "exit remove office");
    soon("the uplink again", &cell, || {
        Internet::seen_as(phone, 0, SECOND * 8).as_deref() == Some(address::CELL[0])
    });
    assert_eq!(cell.kill_service("pic-exit").unwrap(), 0);
    proxy.stop(Signal::SIGKILL, SECOND * 5).unwrap();
}

#[test]
fn the_next_proxy_of_a_list_takes_over_and_gives_back() {
    let lab = Internet::start().unwrap();
    let place = proxies::place(&lab).unwrap();
    let scratch = Scratch::new("proxies").unwrap();
    let mut first = proxies::socks5(&place).unwrap();
    // The outside host is a proxy, too, and told by its name.
    let _second = proxies::http(&lab.outside, &scratch).unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let file = login(&cell, proxies::LOGIN[1]);
    let [v4, v6] = proxies::PLACE;
    now(
        &cell,
        &format!("exit add office --kind socks5 --proxy [{v6}]:{} --credentials {file}", proxies::SOCKS5),
    );
    let named = format!("{}:{}", address::OUTSIDE_NAME, proxies::HTTP);
    now(&cell, &format!("exit add web --kind http --proxy {named} --credentials {file}"));
    now(&cell, "peer set phone --exit office,web");
    let leaves_by = |family: usize, place: [&str; 2]| {
        Internet::seen_as(phone, family, SECOND * 8).as_deref() == Some(place[family])
    };
    soon("the first", &cell, || leaves_by(0, [v4, v6]) && leaves_by(1, [v4, v6]));
    let up = |name: &str| now(&cell, &format!("exit show {name} --json")).contains("\"state\":\"up\"");
    soon("both", &cell, || up("office") && up("web"));
    first.stop(Signal::SIGKILL, SECOND * 5).unwrap();
    soon("the second", &cell, || leaves_by(0, address::OUTSIDE) && leaves_by(1, address::OUTSIDE));
    dig(phone, &format!("by-the-second.{}", address::OUTSIDE_NAME));
    let queries = asked(&lab, "by-the-second");
    assert!(
        !queries.is_empty() && !queries.iter().any(|line| line.contains(address::CELL[0])),
        "{queries:?}"
    );
    let _first = proxies::socks5(&place).unwrap();
    soon("the first again", &cell, || leaves_by(0, [v4, v6]));
}

#[test]
fn what_is_wrong_with_a_proxy_is_told_in_words_and_one_that_leads_back_is_refused() {
    let lab = Internet::start().unwrap();
    let place = proxies::place(&lab).unwrap();
    let _proxy = proxies::socks5(&place).unwrap();
    let server = |port: u16, does: &str| {
        let mut command = place.command("socat");
        command.args([format!("TCP4-LISTEN:{port},reuseaddr,fork"), format!("SYSTEM:{does}")]);
        Child::spawn(command).unwrap()
    };
    let (_foreign, _silent) = (server(22, "echo SSH-2.0-x; cat"), server(1081, "sleep 60"));
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let v4 = proxies::PLACE[0];
    let wrong = login(&cell, "wrong");
    for (name, rest) in [
        ("wrong", format!("--kind socks5 --proxy {v4}:1080 --credentials {wrong}")),
        ("nobody", format!("--kind socks5 --proxy {v4}:1080")),
        ("closed", format!("--kind http --proxy {v4}:4")),
        ("foreign", format!("--kind http --proxy {v4}:22")),
        ("silent", format!("--kind socks5 --proxy {v4}:1081")),
        (
            "liar",
            format!(
                "--kind socks5 --proxy {v4}:1080 --credentials {} --dns 198.51.100.54",
                login(&cell, proxies::LOGIN[1])
            ),
        ),
        ("unknown", "--kind socks5 --proxy nobody.outside.example:1080".to_owned()),
    ] {
        now(&cell, &format!("exit add {name} {rest}"));
    }
    for (name, words) in [
        ("wrong", "refuses user and password"),
        ("nobody", "wants a user and a password"),
        ("closed", "nobody takes connections"),
        ("foreign", "no proxy that speaks HTTP"),
        ("silent", "the proxy does not answer within"),
        ("liar", "the proxy does not"),
        ("unknown", "name does not resolve"),
    ] {
        soon(words, &cell, || now(&cell, &format!("exit show {name}")).contains(words));
    }
    let all = now(&cell, "exit list");
    assert!(all.contains("nobody.outside.example:1080"), "{all}");

    let refused = |words: &str, because: &str| {
        let out = cell.picctl(words).unwrap();
        assert!(out.code() == 3 && out.stderr.contains(because), "{words}: {} {}", out.code(), out.stderr);
    };
    for at in ["127.0.0.1", address::CELL[0], "10.77.0.1"] {
        let because = if at == "127.0.0.1" { "no other host" } else { "this cell itself" };
        refused(&format!("exit add loop --kind socks5 --proxy {at}:1080"), because);
    }
    // A device that would carry itself.
    cell.add("nas", "").unwrap();
    now(&cell, "exit add nas --kind socks5 --proxy 10.77.0.2:1080");
    refused("peer set nas --exit nas", "leaves by nas itself");
    // Nobody could be asked for names.
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    let inside = cell.path("inside.toml");
    files::write(
        &inside,
        toml.replace("198.51.100.53", "192.168.1.1")
            .replace("[[exit]]\nname = \"wrong\"", "[[exit]]\nname = \"new\""),
    )
    .unwrap();
    refused(&format!("apply -f {}", inside.display()), "none of the cell's resolvers is on the internet");
}
