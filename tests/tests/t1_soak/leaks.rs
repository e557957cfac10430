//! N1 of the test programme: a device that has an exit sends all the time, in both families; what happens to the cell
//! meanwhile is drawn by lot. On the wire of the uplink nothing of it is ever seen.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address::{self, OUTSIDE, PROVIDER};
use pic_lab::{Capture, Internet, Marker, Namespace, Provider, files, wait};

use crate::chance::{Chance, seed};
use crate::lanes::{self, Turns};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

/// What can happen.
#[derive(Debug, Clone, Copy)]
enum Happens {
    /// The provider is cut off, and dead for the exit.
    ProviderGoes,
    ProviderComes,
    AgentKilled,
    AgentStarts,
    /// A service dies: `pic-wg` of the exit or the cell, or `pic-dns`.
    ServiceKilled,
    Flush,
    TableDeleted,
    LinkDeleted,
    LinkDown,
    RulesFlushed,
    Rules6Flushed,
    ExitTableFlushed,
    /// As a DHCP server's option 121 does it: a route to where the device sends, in the main table.
    ClasslessRoute,
    /// As a router advertisement does it.
    AdvertisedRoute,
    ExitOff,
    ExitOn,
    AnotherFile,
    /// The cell is torn down and comes up as after a boot.
    PowerLost,
}

use Happens::*;
const ALL: [Happens; 18] = [
    ProviderGoes,
    ProviderComes,
    AgentKilled,
    AgentStarts,
    ServiceKilled,
    Flush,
    TableDeleted,
    LinkDeleted,
    LinkDown,
    RulesFlushed,
    Rules6Flushed,
    ExitTableFlushed,
    ClasslessRoute,
    AdvertisedRoute,
    ExitOff,
    ExitOn,
    AnotherFile,
    PowerLost,
];

struct Scene<'l> {
    lab: &'l Internet,
    nl: &'l Provider,
    cell: Cell,
    is_alive: bool,
    is_connected: bool,
    interface: String,
}

impl Scene<'_> {
    fn run(&self, line: &str) {
        // What is already so is no matter: a link that is gone cannot be deleted.
        let _ = self.lab.cell.run(line).unwrap();
    }

    fn ask(&self, words: &str) {
        // An agent that is dead, or busy with what came before, refuses.
        let _ = self.cell.picctl(words).unwrap();
    }

    fn happen(&mut self, what: Happens, chance: &mut Chance) {
        let link = self.interface.clone();
        let table = link.trim_start_matches("pic").parse::<u32>().unwrap() + 2700;
        match what {
            ProviderGoes => self.connect(false),
            ProviderComes => self.connect(true),
            AgentKilled => {
                self.cell.kill_agent().unwrap();
                self.is_alive = false;
            }
            AgentStarts => self.live(),
            ServiceKilled => {
                let program = chance.one(&["pic-wg", "pic-dns"]);
                let _ = self.cell.kill_service(program);
            }
            Flush => self.run("nft flush ruleset"),
            TableDeleted => self.run("nft delete table inet pic"),
            LinkDeleted => self.run(&format!("ip link del {link}")),
            LinkDown => self.run(&format!("ip link set {link} down")),
            RulesFlushed => self.run("ip rule flush"),
            Rules6Flushed => self.run("ip -6 rule flush"),
            ExitTableFlushed => {
                self.run(&format!("ip route flush table {table}"));
                self.run(&format!("ip -6 route flush table {table}"));
            }
            ClasslessRoute => {
                self.run(&format!("ip route replace 198.51.100.0/24 via {} dev eth0", PROVIDER[0]))
            }
            AdvertisedRoute => {
                self.run(&format!(
                    "ip -6 route replace {}/128 via {} dev eth0 proto ra",
                    OUTSIDE[1], PROVIDER[1]
                ));
            }
            ExitOff => self.ask("exit disable nl"),
            ExitOn => self.ask("exit enable nl"),
            AnotherFile => {
                let more = format!("DNS = 198.51.100.53\nMTU = {}", 1300 + chance.below(100));
                let path = self.cell.path("other.conf");
                files::write(&path, self.nl.config(&more).unwrap()).unwrap();
                self.ask(&format!("exit add nl --file {}", path.display()));
            }
            PowerLost => {
                self.cell.lose_power(&self.lab.cell, &[]).unwrap();
                self.is_alive = false;
                self.live();
            }
        }
    }

    fn connect(&mut self, on: bool) {
        if self.is_connected != on {
            self.nl.connect(on).unwrap();
            self.is_connected = on;
        }
    }

    fn live(&mut self) {
        if !self.is_alive {
            self.cell.start_agent().unwrap();
            self.is_alive = true;
        }
    }
}

/// Sends what a device sends, in both families, until it is told to stop: UDP, pings, names past the cell and by it, and a
/// datagram that goes in fragments. That the kernel refuses is what is hoped for.
fn send(device: &Namespace, secret: &Marker, stop: &AtomicBool, sent: &AtomicUsize) {
    let echoes: [SocketAddr; 2] = Internet::udp_echo().unwrap();
    let big = [secret.bytes(), &[7; 3000], secret.bytes()].concat();
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        for (family, echo) in echoes.into_iter().enumerate() {
            let _ = device.send_udp(echo, secret.bytes());
            let _ = device.send_udp(SocketAddr::new(echo.ip(), 53), secret.bytes());
            if number.is_multiple_of(8) {
                let _ = device.send_udp(echo, &big);
            }
            if number.is_multiple_of(32) {
                let _ = device.spawn(&format!("ping -c 1 -W 1 -p {} {}", secret.hex(), OUTSIDE[family]));
            }
        }
        if number.is_multiple_of(32) {
            // The marker is the path, and so in clear behind the handshake, and a name.
            let web = Internet::web().unwrap()[usize::from(number.is_multiple_of(64))];
            let _ = device.http_get(web, &format!("/{}", secret.hex()), Duration::from_millis(200));
            let _ = device.spawn(&format!("dig +time=1 +tries=1 {}.{}", secret.hex(), address::OUTSIDE_NAME));
        }
        sent.fetch_add(1, Ordering::Relaxed);
        wait::pause(Duration::from_millis(5));
    }
}

/// Ends the sender when it goes.
struct End<'s>(&'s AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Plays one schedule and waits until the exit works again.
fn play(scene: &mut Scene<'_>, wire: &Capture, secret: &Marker, seed: u64) {
    let mut chance = Chance::new(seed);
    let schedule: Vec<Happens> = (0..2 + chance.below(5)).map(|_| *chance.one(&ALL)).collect();
    let (device, stop, sent) = (&scene.lab.client, AtomicBool::new(false), AtomicUsize::new(0));
    let device: &Namespace = device;
    std::thread::scope(|scope| {
        scope.spawn(|| send(device, secret, &stop, &sent));
        // Also where something fails, as the sender is waited for.
        let _end = End(&stop);
        for what in &schedule {
            scene.happen(*what, &mut chance);
            wait::pause(Duration::from_millis(chance.below(600)));
            wire.ensure_none(secret)
                .unwrap_or_else(|error| panic!("schedule {seed} {schedule:?}: {error:#}"));
        }
        // All is put right by whoever would: a person, a provider, systemd.
        scene.connect(true);
        scene.live();
        scene.ask("exit enable nl");
        scene.run("ip route del 198.51.100.0/24");
        scene.run(&format!("ip -6 route del {}/128", OUTSIDE[1]));
        let works = || {
            (0..2).all(|family| {
                Internet::seen_as(device, family, SECOND).as_deref() == Some(&scene.nl.addresses[family])
            })
        };
        let back = wait::until(SECOND * 60, "the exit again", works);
        back.unwrap_or_else(|error| panic!("schedule {seed} {schedule:?}: {error:#}\n{}", scene.cell.log()));
    });
    wire.ensure_none(secret).unwrap_or_else(|error| panic!("schedule {seed} {schedule:?}: {error:#}"));
    println!("schedule {seed}: {schedule:?}: {} rounds sent, none seen", sent.load(Ordering::Relaxed));
}

/// Plays schedules in a lab of its own until there is no more turn; how many.
fn lane(first: u64, turns: &Turns, end: Option<Instant>) -> u64 {
    let lab = Internet::start().unwrap();
    let nl = Provider::start(&lab, "nl", 40).unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let _phone = Device::connect(&lab.client, "phone", &cell.add("phone", "").unwrap()).unwrap();
    // The control: what leaves directly is seen.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let up = || Internet::seen_as(&lab.client, 0, SECOND).as_deref() == Some(address::CELL[0]);
    wait::until(SECOND * 60, "the way out", up).unwrap();
    for echo in Internet::udp_echo().unwrap() {
        wire.prove(|marker| lab.client.send_udp(echo, marker.bytes())).unwrap();
    }
    let path = cell.path("nl.conf");
    files::write(&path, nl.config("DNS = 198.51.100.53").unwrap()).unwrap();
    cell.picctl(&format!("exit add nl --file {}", path.display())).unwrap().ok().unwrap();
    cell.picctl("peer set phone --exit nl").unwrap().ok().unwrap();
    let shown = cell.picctl("exit show nl --json").unwrap().ok().unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let interface = shown["interface"].as_str().unwrap().to_owned();
    let mut scene = Scene { lab: &lab, nl: &nl, cell, is_alive: true, is_connected: true, interface };
    let mut played = 0;
    while end.is_none_or(|end| Instant::now() < end) {
        let Some(turn) = turns.take() else { break };
        // A capture of its own for each: looking for a marker takes as long as the capture is.
        let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
        let echo = Internet::udp_echo().unwrap()[0];
        wire.prove(|marker| lab.cell.send_udp(echo, marker.bytes())).unwrap();
        play(&mut scene, &wire, &Marker::random().unwrap(), first + turn);
        // A new agent knows nothing of how often the exit has died before: a schedule that is played again finds what it
        // found, and none waits for another one's deaths to be forgiven.
        scene.cell.kill_agent().unwrap();
        scene.cell.start_agent().unwrap();
        played += 1;
    }
    played
}

#[test]
fn a_sample_of_schedules_leaks_nothing() {
    let turns = Turns::new(6);
    lane(seed(1), &turns, None);
}

#[test]
#[ignore = "takes as long as it is given: scripts/soak leaks"]
fn random_schedules_until_the_time_is_over() {
    let (first, end, begin) = (seed(1000), wait::soak_end(), Instant::now());
    let turns = Turns::new(u64::MAX);
    let played: u64 =
        lanes::run(lanes::many(), &turns, |turns| lane(first, turns, Some(end))).into_iter().sum();
    println!("leak schedules: {played} from seed {first} on in {} s, 0 leaks", begin.elapsed().as_secs());
}
