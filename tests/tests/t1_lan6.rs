//! IPv6 on LANs of a cell: real DHCPv6 clients get addresses and names, and hosts hear what is advertised.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::{Child, Internet, Namespace, Scratch, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = r#"[cell]
name = "home"

[dns]
upstreams = ["198.51.100.53"]

[[lan]]
name = "lan"
interface = "eth1"
ipv4 = "192.168.40.1/24"
ipv6 = "fd12:3456:789a:40::/64"
dhcp6 = { ntp = ["fd12:3456:789a:40::1", "time.example.org"] }

[lan.dhcp]
pool = "192.168.40.100-192.168.40.199"
options = { captive-portal = "https://portal.example.org/api" }

[[reservation]]
lan = "lan"
mac = "02:00:00:00:00:10"
address = "192.168.40.10"
address6 = "::10"
name = "printer"
"#;

/// What dhclient runs: takes the addresses.
const SCRIPT: &str = r#"#!/bin/sh
case "$reason" in
BOUND6|RENEW6|REBIND6) ip -6 address replace "$new_ip6_address/128" dev "$interface" noprefixroute ;;
EXPIRE6|RELEASE6) ip -6 address del "$old_ip6_address/128" dev "$interface" ;;
esac
exit 0
"#;

/// A host on the LAN.
struct Host {
    namespace: Namespace,
    scratch: Scratch,
}

impl Host {
    fn plug(lan: &Lan, name: &str, mac: &str) -> Self {
        let namespace = Namespace::new(name).unwrap();
        lan.plug(&namespace, "eth0").unwrap();
        namespace.sysctl("net.ipv6.conf.eth0.accept_ra", "1").unwrap();
        for line in ["link set eth0 down", &format!("link set eth0 address {mac}"), "link set eth0 up"] {
            namespace.ip(line).unwrap();
        }
        let scratch = Scratch::new("client6").unwrap();
        let script = scratch.join("script");
        pic_lab::files::write(&script, SCRIPT).unwrap();
        std::process::Command::new("chmod").arg("755").arg(&script).status().unwrap();
        let host = Self { namespace, scratch };
        soon("a link-local address", || host.addresses().iter().any(|address| address.starts_with("fe80")));
        host
    }

    /// Addresses that are in use, without their length.
    fn addresses(&self) -> Vec<String> {
        let shown = self.namespace.ip("-6 -o address show dev eth0 -tentative").unwrap();
        let words = shown.lines().filter_map(|line| line.split_whitespace().nth(3));
        words.filter_map(|word| word.split_once('/')).map(|(address, _)| address.to_owned()).collect()
    }

    fn dhclient(&self, name: &str, more: &str) -> Child {
        let config = self.scratch.join("config");
        let text = format!(
            "option dhcp6.time code 56 = string;\noption dhcp6.portal code 103 = text;\n\
             send fqdn.fqdn \"{name}.home.cell.\";\nsend fqdn.encoded on;\n\
             also request fqdn, dhcp6.fqdn, dhcp6.sntp-servers, dhcp6.time, dhcp6.portal;\nsend dhcp6.client-id {};\n",
            self.duid()
        );
        pic_lab::files::write(&config, &text).unwrap();
        let at = |name: &str| self.scratch.join(name).display().to_string();
        let line = format!(
            "dhclient -6 {more} -1 -d -v -cf {} -sf {} -lf {} -pf {} eth0",
            at("config"),
            at("script"),
            at("lease"),
            at("pid")
        );
        self.namespace.spawn(&line).unwrap()
    }

    /// Of type 3: the hardware address.
    fn duid(&self) -> String {
        let shown = self.namespace.run("cat /sys/class/net/eth0/address").unwrap().stdout;
        format!("00:03:00:01:{}", shown.trim())
    }

    fn lease(&self) -> String {
        std::fs::read_to_string(self.scratch.join("lease")).unwrap_or_default()
    }
}

fn dig(from: &Namespace, words: &str) -> String {
    from.run(&format!("dig +short +time=1 +tries=1 {words}")).unwrap().stdout.trim().to_owned()
}

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 20, what, condition).unwrap();
}

fn start() -> (Internet, Lan, Cell) {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    soon("the LAN to be served", || {
        cell.picctl("dhcp leases --json").unwrap().stdout.contains("\"serving\":true")
    });
    (lab, lan, cell)
}

#[test]
fn dhclient_gets_an_address_and_a_name_and_gives_it_back() {
    let (_lab, lan, cell) = start();
    let desk = Host::plug(&lan, "desk", "02:00:00:00:00:06");
    let mut client = desk.dhclient("Desk", "");
    soon("dhclient's lease", || desk.lease().contains("iaaddr") && desk.lease().contains("domain-search"));
    let lease = desk.lease();
    let address = lease.split_once("iaaddr ").unwrap().1.split_whitespace().next().unwrap().to_owned();
    soon("its address", || desk.addresses().contains(&address));
    assert!(desk.lease().contains("dhcp6.name-servers fd12:3456:789a:40::1"), "{}", desk.lease());
    assert!(desk.lease().contains("dhcp6.domain-search \"home.cell.\""), "{}", desk.lease());
    for told in [
        "dhcp6.sntp-servers fd12:3456:789a:40::1",
        "dhcp6.portal \"https://portal.example.org/api\"",
        "dhcp6.time ",
    ] {
        assert!(desk.lease().contains(told), "{told}: {}", desk.lease());
    }
    wait::until(SECOND, "the lease's name", || {
        dig(&desk.namespace, "@fd12:3456:789a:40::1 desk.home.cell AAAA") == address
    })
    .unwrap();
    let reverse = dig(&desk.namespace, &format!("@fd12:3456:789a:40::1 -x {address}"));
    assert_eq!(reverse, "desk.home.cell.");
    let listed = cell.picctl("dhcp leases").unwrap().ok().unwrap();
    assert!(
        listed.lines().any(|line| line.contains(&address) && line.contains("desk") && line.contains("bound")),
        "{listed}"
    );
    client.kill();
    let mut client = desk.dhclient("Desk", "-r");
    soon("the release", || cell.picctl("dhcp leases --json").unwrap().stdout.contains("\"released\""));
    client.kill();
    // The same again, also when the service was killed.
    let _client = desk.dhclient("Desk", "");
    soon("the same address", || desk.addresses().contains(&address));
    cell.picctl(&format!("dhcp release {address}")).unwrap().ok().unwrap();
    assert!(cell.picctl("dhcp leases --json").unwrap().stdout.contains("\"released\""));
}

#[test]
fn dhcpcd_and_a_reservation_by_hardware_address() {
    let (_lab, lan, cell) = start();
    let printer = Host::plug(&lan, "printer", "02:00:00:00:00:10");
    let config = printer.scratch.join("dhcpcd.conf");
    let text = "duid ll
hostname laserjet
option domain_name_servers, domain_search
";
    pic_lab::files::write(&config, text).unwrap();
    // What it remembers of other runs is not of this one.
    let script = printer.scratch.join("dhcpcd");
    let text = format!(
        "mount -t tmpfs none /var/lib/dhcpcd && exec dhcpcd -6 -B -c /bin/true -f {} eth0
",
        config.display()
    );
    pic_lab::files::write(&script, &text).unwrap();
    let mut client = printer.namespace.spawn(&format!("unshare -m sh {}", script.display())).unwrap();
    soon("dhcpcd's address", || printer.addresses().contains(&"fd12:3456:789a:40::10".to_owned()));
    let at = "@fd12:3456:789a:40::1";
    assert_eq!(dig(&printer.namespace, &format!("{at} printer.home.cell AAAA")), "fd12:3456:789a:40::10");
    assert_eq!(
        dig(&printer.namespace, &format!("{at} laserjet.home.cell AAAA")),
        "",
        "the written name is the only one"
    );
    client.kill();
    cell.picctl("dhcp reserve nas --mac 02:00:00:00:00:11 --address 192.168.40.11 --address6 ::11 --yes")
        .unwrap()
        .ok()
        .unwrap();
    let nas = Host::plug(&lan, "nas", "02:00:00:00:00:11");
    soon("the service to know", || {
        let mut client = nas.dhclient("nas", "");
        let has =
            wait::until(SECOND * 4, "it", || nas.addresses().contains(&"fd12:3456:789a:40::11".to_owned()));
        client.kill();
        has.is_ok()
    });
}

#[test]
fn hosts_hear_what_is_advertised_and_doctor_who_else_does() {
    let (lab, lan, cell) = start();
    let phone = Host::plug(&lan, "phone", "02:00:00:00:00:07");
    let seen = phone.namespace.run("rdisc6 -1 -w 3000 eth0").unwrap();
    for words in [
        "Stateful address conf.    :          Yes",
        "Recursive DNS server",
        "home.cell",
        "fd12:3456:789a:40::/64",
    ] {
        assert!(seen.stdout.contains(words), "{words}: {}{}", seen.stdout, seen.stderr);
    }
    // Without a way out in v6 the cell is no default router, and says so.
    assert!(!seen.stdout.contains("Router lifetime           :            0 "), "{}", seen.stdout);
    lab.cell.ip("-6 route del default").unwrap();
    soon("the router to resign", || {
        let seen = phone.namespace.run("rdisc6 -1 -w 3000 eth0").unwrap();
        seen.stdout.contains("Router lifetime           :            0 ")
    });
    assert!(!cell.picctl("doctor").unwrap().stdout.contains("fe80"), "nobody else yet");
    let rival = Host::plug(&lan, "rival", "02:00:00:00:00:99");
    rival.namespace.address("eth0", "2001:db8:99::1/64").unwrap();
    let line = format!(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --interface=eth0 --bind-interfaces --enable-ra --dhcp-range=2001:db8:99::,ra-only,10m --dhcp-leasefile={} --pid-file={}",
        rival.scratch.join("leases").display(),
        rival.scratch.join("pid").display()
    );
    let mut server = rival.namespace.spawn(&line).unwrap();
    soon("doctor to tell", || {
        let told = cell.picctl("doctor").unwrap().stdout;
        told.contains("fe80::ff:fe00:99") && told.contains("2001:db8:99::/64")
    });
    server.kill();
}
