//! A Debian host on a LAN of the cell, as its own programs set it up: systemd-networkd takes addresses of both families
//! and what is told beside them, systemd-resolved asks the cell for names, and goes on when the cell is started again.
//! And as a laptop does, by NetworkManager.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address::{OUTSIDE, OUTSIDE_NAME};
use pic_lab::{Internet, Namespace, Nspawn, Release, image, wait};

const PATIENCE: Duration = Duration::from_secs(60);
const CELL_TOML: &str = r#"[cell]
name = "home"

[dns]
upstreams = ["198.51.100.53"]
dnssec = false

[[lan]]
name = "lan"
interface = "eth1"
ipv4 = "192.168.40.1/24"
ipv6 = "fd12:3456:789a:40::/64"
dhcp6 = {}

[lan.dhcp]
pool = "192.168.40.100-192.168.40.199"
options = { captive-portal = "https://portal.example.org/api", mtu = 1460 }

[[reservation]]
lan = "lan"
mac = "02:00:00:00:00:10"
address = "192.168.40.10"
name = "printer"
"#;
/// What a person writes for a host with one cable.
const NETWORK: &str = "[Match]\nName=eth0\n[Network]\nDHCP=yes\n[DHCPv4]\nUseDomains=yes\nUseMTU=yes\n\
    [DHCPv6]\nUseDomains=yes\n[IPv6AcceptRA]\nUseDomains=yes\n";

fn life(release: Release) {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let mut cell = Cell::with_chrony(&lab.cell, CELL_TOML).unwrap();
    let place = Namespace::new("laptop").unwrap();
    lan.plug(&place, "eth0").unwrap();
    let mut host = Nspawn::prepare(release, "laptop", &place).unwrap();
    host.write("/etc/systemd/network/10-eth0.network", NETWORK).unwrap();
    host.boot().unwrap();
    host.put(&image::package(release, "systemd-resolved").unwrap(), "/root/resolved.deb").unwrap();
    let run = |script: &str| host.sh(script).unwrap();
    run("dpkg -i /root/resolved.deb && systemctl enable --now systemd-networkd && \
         systemctl restart systemd-resolved systemd-networkd")
    .ok()
    .unwrap();
    let said = || run("networkctl status eth0 --no-pager --full; resolvectl --no-pager; ip address").stdout;
    let soon = |what: &str, condition: &dyn Fn() -> bool| {
        wait::until(PATIENCE, what, condition).unwrap_or_else(|error| panic!("{error:#}\n{}", said()));
    };

    soon("an address of each family", &|| {
        let shown = run("ip -br address show dev eth0 scope global").stdout;
        shown.contains("192.168.40.1") && shown.contains("fd12:3456:789a:40:")
    });
    soon("the cell as the resolver", &|| {
        let shown = run("resolvectl status eth0 --no-pager").stdout;
        shown.contains("192.168.40.1")
            && shown.contains("fd12:3456:789a:40::1")
            && shown.contains("home.cell")
    });
    let status = run("networkctl status eth0 --no-pager --full").stdout;
    assert!(status.contains("NTP: 192.168.40.1"), "{status}");
    assert!(status.contains("1460"), "{status}");
    if release == Release::Trixie {
        // Older ones know nothing of it.
        assert!(status.contains("https://portal.example.org/api"), "{status}");
    }

    let finds = |name: &str| run(&format!("resolvectl query --legend=no {name}")).stdout;
    soon("a name of the cell", &|| finds("printer.home.cell").contains("192.168.40.10"));
    for (name, wanted) in
        [("printer", "192.168.40.10"), ("192.168.40.10", "printer.home.cell"), (OUTSIDE_NAME, OUTSIDE[0])]
    {
        assert!(finds(name).contains(wanted), "{name}: {}\n{}", finds(name), said());
    }
    // By the C library, which everything else uses.
    assert!(run("getent ahostsv4 printer.home.cell").stdout.contains("192.168.40.10"));
    let by_name = run("resolvectl query --legend=no --cache=no laptop.home.cell").stdout;
    assert!(by_name.contains("192.168.40.1"), "its own name, by its lease: {by_name}");
    let listed = cell.picctl("dhcp leases").unwrap().ok().unwrap();
    assert!(
        listed.lines().filter(|line| line.contains("laptop") && line.contains("bound")).count() == 2,
        "{listed}"
    );
    run(&format!("curl -fsS --max-time 5 http://{}/", OUTSIDE[0])).ok().unwrap();

    // The cell is switched off and on; the host asks again by itself.
    cell.lose_power(&lab.cell, &["eth1"]).unwrap();
    assert!(!finds("--cache=no printer.home.cell").contains("192.168.40.10"), "nobody is there");
    cell.start_agent().unwrap();
    soon("names again", &|| finds("--cache=no printer.home.cell").contains("192.168.40.10"));
    run("networkctl renew eth0").ok().unwrap();
    soon("the same address", &|| cell.picctl("dhcp leases").unwrap().stdout.matches("laptop").count() >= 2);
    assert!(finds("--cache=no laptop.home.cell").contains("192.168.40.1"));
}

#[test]
fn networkd_and_resolved_on_debian_13() {
    life(Release::Trixie);
}

#[test]
fn networkd_and_resolved_on_debian_12() {
    life(Release::Bookworm);
}

/// What a desktop writes for a network that was plugged in.
const PROFILE: &str = "[connection]\nid=lan\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=auto\n\
    [ipv6]\nmethod=auto\naddr-gen-mode=default\n";
/// It writes resolv.conf itself, and takes the lab's cable for one of the host's.
const MANAGER: &str =
    "[main]\nplugins=keyfile\ndns=default\nrc-manager=file\n[keyfile]\nunmanaged-devices=none\n";

fn network_manager(release: Release) {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let mut cell = Cell::with_chrony(&lab.cell, CELL_TOML).unwrap();
    let place = Namespace::new("laptop").unwrap();
    lan.plug(&place, "eth0").unwrap();
    let mut host = Nspawn::prepare(release, "laptop", &place).unwrap();
    host.write("/etc/NetworkManager/conf.d/lab.conf", MANAGER).unwrap();
    host.write("/etc/NetworkManager/system-connections/lan.nmconnection", PROFILE).unwrap();
    host.boot().unwrap();
    let run = |script: &str| host.sh(script).unwrap();
    run("chmod 600 /etc/NetworkManager/system-connections/*").ok().unwrap();
    host.install_packages("network-manager").unwrap();
    run("systemctl restart NetworkManager").ok().unwrap();
    let shown = || run("nmcli -t device show eth0").stdout;
    let said =
        || run("nmcli device; nmcli device show eth0; journalctl -u NetworkManager --no-pager -n 60").stdout;
    let soon = |what: &str, condition: &dyn Fn() -> bool| {
        wait::until(PATIENCE, what, condition).unwrap_or_else(|error| panic!("{error:#}\n{}", said()));
    };

    soon("an address of each family, and both resolvers", &|| {
        let shown = shown();
        [
            "]:192.168.40.1",
            "]:fd12:3456:789a:40:",
            "IP4.DNS[1]:192.168.40.1",
            "]:fd12:3456:789a:40::1",
            "]:home.cell",
        ]
        .iter()
        .all(|part| shown.contains(part))
    });
    let addresses = || {
        let keep = |line: &&str| line.contains(".ADDRESS[") && !line.contains("fe80:");
        let mut all: Vec<String> = shown().lines().filter(keep).map(str::to_owned).collect();
        all.sort();
        all
    };
    // Of IPv6 it has two: one that it makes itself, and one that it is given.
    soon("all addresses", &|| addresses().len() == 3);
    let before = addresses();
    assert!(shown().contains("IP4.GATEWAY:192.168.40.1"), "{}", shown());
    assert_eq!(run("cat /sys/class/net/eth0/mtu").stdout.trim(), "1460");
    let options = run("nmcli -f DHCP4 device show eth0").stdout;
    for told in ["192.168.40.1", "home.cell"] {
        assert!(options.contains(told), "{options}");
    }
    // By the C library, from the resolv.conf that NetworkManager has written.
    let finds = |name: &str| run(&format!("getent ahosts {name}")).stdout;
    soon("names", &|| finds("printer").contains("192.168.40.10") && finds(OUTSIDE_NAME).contains(OUTSIDE[0]));
    soon("its own name, by its lease", &|| finds("laptop.home.cell").contains("192.168.40.1"));
    run(&format!("curl -fsS --max-time 5 http://{}/", OUTSIDE[0])).ok().unwrap();
    let bound = || {
        let listed = cell.picctl("dhcp leases").unwrap().ok().unwrap();
        listed.lines().filter(|line| line.contains("laptop") && line.contains("bound")).count()
    };
    soon("a lease of each family", &|| bound() == 2);

    // The cell is switched off and on while the laptop sleeps.
    run("nmcli connection down lan").ok().unwrap();
    cell.lose_power(&lab.cell, &["eth1"]).unwrap();
    cell.start_agent().unwrap();
    run("nmcli connection up lan").ok().unwrap();
    soon("the same addresses", &|| addresses() == before);
    soon("names again", &|| finds("printer.home.cell").contains("192.168.40.10"));
}

#[test]
fn network_manager_on_debian_13() {
    network_manager(Release::Trixie);
}

#[test]
fn network_manager_on_debian_12() {
    network_manager(Release::Bookworm);
}

/// Debian's packages of what people ask for addresses and names with.
const TOOLS: &str =
    "udhcpc isc-dhcp-client dhcpcd-base ndisc6 bind9-dnsutils knot-dnsutils dnsperf kea-admin";
/// How each takes an address of a family, with the end of a command that gives it back.
const CLIENTS: [(&str, &str, &str); 5] = [
    ("192.168.40.1", "udhcpc -i eth0 -n -q -f -t 20 -T 1 -x hostname:laptop", "true"),
    ("192.168.40.1", "dhclient -4 -1 eth0", "dhclient -4 -r eth0"),
    ("192.168.40.1", "dhcpcd -4 -1 --waitip=4 eth0", "dhcpcd -4 -k eth0"),
    ("fd12:3456:789a:40::", "dhclient -6 -1 eth0", "dhclient -6 -r eth0"),
    ("fd12:3456:789a:40::", "dhcpcd -6 -b eth0", "dhcpcd -6 -k eth0"),
];

/// The tools as Debian packs them, with their own scripts, configuration and folders.
fn tools(release: Release) {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let place = Namespace::new("laptop").unwrap();
    lan.plug(&place, "eth0").unwrap();
    let mut host = Nspawn::prepare(release, "laptop", &place).unwrap();
    host.boot().unwrap();
    host.install_packages(TOOLS).unwrap();
    let run = |script: &str| host.sh(script).unwrap();
    run("ip link set eth0 up").ok().unwrap();
    wait::until(PATIENCE, "the LAN to be served", || {
        cell.picctl("dhcp leases --json").is_ok_and(|out| out.stdout.contains("\"serving\":true"))
    })
    .unwrap();

    for (beginning, takes, gives_back) in CLIENTS {
        let said = run(takes);
        let shown = || run("ip -br address show dev eth0 scope global").stdout;
        // One that it was given, not one that it has made itself.
        let has = || {
            let listed = cell.picctl("dhcp leases --json").unwrap().stdout;
            let all = shown();
            let mut own = all.split_whitespace().filter(|word| word.starts_with(beginning));
            own.any(|word| listed.contains(&format!("\"{}\"", word.split('/').next().unwrap())))
        };
        wait::until(PATIENCE, takes, has)
            .unwrap_or_else(|error| panic!("{error:#}\n{}{}\n{}", said.stdout, said.stderr, shown()));
        run(gives_back);
        run("ip address flush dev eth0 scope global");
    }

    // With an address again, what tells of names and routers.
    run(CLIENTS[0].1).ok().unwrap();
    let says = |command: &str, wanted: &str| {
        let said = run(command);
        assert!(said.stdout.contains(wanted), "{command}: {}{}", said.stdout, said.stderr);
    };
    says("rdisc6 -1 eth0", "fd12:3456:789a:40::/64");
    says("rdisc6 -1 eth0", "fd12:3456:789a:40::1");
    says("dig +short @192.168.40.1 printer.home.cell", "192.168.40.10");
    says("dig +short @192.168.40.1 laptop.home.cell", "192.168.40.1");
    says("kdig +short @192.168.40.1 -x 192.168.40.10", "printer.home.cell.");
    says("delv +noroot @192.168.40.1 printer.home.cell A", "192.168.40.10");
    says(
        "echo printer.home.cell A > /root/q && dnsperf -s 192.168.40.1 -d /root/q -l 1",
        "Queries lost:         0",
    );
    says("perfdhcp -4 -l eth0 -r 10 -R 10 -n 10 -W 2000000 all", "received packets: 10");
}

#[test]
fn addresses_and_names_by_debians_packages() {
    tools(Release::Trixie);
}

/// Debian's dhcpcd on a router with a network behind it, as its manual has it. A container has no udev, which it would wait for.
const ROUTER: &str = "nodev\nduid ll\nnoipv6rs\ninterface eth0\nipv6rs\nia_na 1\nia_pd 1 eth1/1/64\n";

#[test]
fn a_router_on_debian_is_given_a_prefix_and_the_owner_takes_it_back() {
    let lab = Internet::start().unwrap();
    let (lan, upstairs) = (Lan::new("lan").unwrap(), Lan::new("upstairs").unwrap());
    lan.plug(&lab.cell, "eth1").unwrap();
    // The LAN's own network is left to the cell, out of a prefix that the provider routes there.
    let own = CELL_TOML.replace("ipv6 = \"fd12:3456:789a:40::/64\"\n", "");
    let text = format!("{own}\n[uplink]\nprefix = \"2001:db8:d00::/56\"\n");
    let cell = Cell::start(&lab.cell, &text).unwrap();
    let place = Namespace::new("router").unwrap();
    lan.plug(&place, "eth0").unwrap();
    upstairs.plug(&place, "eth1").unwrap();
    let mut host = Nspawn::prepare(Release::Trixie, "router", &place).unwrap();
    host.write("/etc/dhcpcd.conf", ROUTER).unwrap();
    host.write("/etc/sysctl.d/router.conf", "net.ipv6.conf.all.forwarding=1\n").unwrap();
    host.boot().unwrap();
    host.install_packages("dhcpcd-base").unwrap();
    let run = |script: &str| host.sh(script).unwrap();
    run("sysctl -p /etc/sysctl.d/router.conf && ip link set eth0 up && ip link set eth1 up && dhcpcd -6 -b eth0 eth1")
        .ok()
        .unwrap();
    let shown = || run("ip -6 -br address show dev eth1 scope global").stdout;
    let routes = || lab.cell.ip("-6 route show dev eth1 proto 77").unwrap_or_default();
    let soon = |what: &str, condition: &dyn Fn() -> bool| {
        wait::until(PATIENCE, what, condition)
            .unwrap_or_else(|error| panic!("{error:#}\n{}{}", shown(), routes()));
    };
    soon("the router's network", &|| shown().contains("2001:db8:d"));
    soon("the route to it", &|| routes().contains("via fe80"));
    let listed = cell.picctl("dhcp leases /62").unwrap().ok().unwrap();
    let prefix = listed.split_whitespace().find(|word| word.ends_with("/62")).unwrap().to_owned();
    assert!(routes().contains(&prefix), "{listed}{}", routes());

    cell.picctl(&format!("dhcp release {prefix}")).unwrap().ok().unwrap();
    soon("the route to be gone", &|| !routes().contains("via fe80"));
    run("dhcpcd -6 -n eth0").ok().unwrap();
    soon("the same again, when it has asked", &|| routes().contains(&prefix));
    run("dhcpcd -6 -k eth0");
    soon("the route to be gone when it has given it back", &|| !routes().contains("via fe80"));
}
