//! A LAN of five clients, each another program, comes up from nothing behind a cell, talks by name, keeps the time, and
//! goes on when the cell loses its power and when its way to the internet becomes another one.

use pic_lab::cell::Cell;
use pic_lab::chrony::{self, TimeServer};
use pic_lab::netns::internet::address;
use pic_lab::netns::{Lan, veth};
use pic_lab::{Child, Internet};

use crate::kit::{CELL_TOML, Host, SECOND, dig, pings, soon};

const AT: &str = "@192.168.40.1";
/// What `systemd-networkd` reads, in a `/run/systemd` of its own.
const NETWORKD: &str = "mount -o remount,ro /sys; mount -t tmpfs none /run/systemd
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network:systemd-network /run/systemd/netif
printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\n[DHCPv4]\\nHostname=box\\n' > /run/systemd/network/10-eth0.network
exec /usr/lib/systemd/systemd-networkd
";

/// Takes what dhclient is given, as its own script would, but for the files of the machine.
const DHCLIENT: &str = "#!/bin/sh
[ -n \"$new_ip_address\" ] || exit 0
ip address replace \"$new_ip_address/24\" dev \"$interface\"
ip route replace default via \"$new_routers\"
";

/// The five, by the names that they have.
struct Five {
    tablet: Host,
    desk: Host,
    phone: Host,
    boxx: Host,
    printer: Host,
    _programs: Vec<Child>,
}

impl Five {
    fn switch_on(lan: &Lan) -> Self {
        let plug = |name: &str, last: u8| Host::plug(lan, name, &format!("02:00:00:00:00:{last:02x}"));
        let (tablet, desk) = (plug("tablet", 0x21), plug("desk", 0x22));
        let (phone, boxx, printer) = (plug("phone", 0x23), plug("box", 0x24), plug("printer", 0x10));
        let mut programs = vec![tablet.stay("eth0", "-x hostname:tablet")];

        let script = desk.scratch.join("dhclient-script");
        pic_lab::files::write(&script, DHCLIENT).unwrap();
        std::process::Command::new("chmod").arg("755").arg(&script).status().unwrap();
        let config = desk.scratch.join("dhclient.conf");
        pic_lab::files::write(&config, "send host-name \"desk\";\nretry 2;\nrequest subnet-mask, routers;\n")
            .unwrap();
        let (lease, pid) = (desk.scratch.join("lease"), desk.scratch.join("pid"));
        programs.push(
            desk.namespace
                .spawn(&format!(
                    "dhclient -4 -d -cf {} -sf {} -lf {} -pf {} eth0",
                    config.display(),
                    script.display(),
                    lease.display(),
                    pid.display()
                ))
                .unwrap(),
        );
        programs.push(phone.namespace.spawn("dhcpcd -4 -B -A -c /bin/true -h phone eth0").unwrap());
        let networkd = boxx.scratch.join("networkd");
        pic_lab::files::write(&networkd, NETWORKD).unwrap();
        programs.push(boxx.namespace.spawn(&format!("unshare -m sh {}", networkd.display())).unwrap());
        // A printer whose address was set by hand; the cell only knows it by its reservation.
        printer.namespace.address("eth0", "192.168.40.10/24").unwrap();
        printer.namespace.ip("route add default via 192.168.40.1").unwrap();
        let five = Self { tablet, desk, phone, boxx, printer, _programs: programs };
        for host in five.all() {
            host.namespace
                .set_resolv_conf("nameserver 192.168.40.1\nsearch home.cell\noptions timeout:1\n")
                .unwrap();
        }
        five
    }

    fn all(&self) -> [&Host; 5] {
        [&self.tablet, &self.desk, &self.phone, &self.boxx, &self.printer]
    }

    fn names(&self) -> [(&'static str, &Host); 5] {
        let [tablet, desk, phone, boxx, printer] = self.all();
        [("tablet", tablet), ("desk", desk), ("phone", phone), ("box", boxx), ("printer", printer)]
    }

    fn addresses(&self) -> Vec<String> {
        self.all().iter().map(|host| host.address("eth0")).collect()
    }

    /// Everyone finds everyone by name, and each address has its name.
    fn talk(&self) {
        for (name, host) in self.names() {
            let address = host.address("eth0");
            let address = address.trim_end_matches("/24");
            soon(&format!("the name of {name}"), || {
                dig(&self.printer.namespace, &format!("{AT} {name}.home.cell")) == address
            });
            assert_eq!(
                dig(&self.tablet.namespace, &format!("{AT} -x {address}")),
                format!("{name}.home.cell.")
            );
            for (_, other) in self.names() {
                assert!(pings(&other.namespace, name), "{name} by its short name");
            }
        }
    }

    /// Everyone's packets come out at this address of the cell.
    fn reach_the_internet(&self, by: &str) {
        for (name, host) in self.names() {
            let page = || host.namespace.http_get(Internet::web().unwrap()[0], "/", SECOND * 2);
            soon(&format!("the internet for {name} by {by}"), || {
                page().is_ok_and(|page| page.ends_with(&format!("{by}\n")))
            });
            soon(&format!("names of the internet for {name}"), || {
                dig(&host.namespace, &format!("{AT} {}", address::OUTSIDE_NAME)) == address::OUTSIDE[0]
            });
        }
    }
}

impl Five {
    /// Each asks the cell for the time by a program that sets clocks, and is told the right one.
    fn keep_time(&self, when: &str) {
        std::thread::scope(|scope| {
            for (name, host) in self.names() {
                scope.spawn(move || {
                    soon(&format!("the time for {name} {when}"), || {
                        chrony::offset(&host.namespace, "192.168.40.1").is_ok_and(|offset| offset.abs() < 0.1)
                    });
                });
            }
        });
    }
}

/// Whether the cell has the time from outside by what was measured of late.
fn has_the_time(cell: &Cell) -> bool {
    let told = cell.picctl("time --json").unwrap().stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap_or_default();
    told["synchronised"] == true && told["sources"][0]["last"].as_u64().is_none_or(|seconds| seconds < 600)
}

#[test]
fn five_clients_live_behind_a_cell_through_reboot_and_a_new_uplink() {
    let lab = Internet::start().unwrap();
    let (lan, guests) = (Lan::new("lan").unwrap(), Lan::new("guests").unwrap());
    lan.plug(&lab.cell, "eth1").unwrap();
    guests.plug(&lab.cell, "eth2").unwrap();
    // They ask before anybody is there to answer.
    let five = Five::switch_on(&lan);
    let _clock = TimeServer::start(&lab.outside, address::OUTSIDE_NAME).unwrap();
    let upstream = format!("[time]\nupstreams = [\"ntp://{}\"]\n\n[dns]", address::OUTSIDE[0]);
    let mut cell = Cell::with_chrony(&lab.cell, &CELL_TOML.replace("[dns]", &upstream)).unwrap();
    soon("an address for everyone", || five.addresses().iter().all(|address| address.ends_with("/24")));
    five.talk();
    five.reach_the_internet(address::CELL[0]);
    five.keep_time("at first");
    let before = five.addresses();

    // The power goes, and comes back.
    cell.lose_power(&lab.cell, &["eth1", "eth2"]).unwrap();
    assert!(!pings(&five.tablet.namespace, "192.168.40.1"), "nothing of the cell is left");
    cell.start_agent().unwrap();
    soon("the LANs to be served", || {
        cell.picctl("dhcp leases --json").unwrap().stdout.matches("\"serving\":true").count() == 2
    });
    assert_eq!(five.addresses(), before, "they keep what they have");
    five.talk();
    five.reach_the_internet(address::CELL[0]);
    five.keep_time("after the reboot");
    // One that comes new gets what nobody holds, and one that asks again gets the same.
    let visitor = Host::plug(&lan, "visitor", "02:00:00:00:00:31");
    visitor.udhcpc("eth0", "visitor");
    assert!(!before.contains(&visitor.address("eth0")));
    let tablet = five.tablet.udhcpc("eth0", "tablet");
    assert!(before[0].starts_with(&crate::kit::told(&tablet, "ip")));

    // The provider gives another address, then the way out is another interface.
    lab.cell.ip("address del 203.0.113.10/24 dev eth0").unwrap();
    lab.cell.ip("address add 203.0.113.77/24 dev eth0").unwrap();
    lab.cell.ip(&format!("route add default via {}", address::PROVIDER[0])).unwrap();
    five.reach_the_internet("203.0.113.77");
    veth(&lab.cell, "wwan0", &lab.provider, "mobile").unwrap();
    lab.provider.address("mobile", "203.0.114.1/24").unwrap();
    lab.cell.address("wwan0", "203.0.114.9/24").unwrap();
    lab.cell.ip("route replace default via 203.0.114.1 dev wwan0").unwrap();
    lab.cell.ip("link set eth0 down").unwrap();
    five.reach_the_internet("203.0.114.9");
    assert_eq!(five.addresses(), before);
    five.talk();
    five.keep_time("by the other way out");
    soon("the time to come by the other way out", || has_the_time(&cell));
}
