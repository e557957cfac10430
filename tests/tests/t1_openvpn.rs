//! An exit by OpenVPN, with Debian's own openvpn at both ends: who is sent by it is seen outside from the provider's addresses
//! alone, in both families and in questions for names, and nothing leaves in clear, whatever dies. What the server says is wrong
//! is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::openvpn::{PASSWORD, USER};
use pic_lab::{Capture, Internet, Marker, Namespace, OpenvpnServer, Provider, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

fn now(cell: &Cell, words: &str) -> String {
    cell.picctl(words).unwrap().ok().unwrap_or_else(|error| panic!("{words}: {error:#}\n{}", cell.log()))
}

/// Adds an exit by a provider's file, with this password, as a person would.
fn add_exit(cell: &Cell, name: &str, config: &str, password: &str) {
    let (file, credentials) = (cell.path(&format!("{name}.ovpn")), cell.path(&format!("{name}.txt")));
    files::write(&file, config).unwrap();
    files::write(&credentials, format!("{USER}\n{password}\n")).unwrap();
    let files = format!("--file {} --credentials {}", file.display(), credentials.display());
    now(cell, &format!("exit add {name} --kind openvpn {files}"));
}

fn shown(cell: &Cell, name: &str) -> serde_json::Value {
    serde_json::from_str(&now(cell, &format!("exit show {name} --json"))).unwrap()
}

/// What the outside name server was asked about a name.
fn asked(lab: &Internet, name: &str) -> Vec<String> {
    let queries = lab.dns.as_ref().unwrap().queries().unwrap().into_iter();
    queries.map(|line| line.to_lowercase()).filter(|line| line.contains(&format!("{name}."))).collect()
}

/// As its unit runs it: as another user, with the power to make interfaces alone, of which openvpn gets none. What it needs is
/// copied to where that user may go, in a place that ends with it. The device that makes interfaces is everybody's where udev runs,
/// but not on every machine that runs tests.
fn runs_without_power(host: &Namespace, cell: &Cell, link: &str) {
    let root = pic_lab::openvpn::root().unwrap();
    let script = format!(
        "set -e; mount -t tmpfs -o mode=755 none /mnt; mkdir -p /mnt/usr
         mknod -m 666 /mnt/tun c 10 200; mount --bind /mnt/tun /dev/net/tun
         cp {exit} /mnt/pic-exit; cp {snapshot} /mnt/snapshot
         root={root}; [ $root = / ] || {{ cp -r $root/usr/sbin $root/usr/lib /mnt/usr; cp -r $root/lib /mnt 2>/dev/null || :; root=/mnt; }}
         export LD_LIBRARY_PATH=$(ls -d /mnt/lib/*-linux-gnu /mnt/usr/lib/*-linux-gnu 2>/dev/null | paste -sd:)
         chown -R 65534:65534 /mnt; exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
         --inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin --bounding-set=-all,+net_admin \
         /mnt/pic-exit openvpn --interface {link} --snapshot /mnt/snapshot --status /mnt/status --run /mnt/run --openvpn $root",
        exit = pic_lab::cell::programs().join("pic-exit").display(),
        snapshot = cell.path(&format!("state/openvpn/{link}.json")).display(),
        root = root.display(),
    );
    let mut command = host.command("sh");
    command.arg("-c").arg(script);
    let mut unit = pic_lab::Child::spawn(command).unwrap();
    let status = format!("/proc/{}/root/mnt/status", unit.pid());
    let told = || files::read(std::path::Path::new(&status)).unwrap_or_default();
    wait::until(SECOND * 60, "the tunnel of one without power", || told().contains("\"connected\":true"))
        .unwrap_or_else(|error| panic!("{error:#}\n{}", told()));
    let pids = host.run(&format!("ip netns pids {}", host.name())).unwrap().stdout;
    let is_powerless = |pid: &str| {
        let status = files::read(std::path::Path::new(&format!("/proc/{pid}/status"))).unwrap_or_default();
        ["Name:\topenvpn", "Uid:\t65534", "CapPrm:\t0000000000000000"]
            .iter()
            .all(|word| status.contains(word))
    };
    assert!(pids.split_whitespace().any(is_powerless), "{pids}");
    unit.stop(nix::sys::signal::Signal::SIGTERM, SECOND * 20).unwrap();
}

#[test]
fn who_is_sent_by_openvpn_leaves_by_it_alone_whatever_happens() {
    let lab = Internet::start().unwrap();
    let mut nl = OpenvpnServer::start(&lab, "nl", 40).unwrap();
    let mut cell = Cell::with_openvpn(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let soon = |what: &str, nl: &OpenvpnServer, cell: &Cell, condition: &mut dyn FnMut() -> bool| {
        wait::until(SECOND * 90, what, condition).unwrap_or_else(|error| {
            let show = cell.picctl("exit show nl").map(|out| out.stdout).unwrap_or_default();
            panic!("{error:#}\n{show}\n{}\n{}", cell.log(), nl.log())
        });
    };
    soon("the way out", &nl, &cell, &mut || {
        Internet::seen_as(phone, 0, SECOND * 2).as_deref() == Some(address::CELL[0])
    });
    // The control: what leaves in clear is seen on the wire.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap();
    wire.prove(|marker| phone.send_udp(echo[0], marker.bytes())).unwrap();
    wire.prove(|marker| phone.send_udp(echo[1], marker.bytes())).unwrap();
    let secret = Marker::random().unwrap();

    // Before it first comes up: the provider is away.
    nl.connect(false).unwrap();
    add_exit(&cell, "nl", &nl.config("").unwrap(), PASSWORD);
    now(&cell, "peer set phone --exit nl");
    Internet::while_sending(phone, &secret, || {
        soon("that it is on its way", &nl, &cell, &mut || now(&cell, "exit list").contains("coming up, "));
    })
    .unwrap();
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 2), None);

    // It comes up.
    nl.connect(true).unwrap();
    let addresses = nl.addresses.clone();
    let by_it = |family: usize| {
        Internet::seen_as(phone, family, SECOND * 2).as_deref() == Some(addresses[family].as_str())
    };
    for family in 0..2 {
        soon("the exit", &nl, &cell, &mut || by_it(family));
    }
    soon("its state", &nl, &cell, &mut || shown(&cell, "nl")["state"] == "up");
    let show = shown(&cell, "nl");
    assert_eq!(show["dns"], serde_json::json!([address::OUTSIDE_DNS[0]]));
    let why = now(&cell, "why phone internet:443");
    assert!(why.contains("exit nl"), "{why}");
    let leaks = cell.picctl("exit test nl --leaks").unwrap();
    assert!(leaks.code() == 0, "{}{}", leaks.stdout, leaks.stderr);
    // Its names are asked by the exit.
    let dig = |name: &str| {
        phone.run(&format!("dig +short +time=4 +tries=2 {name}.{}", address::OUTSIDE_NAME)).unwrap()
    };
    dig("for-the-phone");
    let queries = asked(&lab, "for-the-phone");
    assert!(!queries.is_empty() && queries.iter().all(|line| line.contains(&addresses[0])), "{queries:?}");
    // The host itself goes where it went before, whatever the server pushed.
    assert_eq!(Internet::seen_as(&lab.cell, 0, SECOND * 2).as_deref(), Some(address::CELL[0]));
    let mut out = Capture::start(&nl.place, "eth0", "").unwrap();
    out.prove(|marker| phone.send_udp(echo[0], marker.bytes())).unwrap();

    let link = show["interface"].as_str().unwrap().to_owned();
    for attack in [
        "nft flush ruleset".to_owned(),
        "ip rule flush".to_owned(),
        "ip -6 rule flush".to_owned(),
        format!("ip link set {link} down"),
        format!("ip link del {link}"),
    ] {
        Internet::while_sending(phone, &secret, || {
            lab.cell.run(&attack).unwrap().ok().unwrap();
            soon(&attack, &nl, &cell, &mut || by_it(0) && by_it(1));
        })
        .unwrap();
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("{attack}: {error:#}"));
    }
    Internet::while_sending(phone, &secret, || {
        assert_eq!(cell.kill_program("usr/sbin/openvpn").unwrap(), 1);
        soon("openvpn anew", &nl, &cell, &mut || by_it(0));
    })
    .unwrap();
    wire.ensure_none(&secret).unwrap();
    Internet::while_sending(phone, &secret, || {
        nl.run(false).unwrap();
        soon("that it is known to be dead", &nl, &cell, &mut || shown(&cell, "nl")["state"] == "down");
    })
    .unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 2), None);
    nl.run(true).unwrap();
    soon("the server's return", &nl, &cell, &mut || by_it(0));
    wire.ensure_none(&secret).unwrap();

    // Nobody is there to repair anything.
    cell.kill_agent().unwrap();
    assert!(by_it(0), "it goes on without the agent");
    cell.kill_program("pic-exit").unwrap();
    wait::until(SECOND * 10, "openvpn's end", || cell.kill_program("usr/sbin/openvpn").unwrap() == 0)
        .unwrap();
    Internet::while_sending(phone, &secret, || {}).unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 2), None);
    runs_without_power(&lab.cell, &cell, &link);
    Internet::while_sending(phone, &secret, || {
        lab.cell.run("nft flush ruleset").unwrap().ok().map(drop).unwrap()
    })
    .unwrap();
    wire.ensure_none(&secret).unwrap();
    dig("hidden");
    assert!(asked(&lab, "hidden").is_empty());
    cell.start_agent().unwrap();
    soon("the exit after the agent's return", &nl, &cell, &mut || by_it(0) && by_it(1));

    // Nothing comes in by it.
    let own = show["addresses"][0].as_str().unwrap();
    assert!(!nl.place.ping(own, 1, None).unwrap().all_back());
    let toml = files::read(&cell.path("etc/cell.toml")).unwrap();
    let logs = toml
        + &cell.log()
        + &files::read(&cell.path(&format!("run/pic-openvpn@{link}.service.log"))).unwrap();
    for word in [PASSWORD, USER, "PRIVATE KEY"] {
        assert!(!logs.contains(word), "{word}");
    }
    let refused = cell.picctl("exit remove nl").unwrap();
    assert!(refused.code() != 0 && refused.stderr.contains("peer phone"), "{}", refused.stderr);
    now(&cell, "exit disable nl");
    Internet::while_sending(phone, &secret, || {}).unwrap();
    wire.ensure_none(&secret).unwrap();
    assert_eq!(Internet::seen_as(phone, 0, SECOND * 2), None);
    now(&cell, "peer set phone --exit none");
    now(&cell, "exit remove nl");
    soon("the uplink again", &nl, &cell, &mut || {
        Internet::seen_as(phone, 0, SECOND * 2).as_deref() == Some(address::CELL[0])
    });
    assert!(!lab.cell.run("ip link").unwrap().stdout.contains(&link));
    assert_eq!(cell.kill_program("pic-exit").unwrap() + cell.kill_program("usr/sbin/openvpn").unwrap(), 0);
}

#[test]
fn when_openvpn_dies_the_next_takes_over_and_a_wrong_password_is_told() {
    let lab = Internet::start().unwrap();
    let nl = OpenvpnServer::start(&lab, "nl", 40).unwrap();
    let (us, de) = (Provider::start(&lab, "us", 50).unwrap(), Provider::start(&lab, "de", 60).unwrap());
    let cell = Cell::with_openvpn(&lab.cell, CELL_TOML).unwrap();
    let phone = &lab.client;
    let _phone = Device::connect(phone, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let soon = |what: &str, nl: &OpenvpnServer, condition: &mut dyn FnMut() -> bool| {
        wait::until(SECOND * 90, what, condition).unwrap_or_else(|error| {
            let show = cell.picctl("exit show nl").map(|out| out.stdout).unwrap_or_default();
            panic!("{error:#}\n{show}\n{}\n{}", cell.log(), nl.log())
        });
    };
    let words = |cell: &Cell| shown(cell, "nl")["words"].as_str().unwrap().to_owned();
    // A file that would run something is refused with its line, and nothing of it is kept.
    let bad = cell.path("bad.ovpn");
    files::write(&bad, nl.config("up /bin/true").unwrap()).unwrap();
    let refused = cell.picctl(&format!("exit add nl --kind openvpn --file {}", bad.display())).unwrap();
    assert!(
        refused.code() == 2 && refused.stderr.contains("bad.ovpn: line 12: up would"),
        "{}",
        refused.stderr
    );
    add_exit(&cell, "nl", &nl.config("").unwrap(), "wrong");
    soon("the server's refusal", &nl, &mut || words(&cell).contains("refuses the user name or the password"));
    soon("that it is down", &nl, &mut || now(&cell, "exit list").contains("down"));
    add_exit(&cell, "nl", &nl.config("").unwrap(), PASSWORD);
    let path = cell.path("us.conf");
    files::write(&path, us.config("DNS = 198.51.100.53").unwrap()).unwrap();
    now(&cell, &format!("exit add us --file {}", path.display()));
    now(&cell, "peer set phone --exit nl,us");
    soon("the first exit", &nl, &mut || {
        Internet::seen_as(phone, 0, SECOND * 2).as_deref() == Some(&nl.addresses[0])
    });
    soon("both exits", &nl, &mut || ["nl", "us"].iter().all(|name| shown(&cell, name)["state"] == "up"));
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap()[0];
    wire.prove(|marker| lab.cell.send_udp(echo, marker.bytes())).unwrap();
    let secret = Marker::random().unwrap();
    Internet::while_sending(phone, &secret, || {
        nl.connect(false).unwrap();
        soon("the second exit", &nl, &mut || {
            Internet::seen_as(phone, 0, SECOND * 2).as_deref() == Some(&us.addresses[0])
        });
    })
    .unwrap();
    nl.connect(true).unwrap();
    soon("the first exit again", &nl, &mut || {
        Internet::seen_as(phone, 0, SECOND * 2).as_deref() == Some(&nl.addresses[0])
    });
    wire.ensure_none(&secret).unwrap();
    // Another exit of this name takes its place, and back.
    let path = cell.path("de.conf");
    files::write(&path, de.config("DNS = 198.51.100.53").unwrap()).unwrap();
    now(&cell, &format!("exit add nl --kind wireguard --file {}", path.display()));
    soon("another kind", &nl, &mut || {
        Internet::seen_as(phone, 0, SECOND * 2).as_deref() == Some(&de.addresses[0])
    });
    add_exit(&cell, "nl", &nl.config("").unwrap(), PASSWORD);
    soon("the first kind", &nl, &mut || {
        Internet::seen_as(phone, 0, SECOND * 2).as_deref() == Some(&nl.addresses[0])
    });
}

#[test]
fn without_the_program_it_is_refused_with_the_way_to_get_it() {
    let lab = Internet::start().unwrap();
    let nl = OpenvpnServer::start(&lab, "nl", 40).unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let file = cell.path("nl.ovpn");
    files::write(&file, nl.config("<auth-user-pass>\nme\nit\n</auth-user-pass>").unwrap()).unwrap();
    let refused = cell.picctl(&format!("exit add nl --kind openvpn --file {}", file.display())).unwrap();
    assert!(refused.code() == 3 && refused.stderr.contains("apt-get install openvpn"), "{}", refused.stderr);
}
