//! N2 of the test programme: bad configurations, drawn by lot and made by hand. Whatever the plan says of them, the way in of
//! the one who applies them is there again within the window and five seconds, also with the agent killed in between. Where
//! the tunnel itself was taken, the device's own timeout comes on top.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use pic_lab::cell::{Cell, Device};
use pic_lab::{Internet, Namespace, files, wait};

use crate::chance::{Chance, seed};
use crate::lanes::{self, Turns};

const SECOND: Duration = Duration::from_secs(1);
/// The window that a change waits for its confirmation, seconds.
const WINDOW: u64 = 2;
/// What may pass behind the window until the way in is there.
const SLACK: Duration = Duration::from_secs(5);
/// What a device may need beside that when the change took its tunnel: it knows nothing of the end of its session, and begins
/// another one when nothing has come back for so long (WireGuard paper, section 6.5: Keepalive-Timeout + Rekey-Timeout).
const SESSION: Duration = Duration::from_secs(15);

const CELL_TOML: &str = r#"[cell]
name = "home"
[firewall]
inbound = "closed"
ssh = [22]
[[group]]
name = "admins"
[[group]]
name = "kids"
[[grant]]
from = ["admins"]
to = ["ssh", "dns"]
"#;

/// One thing that is done to the text.
type Harm = (&'static str, &'static str);

/// Each takes something away that a way in may need, or puts something before it. A mark stands for what a peer is called.
const HARMS: [Harm; 26] = [
    ("inbound = \"closed\"\n", "inbound = \"open\"\n"),
    ("ssh = [22]", "ssh = []"),
    ("ssh = [22]", "ssh = [2222]"),
    ("ssh = [22]", "ssh = [22, 80]"),
    ("to = [\"ssh\", \"dns\"]", "to = [\"dns\"]"),
    ("to = [\"ssh\", \"dns\"]", "to = [\"ping\"]"),
    ("from = [\"admins\"]", "from = [\"kids\"]"),
    ("from = [\"admins\"]", "from = [\"admins\"]\nexpires = \"2020-01-01\""),
    ("from = [\"admins\"]", "from = [\"admins\"]\nwhen = \"mon 00:00-00:01\""),
    ("groups = [\"admins\"]", "groups = [\"kids\"]"),
    ("groups = [\"admins\"]", "groups = [\"admins\"]\nenabled = false"),
    ("groups = [\"admins\"]", "groups = [\"admins\"]\nexpires = \"2020-01-01\""),
    ("address = \"10.77.0.2\"", "address = \"10.77.0.99\""),
    ("[[group]]\nname = \"kids\"", "[wireguard]\nport = 4444\n[[group]]\nname = \"kids\""),
    ("[[group]]\nname = \"kids\"", "[wireguard]\nipv4 = \"10.88.0.0/16\"\n[[group]]\nname = \"kids\""),
    ("[[group]]\nname = \"kids\"", "[wireguard]\nmtu = 1280\n[[group]]\nname = \"kids\""),
    ("[[group]]\nname = \"kids\"", "[uplink]\ninterface = \"nowhere0\"\n[[group]]\nname = \"kids\""),
    ("[[group]]\nname = \"kids\"", "[uplink]\ninterface = \"pic0\"\n[[group]]\nname = \"kids\""),
    ("[[grant]]\n", "[[forward]]\nlisten = \"tcp/22\"\nto = \"phone:22\"\n[[grant]]\n"),
    ("[[grant]]\n", "[[forward]]\nlisten = \"udp/51820\"\nto = \"phone:22\"\n[[grant]]\n"),
    ("[[grant]]\n", "[[lan]]\nname = \"own\"\ninterface = \"eth0\"\nipv4 = \"203.0.113.1/24\"\n[[grant]]\n"),
    (
        "[[grant]]\n",
        "[[lan]]\nname = \"own\"\ninterface = \"eth0\"\nipv4 = \"192.168.9.1/24\"\nallow = []\n[[grant]]\n",
    ),
    ("[[grant]]\n", "[[lan]]\nname = \"own\"\ninterface = \"pic0\"\nipv4 = \"10.77.0.1/24\"\n[[grant]]\n"),
    ("name = \"home\"", "name = \"other\""),
    ("name = \"home\"", "name = \"home\"\ncolour = \"red\""),
    ("public_key = ", "# public_key = "),
];

/// What of a text the phone's tunnel is made from.
fn tunnel(text: &str) -> Vec<&str> {
    let sections =
        text.split("\n[").filter(|part| part.starts_with("wireguard]") || part.starts_with("[peer]]"));
    sections.collect()
}

struct Scene<'l> {
    lab: &'l Internet,
    cell: Cell,
    session: String,
    text: String,
    inside: SocketAddr,
}

fn opens(from: &Namespace, to: SocketAddr) -> bool {
    from.http_get(to, "/", SECOND).is_ok()
}

impl Scene<'_> {
    fn gets_in(&self) -> bool {
        opens(&self.lab.client, self.inside)
    }

    /// Applies a text as the phone would who is logged in, and waits until the phone gets in again.
    fn survive(&mut self, what: &str, bad: &str, kill: bool) -> Duration {
        let path = self.cell.path("bad.toml");
        files::write(&path, bad).unwrap();
        let words = format!("apply --yes --confirm {WINDOW}s -f {}", path.display());
        let made = self.cell.picctl_as(&self.session, &words).unwrap();
        let begin = Instant::now();
        if kill && made.code() == 4 {
            self.cell.kill_agent().unwrap();
            self.cell.start_agent().unwrap();
        }
        let session = if tunnel(bad) == tunnel(&self.text) { Duration::ZERO } else { SESSION };
        let limit = Duration::from_secs(WINDOW) + SLACK + session;
        let back = wait::until(limit, "the way in", || self.gets_in());
        let told = || {
            format!(
                "{what}: exit code {}: {}{}\n{bad}\n{}",
                made.code(),
                made.stdout,
                made.stderr,
                self.cell.log()
            )
        };
        back.unwrap_or_else(|error| panic!("{error:#}: {}", told()));
        let took = begin.elapsed();
        // The state before it is in force again, and the next one begins from there.
        let is_back = || {
            let shown = self.cell.picctl("config show").is_ok_and(|out| out.stdout == self.text);
            shown && self.cell.picctl("revert").is_ok_and(|out| out.code() != 0)
        };
        wait::until(SECOND * 30, "the state before", is_back)
            .unwrap_or_else(|error| panic!("{error:#}: {}", told()));
        took
    }
}

/// Texts drawn by lot from the seed on, behind those made by hand.
struct Bad {
    first: u64,
    by_lot: u64,
    by_hand: u64,
}

impl Bad {
    /// The text of a turn, what it is, and whether the agent is killed meanwhile.
    fn text(&self, turn: u64, good: &str, harmful: &[Harm]) -> (String, String, bool) {
        if turn < self.by_hand {
            // Each alone, with the agent alive and killed.
            let (from, to) = harmful[usize::try_from(turn / 2).unwrap() % harmful.len()];
            return (good.replacen(from, to, 1), format!("by hand: {to:?}"), turn % 2 == 1);
        }
        let seed = self.first + turn - self.by_hand;
        let (mut chance, mut bad) = (Chance::new(seed), good.to_owned());
        for _ in 0..1 + chance.below(4) {
            let (from, to) = chance.one(harmful);
            bad = bad.replacen(from, to, 1);
        }
        (bad, format!("seed {seed}"), chance.below(3) == 0)
    }
}

/// Applies texts in a lab of its own until there is no more turn; the longest time to the way in.
fn lane(bad: &Bad, turns: &Turns) -> Duration {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let config = cell.add("phone", "--groups admins --allow internet").unwrap();
    let _phone = Device::connect(&lab.client, "phone", &config).unwrap();
    let _ssh = lab.cell.spawn("python3 -m http.server --bind :: 22").unwrap();
    let inside = SocketAddr::new(IpAddr::from([10, 77, 0, 1]), 22);
    wait::until(SECOND * 60, "ssh by the tunnel", || opens(&lab.client, inside)).unwrap();
    let text = files::read(&cell.path("etc/cell.toml")).unwrap();
    let session = "10.77.0.2 40000 10.77.0.1 22".to_owned();
    let mut scene = Scene { lab: &lab, cell, session, text: text.clone(), inside };
    let harmful: Vec<Harm> = HARMS.into_iter().filter(|(from, _)| text.contains(from)).collect();
    assert!(harmful.len() > 20, "the text has another shape than the harms: {text}");
    let mut longest = Duration::ZERO;
    while let Some(turn) = turns.take() {
        let (bad, what, kill) = bad.text(turn, &text, &harmful);
        longest = longest.max(scene.survive(&what, &bad, kill));
        if (turn + 1) % 50 == 0 {
            println!("{} bad configurations, nobody locked out", turn + 1);
        }
    }
    longest
}

fn lock_out(bad: &Bad, lanes: usize) {
    let turns = Turns::new(bad.by_hand + bad.by_lot);
    let longest = lanes::run(lanes, &turns, |turns| lane(bad, turns)).into_iter().max().unwrap_or_default();
    println!(
        "locked out: {} by hand, {} by lot from seed {} on: the way in came back each time, at the latest after {} ms",
        bad.by_hand,
        bad.by_lot,
        bad.first,
        longest.as_millis()
    );
}

#[test]
fn a_sample_of_bad_configurations_locks_nobody_out() {
    lock_out(&Bad { first: seed(1), by_lot: 6, by_hand: 4 }, 1);
}

#[test]
#[ignore = "takes a quarter of an hour: scripts/soak locked-out"]
fn five_hundred_bad_configurations_lock_nobody_out() {
    lock_out(&Bad { first: seed(1000), by_lot: 500, by_hand: 50 }, lanes::many());
}
