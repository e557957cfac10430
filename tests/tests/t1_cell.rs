//! A whole cell on the small internet: each sentence of the promise about packets, from a device's point of view and
//! seen on the wire.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Internet, Marker, Namespace, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";
const CELL4: &str = "10.77.0.1";

/// A second device on the provider's network.
fn another_place(lab: &Internet) -> Namespace {
    let place = Namespace::new("tv").unwrap();
    lab.public.plug(&place, "eth0").unwrap();
    place.address("eth0", "203.0.113.30/24").unwrap();
    place.default_route(address::PROVIDER[0]).unwrap();
    place
}

fn http(from: &Namespace, to: &str, port: u16) -> bool {
    let to: IpAddr = to.parse().unwrap();
    from.http_get(SocketAddr::new(to, port), "/", SECOND).is_ok()
}

fn resolves(device: &Namespace, words: &str) -> String {
    device.run(&format!("dig +short +time=1 +tries=1 {words}")).unwrap().stdout.trim().to_owned()
}

fn pings(device: &Namespace, target: &str) -> bool {
    device.ping(target, 1, None).is_ok_and(|pings| pings.all_back())
}

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 20, what, condition).unwrap();
}

/// The cell's own v6 address, as it says itself.
fn cell6(cell: &Cell) -> String {
    let status = cell.picctl("status --json").unwrap().ok().unwrap();
    let (_, rest) = status.split_once("\"address6\":").unwrap();
    rest.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn a_device_has_names_and_both_families_and_nothing_more() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let tv_place = another_place(&lab);
    let _tv = Device::connect(&tv_place, "tv", &cell.add("tv", "--allow cell").unwrap()).unwrap();

    soon("the tunnel", || pings(&lab.client, CELL4));
    assert!(pings(&lab.client, &cell6(&cell)));
    assert_eq!(resolves(&lab.client, "home.cell"), CELL4);
    assert_eq!(resolves(&lab.client, "phone.home.cell"), "10.77.0.2");
    assert_eq!(resolves(&lab.client, "-x 10.77.0.2"), "phone.home.cell.");
    assert_eq!(resolves(&lab.client, "tv.home.cell"), "", "what is out of reach has no name");
    assert_eq!(resolves(&lab.client, address::OUTSIDE_NAME), address::OUTSIDE[0]);

    // The internet sees the cell, in both families.
    for family in 0..2 {
        let page = lab.client.http_get(Internet::web().unwrap()[family], "/", SECOND * 5).unwrap();
        assert!(page.ends_with(&format!("{}\n", address::CELL[family])), "{page}");
    }

    // What was not granted: other devices, other services of the cell, private networks, and for the tv the internet.
    soon("the tv's tunnel", || pings(&tv_place, CELL4));
    assert!(!pings(&lab.client, "10.77.0.3"), "devices are apart");
    assert!(!http(&tv_place, address::OUTSIDE[0], 80), "the tv has no internet");
    let _web = lab.cell.spawn("python3 -m http.server --bind :: 8080").unwrap();
    soon("a web server on the cell", || http(&lab.cell, "127.0.0.1", 8080));
    assert!(!http(&lab.client, CELL4, 8080), "an ungranted service");
    assert!(!http(&tv_place, address::CELL[0], 8080), "closed toward the outside");
    lab.provider.ip("addr add 172.31.0.1/32 dev lo").unwrap();
    assert!(pings(&lab.cell, "172.31.0.1"), "the cell itself reaches the private address");
    assert!(!pings(&lab.client, "172.31.0.1"), "private networks are not the internet");
}

#[test]
fn a_device_that_is_switched_off_is_cut_at_once() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    soon("the tunnel", || http(&lab.client, address::OUTSIDE[0], 80));
    cell.picctl("peer disable phone").unwrap().ok().unwrap();
    assert!(!pings(&lab.client, CELL4));
    assert!(!http(&lab.client, address::OUTSIDE[0], 80));
    cell.picctl("peer enable phone").unwrap().ok().unwrap();
    soon("the tunnel again", || http(&lab.client, address::OUTSIDE[0], 80));
}

#[test]
fn killing_the_agent_loses_nothing_and_its_return_neither() {
    let lab = Internet::start().unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    soon("the tunnel", || http(&lab.client, address::OUTSIDE[0], 80));
    let before = lab.cell.run("nft list table inet pic").unwrap().ok().unwrap();
    let pings = std::thread::scope(|scope| {
        let pings = scope.spawn(|| lab.client.run("ping -q -i 0.01 -c 400 10.77.0.1").unwrap().stdout);
        cell.kill_agent().unwrap();
        assert_eq!(resolves(&lab.client, "home.cell"), CELL4, "names go on without the agent");
        cell.start_agent().unwrap();
        pings.join().unwrap()
    });
    assert!(pings.contains(" 0% packet loss"), "{pings}");
    let after = lab.cell.run("nft list table inet pic").unwrap().ok().unwrap();
    assert_eq!(without_counters(&before), without_counters(&after), "the firewall stays as it was");
}

/// Both layers and the tunnel's interface stand.
fn is_whole(cell: &Namespace) -> bool {
    let says = |line: &str, words: &[&str]| {
        cell.run(line).is_ok_and(|out| words.iter().all(|word| out.stdout.contains(word)))
    };
    says("nft list table inet pic", &["chain forward", "nothing begins toward peers"])
        && says("ip rule", &["7700:", "7710:", "lookup main"])
        && says("ip -6 rule", &["7700:", "7710:", "lookup main"])
        && says("ip -br address show dev pic0", &["10.77.0.1/16"])
}

/// Lets a thread of the scope end also when the test has failed.
struct StopsOnDrop<'a>(&'a AtomicBool);

impl Drop for StopsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A listing without its counters.
fn without_counters(listing: &str) -> String {
    // Who has knocked lately, and for how long that is remembered, is the kernel's.
    let (head, sets) = listing.split_once("set ").unwrap_or_default();
    let settled = sets.split("set ").map(|set| match set.split_once("elements = {") {
        Some((is, elements)) if is.contains("dynamic") => {
            format!("{is}{}", elements.split_once('}').unwrap_or_default().1)
        }
        _ => set.to_owned(),
    });
    let listing = format!("{head}{}", settled.collect::<String>());
    let words: Vec<_> = listing.split_whitespace().collect();
    let is_count = |at: usize| at > 0 && ["packets", "bytes"].contains(&words[at - 1]);
    (0..words.len()).map(|at| if is_count(at) { "N" } else { words[at] }).collect::<Vec<_>>().join(" ")
}

#[test]
fn whoever_tears_a_layer_down_leaks_nothing_and_is_repaired() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    let tv_place = another_place(&lab);
    // Sends everything into the tunnel but may only reach the cell.
    let _tv = Device::connect(&tv_place, "tv", &cell.add("tv", "--allow cell").unwrap()).unwrap();
    soon("both tunnels", || pings(&lab.client, CELL4) && pings(&tv_place, CELL4));

    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap()[0];
    wire.prove(|marker| lab.client.send_udp(echo, marker.bytes())).unwrap();
    let secret = Marker::random().unwrap();
    for attack in [
        "nft flush ruleset",
        "nft delete table inet pic",
        "ip rule flush",
        "ip rule del pref 7710",
        "ip -6 rule flush",
        "ip link del pic0",
    ] {
        let begin = Instant::now();
        let mut repaired = Duration::MAX;
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let tv = scope.spawn(|| {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    // That the kernel refuses is what is hoped for.
                    let _ = tv_place.send_udp(echo, secret.bytes());
                    sent += 1;
                    wait::pause(Duration::from_millis(5));
                }
                sent
            });
            let _stops = StopsOnDrop(&stop);
            lab.cell.run(attack).unwrap().ok().unwrap();
            let whole = wait::until(SECOND * 20, "the kernel's state", || is_whole(&lab.cell));
            repaired = begin.elapsed();
            whole.unwrap_or_else(|error| panic!("{attack}: {error:#}\n{}", cell.log()));
            let back = wait::until(SECOND * 20, "the repair", || http(&lab.client, address::OUTSIDE[0], 80));
            stop.store(true, Ordering::Relaxed);
            assert!(tv.join().unwrap() > 3, "{attack}: the tv hardly sent anything");
            back.unwrap_or_else(|error| panic!("{attack}: {error:#}\n{}", cell.log()));
        });
        // The repair itself; a device may wait for its own timers after that.
        assert!(repaired <= SECOND * 2, "{attack}: repaired only after {repaired:?}");
        println!(
            "{attack}: repaired after {} ms, back after {} ms",
            repaired.as_millis(),
            begin.elapsed().as_millis()
        );
        wire.ensure_none(&secret).unwrap_or_else(|error| panic!("{attack}: {error:#}"));
    }
}

#[test]
fn the_cell_does_not_forward_for_strangers() {
    let lab = Internet::start().unwrap();
    // A neighbour on the cell's other side, which a stranger on the provider's network tries to reach through the cell.
    let neighbour = Namespace::new("neighbour").unwrap();
    pic_lab::netns::veth(&lab.cell, "side", &neighbour, "eth0").unwrap();
    lab.cell.address("side", "192.168.77.1/24").unwrap();
    neighbour.address("eth0", "192.168.77.2/24").unwrap();
    neighbour.default_route("192.168.77.1").unwrap();
    lab.provider.route("192.168.77.0/24", address::CELL[0]).unwrap();
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    assert!(pings(&lab.cell, "192.168.77.2"), "the cell itself reaches its neighbour");
    assert!(!pings(&lab.provider, "192.168.77.2"), "a stranger does not");
    // The control: without the firewall and anybody to put it back, the kernel would forward it.
    cell.kill_agent().unwrap();
    lab.cell.run("nft delete table inet pic").unwrap().ok().unwrap();
    soon("forwarding without us", || pings(&lab.provider, "192.168.77.2"));
}

#[test]
fn how_wireguard_runs_is_told() {
    let lab = Internet::start().unwrap();
    let in_kernel = lab.cell.run("ip link add probe0 type wireguard").unwrap().code() == 0;
    if in_kernel {
        lab.cell.ip("link del probe0").unwrap();
    }
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let status = cell.picctl("status").unwrap().ok().unwrap();
    assert!(status.contains(if in_kernel { "kernel" } else { "userspace" }), "{status}");
    let json = cell.picctl("status --json").unwrap().ok().unwrap();
    let backend = if in_kernel { "\"backend\":\"kernel\"" } else { "\"backend\":\"userspace\"" };
    assert!(json.contains(backend), "{json}");
}
