//! The worked examples of the how-to pages, taken from the pages themselves and run as they are typed: a printer with a
//! fixed address, a network for guests on a VLAN, a tablet for children, another resolver behind us.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Child, Internet, Namespace, Scratch, cmd, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const LAN: &str = include_str!("../../docs/howto/lan.md");
const NAMES: &str = include_str!("../../docs/howto/names.md");
const KIDS: &str = include_str!("../../docs/howto/kids.md");
/// What a cell has before any page is read.
const CELL_TOML: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"198.51.100.53\"]\ndnssec = false\n";

/// The blocks that a section of a page sets apart.
fn blocks(page: &str, heading: &str) -> Vec<String> {
    let (_, section) =
        page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let mut blocks: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in section.lines() {
        match line.strip_prefix("    ") {
            Some(code) if is_open => blocks.last_mut().unwrap().push_str(&format!("{code}\n")),
            Some(code) => blocks.push(format!("{code}\n")),
            // A block goes on behind an empty line.
            None if line.is_empty() && is_open => {
                blocks.last_mut().unwrap().push('\n');
                continue;
            }
            None => {}
        }
        is_open = line.starts_with("    ");
    }
    blocks.iter().map(|block| format!("{}\n", block.trim_end())).collect()
}

/// What is to stand in `cell.toml`.
fn toml(page: &str, heading: &str) -> String {
    blocks(page, heading).into_iter().filter(|block| block.starts_with('[')).collect::<Vec<_>>().join("\n")
}

/// The commands that are typed, without what is said about them.
fn commands(page: &str, heading: &str) -> Vec<String> {
    let lines: Vec<String> =
        blocks(page, heading).iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
    let typed = lines.iter().filter_map(|line| {
        let line = line.trim_start_matches("$ ").trim_start_matches("sudo ");
        line.strip_prefix("picctl ").map(|rest| rest.split('#').next().unwrap().trim().to_owned())
    });
    typed.collect()
}

fn dig(from: &Namespace, words: &str) -> String {
    from.run(&format!("dig +short +time=1 +tries=1 {words}")).unwrap().stdout.trim().to_owned()
}

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 20, what, condition).unwrap();
}

struct House {
    cell: Cell,
    lan: Lan,
    lab: Internet,
}

impl House {
    /// A cell with the LAN of the page, added as the page says.
    fn new() -> Self {
        let lab = Internet::start().unwrap();
        let lan = Lan::new("lan").unwrap();
        lan.plug(&lab.cell, "eth1").unwrap();
        let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
        let house = Self { cell, lan, lab };
        house.add(&toml(LAN, "A LAN"));
        soon("the LAN to be served", || house.typed("dhcp leases --json").contains("\"serving\":true"));
        house
    }

    /// As a person types it, who says yes when asked.
    fn typed(&self, words: &str) -> String {
        let out = self.cell.picctl(&format!("{words} --yes")).unwrap();
        assert_eq!(out.code(), 0, "picctl {words}: {}{}", out.stdout, out.stderr);
        out.stdout
    }

    /// Writes further tables into the file, and applies it.
    fn add(&self, tables: &str) {
        let path = self.cell.path("etc/cell.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        files::write(&path, format!("{text}\n{tables}")).unwrap();
        self.apply();
    }

    fn apply(&self) {
        // A change that could cut its maker off says so, and waits for the second command.
        let applied = self.cell.picctl("apply --yes").unwrap();
        if applied.stdout.contains("awaiting confirmation") {
            self.typed("confirm");
        } else {
            applied.ok().unwrap();
        }
    }

    /// A device that asks for an address; what it got.
    fn device(&self, name: &str, mac: &str) -> (Namespace, String) {
        device(&self.lan, name, mac)
    }
}

fn device(lan: &Lan, name: &str, mac: &str) -> (Namespace, String) {
    let device = Namespace::new(name).unwrap();
    lan.plug(&device, "eth0").unwrap();
    device.ip(&format!("link set eth0 address {mac}")).unwrap();
    let address = lease(&device, name);
    (device, address)
}

/// What udhcpc runs.
const SCRIPT: &str = "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip address flush dev $interface\n\
    ip address replace \"$ip/$mask\" dev \"$interface\"\nip route replace default via \"$router\"\n";

fn lease(device: &Namespace, name: &str) -> String {
    let scratch = Scratch::new("device").unwrap();
    let script = scratch.join("script");
    files::write(&script, SCRIPT).unwrap();
    cmd::run(cmd::command("chmod").arg("755").arg(&script)).unwrap().ok().unwrap();
    let line =
        format!("busybox udhcpc -i eth0 -n -q -f -t 20 -T 1 -x hostname:{name} -s {}", script.display());
    device.run(&line).unwrap().ok().unwrap();
    let shown = device.ip("-4 -br address show dev eth0").unwrap();
    let address = shown.split_whitespace().nth(2).unwrap_or_default();
    address.split('/').next().unwrap_or_default().to_owned()
}

fn pings(from: &Namespace, target: &str) -> bool {
    from.ping(target, 1, None).is_ok_and(|pings| pings.all_back())
}

#[test]
fn a_printer_with_a_fixed_address() {
    let house = House::new();
    let typed = commands(LAN, "A printer with a fixed address");
    let [by_lease, by_mac] = &typed[..] else { panic!("{typed:?}") };
    let (laptop, first) = house.device("laptop", "02:00:00:00:00:01");
    let (printer, second) = house.device("laserjet", "02:00:00:00:00:52");
    assert_eq!([&first[..], &second[..]], ["192.168.40.100", "192.168.40.101"]);

    house.typed(by_lease);
    soon("its name", || dig(&laptop, "@192.168.40.1 printer.home.cell") == "192.168.40.101");
    assert_eq!(lease(&printer, "laserjet"), "192.168.40.101");
    house.typed("dhcp unreserve printer");

    // Chosen, of a printer that was never switched on.
    house.typed(by_mac);
    soon("its name at once", || dig(&laptop, "@192.168.40.1 printer.home.cell") == "192.168.40.10");
    let (_old, address) = house.device("laserjet", "00:11:22:33:44:55");
    assert_eq!(address, "192.168.40.10");
    house.typed("dhcp unreserve printer");
    // The same, written.
    let written =
        blocks(LAN, "A printer with a fixed address").into_iter().find(|block| block.starts_with('['));
    house.add(&written.unwrap());
    soon("its name again", || dig(&laptop, "@192.168.40.1 printer.home.cell") == "192.168.40.10");
}

#[test]
fn a_network_for_guests_on_a_vlan() {
    let house = House::new();
    let heading = "A network for guests on a VLAN";
    // Not every kernel that tests run on has VLANs: here on a cable of its own, and as it is written by a machine's
    // kernel (`t3_install`).
    let cable = Lan::new("guests").unwrap();
    cable.plug(&house.lab.cell, "eth2").unwrap();
    let (written, vlan) = (toml(LAN, heading), "interface = \"eth1\"\nvlan = 20\n");
    assert!(written.contains(vlan), "{written}");
    house.add(&written.replace(vlan, "interface = \"eth2\"\n"));
    soon("the guests' network to be served", || {
        house.typed("dhcp leases --json").matches("\"serving\":true").count() == 2
    });
    let printer = Namespace::new("printer").unwrap();
    house.lan.plug(&printer, "eth0").unwrap();
    printer.address("eth0", "192.168.40.10/24").unwrap();
    printer.ip("route add default via 192.168.40.1").unwrap();
    let (guest, address) = device(&cable, "guest", "02:00:00:00:00:03");
    let last: u8 = address.strip_prefix("192.168.41.").unwrap().parse().unwrap();
    assert!((50..=199).contains(&last), "{address}");
    let typed = blocks(LAN, heading).concat();
    for words in ["ping -c1 192.168.40.10", "ping -c1 192.168.41.1", "curl"] {
        assert!(typed.contains(words), "{words} stands no longer there");
    }
    assert!(pings(&house.lab.cell, "192.168.40.10"), "the printer is there");
    assert!(!pings(&guest, "192.168.40.10"), "the printer");
    assert!(!pings(&guest, "192.168.41.1"), "the cell");
    let page = format!("curl -fsS --max-time 5 http://{}/", address::OUTSIDE[0]);
    guest.run(&page).unwrap().ok().unwrap();
    let asked = format!("@192.168.41.1 {}", address::OUTSIDE_NAME);
    assert_eq!(dig(&guest, &asked), address::OUTSIDE[0]);
}

#[test]
fn a_tablet_for_children() {
    let house = House::new();
    house.typed("peer add laptop --qr none");
    house.typed("group add family");
    for line in commands(KIDS, "A group, and who is in it") {
        house.typed(&line);
    }
    let members = house.typed("group show kids");
    for member in ["tablet", "laptop", "console"] {
        assert!(members.contains(member), "{member}: {members}");
    }
    let folder = Scratch::new("lists").unwrap();
    let list = folder.join("games");
    files::write(&list, "games.example.org\nwww.outside.example\n").unwrap();

    // The page shows the tables whole: what it says of [cell] and [dns] goes into those that are there.
    let text = toml(KIDS, "Lists, and when they count")
        .replace("/etc/pic/blocklists/games", &list.display().to_string());
    let (cell, rest) = text.split_once("\n\n").unwrap();
    let (lists, dns) = rest.split_once("[dns]\n").unwrap();
    let path = house.cell.path("etc/cell.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    let text = before.replace("[cell]\nname = \"home\"", cell).replace("[dns]\n", &format!("[dns]\n{dns}"));
    assert_ne!(text, before);
    files::write(&path, format!("{text}\n{lists}")).unwrap();
    house.apply();

    // Whether it counts now is the clock's to say; the same to all who ask.
    let asked = commands(KIDS, "Is it so?").into_iter().find(|line| line.starts_with("dns query")).unwrap();
    let said = || house.typed(&asked);
    soon("the list to be read", || house.typed("dns stats").contains("games") && said().contains("Asked as"));
    let answer = said();
    let counts = answer.contains("is blocked for this client by the list games");
    assert!(!counts || answer.contains("Monday to Friday from 20:00 to 07:00"), "{answer}");
    let (console, address) = house.device("console", "00:11:22:33:44:55");
    assert_eq!(address, "192.168.40.30");
    let seen = || dig(&console, &format!("@192.168.40.1 {}", address::OUTSIDE_NAME));
    let wanted = if counts { "" } else { address::OUTSIDE[0] };
    soon("the console to be told the same", || seen() == wanted);
    let (desk, _) = house.device("desk", "02:00:00:00:00:04");
    let others = dig(&desk, &format!("@192.168.40.1 {}", address::OUTSIDE_NAME));
    assert_eq!(others, address::OUTSIDE[0], "others are not meant");
    // At all hours, for the two of them to differ in any case.
    let text = std::fs::read_to_string(&path).unwrap();
    files::write(&path, text.replace("when = \"mon-fri 20:00-07:00\"\n", "")).unwrap();
    house.apply();
    soon("the list to count", || seen().is_empty());
    assert_eq!(dig(&desk, &format!("@192.168.40.1 {}", address::OUTSIDE_NAME)), address::OUTSIDE[0]);
}

#[test]
fn another_resolver_behind_us() {
    let house = House::new();
    let resolver = Namespace::new("resolver").unwrap();
    house.lan.plug(&resolver, "eth0").unwrap();
    resolver.address("eth0", "192.168.40.53/24").unwrap();
    let _names: Child = resolver
        .spawn(
            "dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --local=/lab.lan/ \
             --host-record=build.lab.lan,192.168.50.7",
        )
        .unwrap();
    let heading = "Another resolver behind us";
    house.add(&toml(NAMES, heading));
    let (laptop, _) = house.device("laptop", "02:00:00:00:00:01");
    soon("its name", || dig(&laptop, "@192.168.40.1 build.lab.lan") == "192.168.50.7");
    assert_eq!(dig(&laptop, "@192.168.40.1 -x 192.168.50.7"), "build.lab.lan.");
    let asked = commands(NAMES, heading).into_iter().find(|line| line.starts_with("dns query")).unwrap();
    let page = blocks(NAMES, heading).concat();
    let told = page.lines().find(|line| line.contains("is asked by")).unwrap().trim();
    let answer = house.typed(&asked);
    assert!(answer.contains(told), "{told}: {answer}");
    // For nothing else: it would not know.
    assert_eq!(dig(&laptop, &format!("@192.168.40.1 {}", address::OUTSIDE_NAME)), address::OUTSIDE[0]);
}

#[test]
fn what_devices_are_told() {
    let house = House::new();
    let heading = "What devices are told";
    let path = house.cell.path("etc/cell.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let pool = "dhcp = { pool = \"192.168.40.100-192.168.40.199\" }\n";
    let options =
        blocks(LAN, heading).into_iter().find(|block| block.starts_with("[lan.dhcp.options]")).unwrap();
    let boot = blocks(LAN, heading).into_iter().find(|block| block.starts_with("[[lan.dhcp.boot]]")).unwrap();
    assert!(text.ends_with(pool), "{text}");
    let table = "[lan.dhcp]\npool = \"192.168.40.100-192.168.40.199\"\n";
    files::write(&path, text.replace(pool, &format!("{table}\n{options}\n{boot}"))).unwrap();
    house.apply();

    let device = Namespace::new("netboot").unwrap();
    house.lan.plug(&device, "eth0").unwrap();
    let scratch = Scratch::new("device").unwrap();
    let script = scratch.join("script");
    files::write(&script, "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nenv\n").unwrap();
    cmd::run(cmd::command("chmod").arg("755").arg(&script)).unwrap().ok().unwrap();
    let ask = |more: &str| {
        let wanted: String =
            [15, 42, 43, 60, 67, 114, 119, 121, 150].map(|code| format!(" -O {code}")).concat();
        let line =
            format!("busybox udhcpc -i eth0 -n -q -f -t 20 -T 1{wanted} {more} -s {}", script.display());
        device.run(&line).unwrap().ok().unwrap()
    };
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    soon("the options", || ask("").contains(&format!("opt114={}", hex("https://portal.example.org/api"))));
    let told = ask("");
    for words in [
        "ntpsrv=192.168.40.1\n",
        "siaddr=192.168.40.5\n",
        "domain=home.cell\n",
        "search=home.cell\n",
        "opt43=060108\n",
        "vendor=PXEClient\n",
        "opt150=c0a82805\n",
        "router=192.168.40.1\n",
        "dns=192.168.40.1\n",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.contains("staticroutes=10.0.0.0/8 192.168.40.2"), "{told}");
    // By architecture (option 93) and by class (option 77).
    assert!(ask("-x 93:0007").contains("boot_file=ipxe.efi\n"), "UEFI: {}", ask("-x 93:0007"));
    let ipxe = ask(&format!("-x 77:{}", hex("iPXE")));
    assert!(ipxe.contains("boot_file=http://192.168.40.5/menu.ipxe\n"), "iPXE: {ipxe}");
    assert!(told.contains("boot_file=pxelinux.0\n"), "{told}");
}
