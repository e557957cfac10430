//! Exits by a program (OpenVPN, a proxy, Tor) on a host with systemd, where each is a unit with its sandbox and its user: who
//! is sent by one is seen outside from the provider alone, and nothing leaves in clear, whoever is dead and whoever is not
//! there to repair it. Nothing of an exit that is removed stays, and nothing of any after an uninstall.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod t2;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pic_lab::cell::Device;
use pic_lab::cmd::Output;
use pic_lab::netns::internet::address;
use pic_lab::openvpn::{PASSWORD, USER};
use pic_lab::{Capture, Internet, Marker, Namespace, OpenvpnServer, Release, TorNet, proxies, tor, wait};
use t2::World;

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(120);
/// As whom the outside sees what leaves by the uplink.
const CLEAR: [&str; 2] = address::CELL;
/// What a process of a sandbox may not have, by `/proc/PID/status`.
const BOUND: [&str; 2] = ["NoNewPrivs:\t1", "Seccomp:\t2"];

/// An exit by a program.
struct Way<'a> {
    /// Which of the template units it is, and who runs it.
    user: &'static str,
    /// The program of others that runs in it, and that has no capability.
    program: Option<&'static str>,
    /// As whom the outside sees what leaves by it.
    seen: [String; 2],
    /// The words of `picctl exit add out`.
    add: String,
    /// Cuts the provider off from the world, or connects it again.
    connect: &'a dyn Fn(bool),
    /// Whether it is told soon that the provider is dead. tor takes minutes to give a network up.
    is_told: bool,
    /// Packets on the cell's wire that are not those of the exit itself.
    others: String,
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
                    let _ = device.http_get(web[family], &path, SECOND / 3);
                }
                tried += 1;
            }
        });
        work();
        stop.store(true, Ordering::Relaxed);
        trying.join().unwrap();
    });
}

/// A cell as the package makes it, and what a test asks of it.
struct Rig<'a> {
    world: World,
    way: Way<'a>,
}

impl Rig<'_> {
    /// Runs a script on the cell's host, which must succeed.
    fn cell(&self, script: &str) -> String {
        self.world.cell(script)
    }

    /// The same of one that may fail.
    fn tries(&self, script: &str) -> Output {
        self.world.cell.sh(script).unwrap()
    }

    /// As whom the outside sees the phone, in a family.
    fn seen(&self, family: usize) -> Option<String> {
        let page = self.world.lab.client.http_get(Internet::web().unwrap()[family], "/", SECOND * 8).ok()?;
        Some(page.trim_end().rsplit('\n').next()?.to_owned())
    }

    fn is_seen_as(&self, places: [&str; 2]) -> bool {
        (0..2).all(|family| self.seen(family).as_deref() == Some(places[family]))
    }

    fn is_by_exit(&self) -> bool {
        let [v4, v6] = &self.way.seen;
        self.is_seen_as([v4, v6])
    }

    fn soon(&self, what: &str, condition: impl FnMut() -> bool) {
        wait::until(PATIENCE, what, condition).unwrap_or_else(|error| {
            let units = format!("'{}@*' pic-agent", self.way.user);
            let script = format!(
                "picctl exit show out; systemctl status --no-pager --full {units}; journalctl --no-pager -n 80"
            );
            panic!("{error:#}\n{}", self.tries(&script).stdout)
        });
    }

    fn shown(&self) -> serde_json::Value {
        serde_json::from_str(&self.cell("picctl exit show out --json")).unwrap()
    }

    fn unit(&self) -> String {
        format!("{}@{}.service", self.way.user, self.shown()["interface"].as_str().unwrap())
    }

    /// Processes of the exit's user.
    fn processes(&self) -> Vec<String> {
        let told = self.tries(&format!("pgrep -u {}", self.way.user)).stdout;
        told.split_whitespace().map(str::to_owned).collect()
    }

    /// Every process of the unit is bound by its sandbox, and the one that others wrote has no capability.
    fn is_bound(&self) {
        let all: Vec<String> =
            self.processes().iter().map(|pid| self.cell(&format!("cat /proc/{pid}/status"))).collect();
        assert!(!all.is_empty(), "nobody runs as {}", self.way.user);
        for status in &all {
            assert!(BOUND.iter().all(|word| status.contains(word)), "{status}");
        }
        let Some(program) = self.way.program else { return };
        let is_it = |status: &&String| status.contains(&format!("Name:\t{program}\n"));
        let status = all.iter().find(is_it).unwrap_or_else(|| panic!("{program} is none of {all:?}"));
        assert!(status.contains("CapPrm:\t0000000000000000"), "{status}");
    }
}

/// The life of an exit, from a host that has what it needs.
fn life(world: World, way: Way<'_>) {
    let mut rig = Rig { world, way };
    let config = rig.cell("picctl peer add phone --qr none");
    let phone = &rig.world.lab.client;
    let _phone = Device::connect(phone, "phone", &config).unwrap();
    rig.soon("the way out", || rig.is_seen_as(CLEAR));
    // The control: what leaves in clear is seen on the wire, by UDP and by TCP.
    let mut wire = Capture::start(&rig.world.lab.cell, "eth0", &rig.way.others).unwrap();
    for echo in Internet::udp_echo().unwrap() {
        wire.prove(|marker| phone.send_udp(echo, marker.bytes())).unwrap();
    }
    let secret = Marker::random().unwrap();

    // Before the provider is there.
    (rig.way.connect)(false);
    rig.cell(&rig.way.add);
    rig.cell("picctl peer set phone --exit out");
    while_trying(phone, &secret, || wait::pause(SECOND));
    wire.ensure_none(&secret).unwrap();
    assert_eq!(rig.seen(0), None);
    (rig.way.connect)(true);
    rig.soon("the exit", || rig.is_by_exit());
    rig.soon("that it is said to be up", || rig.shown()["state"] == "up");
    let unit = rig.unit();
    assert_eq!(rig.cell(&format!("systemctl show --property=User --value {unit}")).trim(), rig.way.user);
    rig.is_bound();
    let leaks = rig.tries("picctl exit test out --leaks");
    assert!(leaks.status.success(), "{}{}", leaks.stdout, leaks.stderr);
    while_trying(phone, &secret, || {});
    wire.ensure_none(&secret).unwrap();

    // The provider is dead.
    while_trying(phone, &secret, || {
        (rig.way.connect)(false);
        if rig.way.is_told {
            rig.soon("that it is known to be dead", || rig.shown()["state"] == "down");
        }
    });
    assert_eq!((rig.seen(0), rig.seen(1)), (None, None));
    (rig.way.connect)(true);
    rig.soon("the provider's return", || rig.is_by_exit());
    wire.ensure_none(&secret).unwrap();

    // Nobody is there but systemd, which brings the program back; and then not even that.
    let stays_dead = "/run/systemd/system/pic-agent.service.d/dead.conf";
    rig.world.cell.write(stays_dead, "[Service]\nRestart=no\n").unwrap();
    rig.cell("systemctl daemon-reload; systemctl kill --signal=KILL pic-agent");
    rig.soon("the agent's end", || !rig.tries("systemctl is-active pic-agent").status.success());
    assert!(rig.is_by_exit(), "it goes on without the agent");
    while_trying(phone, &secret, || {
        rig.cell(&format!("systemctl kill --signal=KILL {unit}"));
        rig.soon("the program's return", || rig.is_by_exit());
    });
    rig.cell(&format!("systemctl stop {unit}"));
    assert_eq!(rig.processes(), Vec::<String>::new());
    while_trying(phone, &secret, || {});
    assert_eq!((rig.seen(0), rig.seen(1)), (None, None));
    while_trying(phone, &secret, || drop(rig.cell("nft flush ruleset")));
    wire.ensure_none(&secret).unwrap();
    rig.cell(&format!("rm {stays_dead}; systemctl daemon-reload; systemctl reset-failed pic-agent; systemctl start pic-agent"));
    rig.soon("the exit after the agent's return", || rig.is_by_exit());

    while_trying(phone, &secret, || {
        rig.world.cell.shut_down().unwrap();
        rig.world.cell.boot().unwrap();
    });
    rig.soon("the exit after a reboot", || rig.is_by_exit());
    wire.ensure_none(&secret).unwrap();

    let refused = rig.tries("picctl exit remove out");
    assert!(!refused.status.success() && refused.stderr.contains("peer phone"), "{}", refused.stderr);
    let link = rig.shown()["interface"].as_str().unwrap().to_owned();
    rig.cell("picctl peer set phone --exit none && picctl exit remove out");
    rig.soon("the uplink again", || rig.is_seen_as(CLEAR));
    let list = format!("systemctl list-units --all --plain --no-legend --no-pager '{}@*'", rig.way.user);
    rig.soon("the end of its unit", || rig.cell(&list).trim().is_empty() && rig.processes().is_empty());
    // Whom tor enters its network by is kept for an exit of this name that comes again.
    let left = format!(
        "ip -o link | grep -F ' {link}:'; find /run /var/lib/pic -name '*{link}*' ! -path '/var/lib/pic/tor/state/*'"
    );
    assert_eq!(rig.tries(&left).stdout, "");

    rig.world.install("--uninstall --purge --yes").ok().unwrap();
    let users = rig.tries("grep -h ^pic /etc/passwd /etc/group").stdout;
    assert_eq!(users, "");
}

/// A cell as the one line makes it; the lab's names are not signed.
fn installed() -> World {
    let world = World::start(Release::Trixie);
    world.install("--name den --yes").ok().unwrap();
    world.cell("picctl config set --yes dns.dnssec false");
    world
}

#[test]
fn openvpn_as_a_unit() {
    let world = installed();
    let provider = OpenvpnServer::start(&world.lab, "nl", 40).unwrap();
    world.cell.install_packages("openvpn").unwrap();
    world.cell.write("/root/nl.ovpn", provider.config("").unwrap()).unwrap();
    world.cell.write("/root/login", format!("{USER}\n{PASSWORD}\n")).unwrap();
    let way = Way {
        user: "pic-openvpn",
        program: Some("openvpn"),
        seen: provider.addresses.clone(),
        add: "picctl exit add out --kind openvpn --file /root/nl.ovpn --credentials /root/login".to_owned(),
        connect: &|on| provider.connect(on).unwrap(),
        is_told: true,
        others: String::new(),
    };
    life(world, way);
}

#[test]
fn a_proxy_as_a_unit() {
    let world = installed();
    let place = proxies::place(&world.lab).unwrap();
    let _proxy = proxies::socks5(&place).unwrap();
    let [login, password] = proxies::LOGIN;
    world.cell.write("/root/login", format!("{login}\n{password}\n")).unwrap();
    let [v4, v6] = proxies::PLACE;
    let connect = |on: bool| {
        let cut =
            "table inet cut {\nchain input { type filter hook input priority -300; iifname eth0 drop; }\n}";
        if on { place.run("nft delete table inet cut").map(drop) } else { place.nft(cut) }.unwrap();
    };
    let way = Way {
        user: "pic-proxy",
        program: None,
        seen: proxies::PLACE.map(str::to_owned),
        add: format!(
            "picctl exit add out --kind socks5 --proxy {v4}:{} --credentials /root/login",
            proxies::SOCKS5
        ),
        connect: &connect,
        is_told: true,
        // What it carries is in clear between the cell and the proxy.
        others: format!("not host {v4} and not host {v6}"),
    };
    life(world, way);
}

#[test]
fn tor_as_a_unit() {
    let world = installed();
    let net = TorNet::start(&world.lab).unwrap();
    // With the distribution's own tor beside it.
    world.cell.install_packages("tor").unwrap();
    world.cell.write("/root/net", net.config()).unwrap();
    world.cell("mkdir -p /etc/pic/templates && cat /usr/share/pic/templates/torrc /root/net > /etc/pic/templates/torrc");
    let way = Way {
        user: "pic-tor",
        program: Some("tor"),
        seen: tor::PLACE.map(str::to_owned),
        add: "picctl exit add out --kind tor".to_owned(),
        connect: &|on| net.connect(on).unwrap(),
        is_told: false,
        others: String::new(),
    };
    life(world, way);
}
