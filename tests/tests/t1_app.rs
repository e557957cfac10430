//! Apps: programs in a network namespace of their own reach what is granted to them, are reached by whom that is granted, and
//! leave by their exit alone, whatever happens to it, the agent, the firewall and the cable.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::echo::Echo;
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Marker, Namespace, Provider, files, wait};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n\n\
    [[app]]\nname = \"torrent\"\n\n[[app]]\nname = \"files\"\n\n\
    [[test]]\nfrom = \"torrent\"\nto = \"files:80\"\nexpect = \"blocked\"\n";

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 20, what, condition).unwrap();
}

fn now(cell: &Cell, words: &str) -> String {
    cell.picctl(words).unwrap().ok().unwrap_or_else(|error| panic!("{words}: {error:#}\n{}", cell.log()))
}

fn json(cell: &Cell, words: &str) -> Value {
    serde_json::from_str(&now(cell, words)).unwrap()
}

/// What `picctl app list` says of one.
fn listed(cell: &Cell, name: &str) -> Value {
    let list = json(cell, "app list --json");
    let found = list["items"].as_array().unwrap().iter().find(|app| app["name"] == name);
    found.unwrap_or_else(|| panic!("{list}")).clone()
}

fn addresses(cell: &Cell, name: &str) -> [IpAddr; 2] {
    let list = listed(cell, name);
    [0, 1].map(|family| list["addresses"][family].as_str().unwrap().parse().unwrap())
}

/// The cell and both namespaces, once the cables are there.
fn start(lab: &Internet) -> (Cell, Namespace, Namespace) {
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    for name in ["torrent", "files"] {
        wait::until(SECOND * 20, "the cable", || listed(&cell, name)["connected"] == true).unwrap_or_else(
            |error| {
                panic!(
                    "{error:#}\n{}\n{}",
                    cell.log(),
                    files::tail(&cell.path(&format!("run/pic-app@{name}.service.log")), 20)
                )
            },
        );
    }
    let (torrent, files) = (cell.app("torrent").unwrap(), cell.app("files").unwrap());
    let cell_at = "ip route get 198.51.100.10";
    soon("its addresses at the cell", || {
        let way = torrent.run(cell_at).unwrap().stdout;
        let gateway =
            way.split_whitespace().skip_while(|word| *word != "via").nth(1).unwrap_or("?").to_owned();
        torrent
            .run(&format!("dig +short +time=1 +tries=1 torrent.home.cell @{gateway}"))
            .unwrap()
            .stdout
            .starts_with("10.79.")
    });
    (cell, torrent, files)
}

fn dig(who: &Namespace, name: &str) -> String {
    who.run(&format!("dig +short +time=2 +tries=2 {name}")).unwrap().stdout.trim().to_owned()
}

fn get(who: &Namespace, at: [IpAddr; 2]) -> [bool; 2] {
    at.map(|at| who.http_get(SocketAddr::new(at, 80), "/", SECOND).is_ok())
}

#[test]
fn an_app_reaches_and_is_reached_by_grants_alone() {
    let lab = Internet::start().unwrap();
    let (mut cell, torrent, files) = start(&lab);
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    soon("the phone's way out", || Internet::seen_as(&lab.client, 0, SECOND).is_some());
    let (torrent_at, files_at) = (addresses(&cell, "torrent"), addresses(&cell, "files"));
    let _serving =
        [(&torrent, torrent_at), (&files, files_at)].map(|(who, at)| Echo::start(who, &at).unwrap());

    // Names and nothing else, before anything is granted.
    assert_eq!(dig(&torrent, "torrent.home.cell"), torrent_at[0].to_string());
    assert_eq!(dig(&torrent, address::OUTSIDE_NAME), address::OUTSIDE[0]);
    assert_eq!(dig(&torrent, "files.home.cell"), "", "who may not reach it does not resolve it");
    assert_eq!(dig(&lab.client, "torrent.home.cell"), "");
    for family in 0..2 {
        assert_eq!(Internet::seen_as(&torrent, family, SECOND), None);
    }
    assert_eq!(get(&torrent, files_at), [false; 2]);
    assert_eq!(get(&lab.client, torrent_at), [false; 2]);
    for cell_at in ["10.77.0.1", address::CELL[0], address::CELL[1]] {
        assert!(!torrent.ping(cell_at, 1, None).unwrap().all_back(), "{cell_at}");
    }
    assert!(!torrent.ping("10.77.0.2", 1, None).unwrap().all_back());

    // The internet, under the address of the cell, in both families; and nothing in the cell.
    now(&cell, "grant torrent internet");
    for family in 0..2 {
        soon("the way out", || {
            Internet::seen_as(&torrent, family, SECOND).as_deref() == Some(address::CELL[family])
        });
    }
    assert_eq!(Internet::seen_as(&files, 0, SECOND), None);
    assert_eq!(get(&torrent, files_at), [false; 2]);
    assert!(now(&cell, "why torrent internet:443").contains("allowed"));
    assert!(now(&cell, "who internet").contains("torrent"));
    let top = json(&cell, "top --json");
    let used = top["items"].as_array().unwrap().iter().find(|one| one["name"] == "torrent").unwrap().clone();
    assert_eq!(used["kind"], "app");
    assert!(
        used["sent"]["bytes"].as_u64().unwrap() > 100 && used["received"]["bytes"].as_u64().unwrap() > 100,
        "{used}"
    );

    // A port of it to a peer, and its name with it.
    now(&cell, "grant phone torrent:80");
    soon("the app's page", || get(&lab.client, torrent_at) == [true; 2]);
    assert_eq!(dig(&lab.client, "torrent.home.cell"), torrent_at[0].to_string());
    assert!(
        lab.client.ask_udp(SocketAddr::new(torrent_at[0], 7), b"x", SECOND).is_err(),
        "another port of it"
    );
    assert_eq!(get(&lab.client, files_at), [false; 2]);

    // Under no address but its own.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap();
    for to in echo {
        wire.prove(|marker| torrent.send_udp(to, marker.bytes())).unwrap();
    }
    let secret = Marker::random().unwrap();
    torrent.ip("address add 10.77.0.2/32 dev lo").unwrap();
    torrent.ip("address add 2001:db8:77::1/128 dev lo nodad").unwrap();
    for (own, to) in [("10.77.0.2", address::OUTSIDE[0]), ("2001:db8:77::1", address::OUTSIDE[1])] {
        let pings =
            torrent.run(&format!("ping -n -c 3 -i 0.1 -W 1 -I {own} -p {} {to}", secret.hex())).unwrap();
        assert!(pings.stdout.contains("100% packet loss"), "{}", pings.stdout);
    }
    wire.ensure_none(&secret).unwrap();

    // A grant that the file's own test forbids is refused; without that test it is one.
    let refused = cell.picctl("grant torrent files:80").unwrap();
    assert!(refused.code() != 0 && refused.stderr.contains("files:80"), "{}", refused.stderr);

    // Somebody takes the cable, or the address at the cell's end.
    let link = listed(&cell, "torrent")["interface"].as_str().unwrap().to_owned();
    for attack in [
        format!("ip link del {link}"),
        format!("ip addr flush dev {link}"),
        format!("ip link set {link} down"),
    ] {
        lab.cell.run(&attack).unwrap().ok().unwrap();
        for family in 0..2 {
            wait::until(SECOND * 20, "the way out again", || {
                Internet::seen_as(&torrent, family, SECOND).is_some()
            })
            .unwrap_or_else(|error| panic!("{attack}: {error:#}\n{}", cell.log()));
        }
    }
    // It goes on without an agent.
    cell.kill_agent().unwrap();
    assert!((0..2).all(|family| Internet::seen_as(&torrent, family, SECOND).is_some()));
    assert_eq!(get(&torrent, files_at), [false; 2]);
    cell.start_agent().unwrap();

    now(&cell, "revoke torrent internet");
    soon("the end of it", || (0..2).all(|family| Internet::seen_as(&torrent, family, SECOND).is_none()));
    // Another address, and switched off.
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    let moved = toml.replace("name = \"torrent\"\n", "name = \"torrent\"\naddress = \"10.79.0.6\"\n");
    files::write(&cell.path("etc/cell.toml"), moved.clone()).unwrap();
    now(&cell, "apply --yes");
    soon("the new address", || {
        torrent.run("ip -4 -br addr show eth0").unwrap().stdout.contains("10.79.0.6/30")
    });
    soon("the cell at the other end", || {
        torrent.ping("10.79.0.5", 1, None).is_ok() && !dig(&torrent, "torrent.home.cell").is_empty()
    });
    let left = lab.cell.run("ip link").unwrap().stdout;
    assert!(!left.contains(&link) && left.contains("pic6001"), "{left}");
    files::write(
        &cell.path("etc/cell.toml"),
        moved.replace("10.79.0.6\"\n", "10.79.0.6\"\nenabled = false\n"),
    )
    .unwrap();
    now(&cell, "apply --yes");
    soon("its end", || !lab.cell.run("ip link").unwrap().stdout.contains("pic6001"));
    assert_eq!(listed(&cell, "torrent")["enabled"], false);

    cell.teardown().unwrap();
    let left = lab.cell.run("ip -br link").unwrap().stdout;
    assert!(!left.lines().any(|line| line.starts_with("pic")), "{left}");
    assert!(!cell.path("state/apps/files.json").exists());
}

#[test]
fn an_app_with_an_exit_leaves_by_it_alone() {
    let lab = Internet::start().unwrap();
    let nl = Provider::start(&lab, "nl", 40).unwrap();
    let (mut cell, torrent, files) = start(&lab);
    now(&cell, "grant torrent,files internet");
    soon("the way out", || Internet::seen_as(&torrent, 0, SECOND).as_deref() == Some(address::CELL[0]));
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap();
    for to in echo {
        wire.prove(|marker| torrent.send_udp(to, marker.bytes())).unwrap();
    }
    let secret = Marker::random().unwrap();

    // Before the exit first comes up.
    nl.connect(false).unwrap();
    let config = cell.path("nl.conf");
    files::write(&config, nl.config("DNS = 198.51.100.53").unwrap()).unwrap();
    now(&cell, &format!("exit add nl --file {}", config.display()));
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    let sent = toml.replace("name = \"torrent\"\n", "name = \"torrent\"\nexit = \"nl\"\n");
    files::write(&cell.path("etc/cell.toml"), sent).unwrap();
    now(&cell, "apply --yes");
    Internet::while_sending(&torrent, &secret, || wait::pause(SECOND)).unwrap();
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(&torrent, 0, SECOND), None);
    let refused = cell.picctl("exit remove nl").unwrap();
    assert!(refused.code() != 0 && refused.stderr.contains("app torrent"), "{}", refused.stderr);

    nl.connect(true).unwrap();
    let by_exit = || {
        (0..2).all(|family| {
            Internet::seen_as(&torrent, family, SECOND).as_deref() == Some(&nl.addresses[family])
        })
    };
    soon("the exit", by_exit);
    assert_eq!(
        Internet::seen_as(&files, 0, SECOND).as_deref(),
        Some(address::CELL[0]),
        "others leave as before"
    );
    assert_eq!(listed(&cell, "torrent")["leaves_by"], "nl");
    assert!(now(&cell, "why torrent internet:443").contains("exit nl"));
    // Names by the same way.
    for (who, name, from) in
        [(&torrent, "for-torrent", nl.addresses[0].as_str()), (&files, "for-files", address::CELL[0])]
    {
        let _ = dig(who, &format!("{name}.{}", address::OUTSIDE_NAME));
        let asked = lab.dns.as_ref().unwrap().queries().unwrap();
        let mine: Vec<_> =
            asked.iter().map(|line| line.to_lowercase()).filter(|line| line.contains(name)).collect();
        assert!(!mine.is_empty() && mine.iter().all(|line| line.contains(from)), "{mine:?}");
    }

    let link = listed(&cell, "torrent")["interface"].as_str().unwrap().to_owned();
    let attacks = [
        "nft flush ruleset".to_owned(),
        "ip rule flush".to_owned(),
        "ip -6 rule flush".to_owned(),
        format!("ip link del {link}"),
    ];
    for attack in &attacks {
        Internet::while_sending(&torrent, &secret, || {
            lab.cell.run(attack).unwrap().ok().unwrap();
            wait::until(SECOND * 30, "the exit again", by_exit)
                .unwrap_or_else(|error| panic!("{attack}: {error:#}\n{}", cell.log()));
        })
        .unwrap();
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("{attack}: {error:#}"));
    }
    // The exit dies, and nobody is there to see it.
    cell.kill_agent().unwrap();
    assert!(by_exit());
    Internet::while_sending(&torrent, &secret, || nl.connect(false).unwrap()).unwrap();
    for attack in ["nft flush ruleset".to_owned(), format!("ip link del {link}")] {
        Internet::while_sending(&torrent, &secret, || lab.cell.run(&attack).unwrap().ok().map(drop).unwrap())
            .unwrap();
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("without an agent, {attack}: {error:#}"));
    }
    assert_eq!(Internet::seen_as(&torrent, 0, SECOND), None);
    cell.start_agent().unwrap();
    nl.connect(true).unwrap();
    wait::until(SECOND * 60, "the exit after the agent's return", by_exit)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", cell.log()));
    wire.ensure_none(&secret).unwrap();
}
