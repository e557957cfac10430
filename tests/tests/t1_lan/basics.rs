//! Addresses, names and what was granted, one thing at a time.

use std::net::SocketAddr;

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Child, Internet, Marker, wait};

use crate::kit::{CELL_TOML, Host, SECOND, dig, http, pings, soon, start, told};

#[test]
fn a_lan_comes_up_from_nothing() {
    let (lab, [lan, _guests], mut cell) = start();
    let laptop = Host::plug(&lan, "laptop", "02:00:00:00:00:01");
    let printer = Host::plug(&lan, "printer", "02:00:00:00:00:10");

    let env = laptop.udhcpc("eth0", "Alices-Laptop");
    assert_eq!(told(&env, "ip"), "192.168.40.100");
    assert_eq!((told(&env, "router"), told(&env, "dns")), ("192.168.40.1".into(), "192.168.40.1".into()));
    assert_eq!((told(&env, "domain"), told(&env, "lease")), ("home.cell".into(), "43200".into()));
    assert_eq!(told(&env, "ntpsrv"), "192.168.40.1");
    assert!(told(&env, "staticroutes").contains("0.0.0.0/0 192.168.40.1"), "{env}");

    // Its name is there within a second, forward and reverse; the printer's before it was ever switched on.
    let at = "@192.168.40.1";
    wait::until(SECOND, "the lease's name", || {
        dig(&laptop.namespace, &format!("{at} alices-laptop.home.cell")) == "192.168.40.100"
    })
    .unwrap();
    assert_eq!(dig(&laptop.namespace, &format!("{at} -x 192.168.40.100")), "alices-laptop.home.cell.");
    assert_eq!(dig(&laptop.namespace, &format!("{at} printer.home.cell")), "192.168.40.10");
    assert_eq!(told(&printer.udhcpc("eth0", "laserjet"), "ip"), "192.168.40.10");
    assert_eq!(
        dig(&laptop.namespace, &format!("{at} laserjet.home.cell")),
        "",
        "the written name is the only one"
    );

    // What was granted, in both families, and nothing more.
    assert!(pings(&laptop.namespace, "192.168.40.1") && pings(&laptop.namespace, "10.77.0.1"));
    assert!(http(&laptop.namespace, address::OUTSIDE[0], 80), "the internet");
    let page = laptop.namespace.http_get(Internet::web().unwrap()[0], "/", SECOND * 5).unwrap();
    assert!(page.ends_with(&format!("{}\n", address::CELL[0])), "by the cell's address: {page}");
    assert!(pings(&laptop.namespace, "192.168.40.10"), "its neighbours");
    lab.provider.ip("addr add 172.31.0.1/32 dev lo").unwrap();
    assert!(!pings(&laptop.namespace, "172.31.0.1"), "private networks are not the internet");
    let _web = lab.cell.spawn("python3 -m http.server --bind :: 8080").unwrap();
    soon("a web server on the cell", || http(&lab.cell, "127.0.0.1", 8080));
    assert!(!http(&laptop.namespace, "192.168.40.1", 8080), "an ungranted service");
    // From outside nothing begins toward the LAN.
    lab.public.namespace().ip("link show").unwrap();
    lab.provider.route("192.168.40.0/24", address::CELL[0]).unwrap();
    assert!(!pings(&lab.provider, "192.168.40.100"), "nothing begins toward the LAN");

    // The agent away: addresses and names go on, also after a restart of the service.
    cell.kill_agent().unwrap();
    let tv = Host::plug(&lan, "tv", "02:00:00:00:00:02");
    assert_eq!(told(&tv.udhcpc("eth0", "tv"), "ip"), "192.168.40.101");
    soon("the tv's name", || dig(&laptop.namespace, &format!("{at} tv.home.cell")) == "192.168.40.101");
    cell.start_agent().unwrap();
    assert_eq!(told(&laptop.udhcpc("eth0", "Alices-Laptop"), "ip"), "192.168.40.100", "the same again");
    cell.teardown().unwrap();
    let left = lab.cell.ip("-br address").unwrap();
    assert!(!left.contains("192.168.4") && !left.contains("pic0"), "{left}");
}

#[test]
fn guests_have_the_internet_and_nothing_else() {
    let (lab, [lan, guests], cell) = start();
    let guest = Host::plug(&guests, "guest", "02:00:00:00:00:03");
    let laptop = Host::plug(&lan, "laptop", "02:00:00:00:00:01");
    laptop.udhcpc("eth0", "laptop");
    assert_eq!(told(&guest.udhcpc("eth0", "guest"), "ip"), "192.168.41.100");
    assert!(http(&guest.namespace, address::OUTSIDE[0], 80), "the internet");
    assert_eq!(
        dig(&guest.namespace, &format!("@192.168.41.1 {}", address::OUTSIDE_NAME)),
        address::OUTSIDE[0]
    );
    assert!(!pings(&guest.namespace, "192.168.40.100"), "not the LAN");
    assert!(
        !pings(&guest.namespace, "192.168.41.1") && !pings(&guest.namespace, "10.77.0.1"),
        "not the cell"
    );
    // Two layers: whichever is torn down, nothing of a LAN leaves in clear by the cell unmarked.
    let mut wire = Capture::start(&lab.cell, "eth0", "").unwrap();
    let echo = Internet::udp_echo().unwrap()[0];
    wire.prove(|marker| guest.namespace.send_udp(echo, marker.bytes())).unwrap();
    let secret = Marker::random().unwrap();
    lab.cell.run("nft delete table inet pic").unwrap().ok().unwrap();
    let private: SocketAddr = "172.31.0.1:9".parse().unwrap();
    let _ = guest.namespace.send_udp(private, secret.bytes());
    soon("the repair", || {
        lab.cell
            .run("nft list table inet pic")
            .is_ok_and(|out| out.stdout.contains("everything else from LANs"))
    });
    wire.ensure_none(&secret).unwrap();
    drop(cell);
}

#[test]
fn reservations_and_leases_by_picctl() {
    let (_lab, [lan, _guests], cell) = start();
    let nas = Host::plug(&lan, "nas", "02:00:00:00:00:04");
    assert_eq!(told(&nas.udhcpc("eth0", "nas"), "ip"), "192.168.40.100");
    let listed = cell.picctl("dhcp leases").unwrap().ok().unwrap();
    assert!(listed.contains("192.168.40.100") && listed.contains("02:00:00:00:00:04"), "{listed}");
    // The lease says the hardware address; the device keeps what it has.
    cell.picctl("dhcp reserve files --address 192.168.40.100 --yes").unwrap().ok().unwrap();
    soon("the written name", || dig(&nas.namespace, "@192.168.40.1 files.home.cell") == "192.168.40.100");
    assert!(cell.picctl("dhcp reservations").unwrap().stdout.contains("files"));
    cell.picctl("dhcp unreserve files").unwrap().ok().unwrap();
    cell.picctl("dhcp reserve files --address 192.168.40.20 --mac 02:00:00:00:00:04").unwrap().ok().unwrap();
    soon("the service to know", || told(&nas.udhcpc("eth0", "nas"), "ip") == "192.168.40.20");
    cell.picctl("dhcp release 192.168.40.20").unwrap().ok().unwrap();
    assert!(cell.picctl("dhcp leases --json").unwrap().stdout.contains("\"released\""));
    assert_eq!(cell.picctl("dhcp release 192.168.40.77").unwrap().code(), 1);
    assert_eq!(cell.picctl("dhcp unreserve nobody").unwrap().code(), 1);
    assert_eq!(cell.picctl("dhcp reserve x --address 10.1.1.1 --mac 02:00:00:00:00:05").unwrap().code(), 3);
}

#[test]
fn other_clients_and_both_families() {
    let (_lab, [lan, _guests], cell) = start();
    let desk = Host::plug(&lan, "desk", "02:00:00:00:00:06");
    let dir = &desk.scratch;
    let line = format!(
        "dhclient -1 -d -v -sf /bin/true -lf {} -pf {} eth0",
        dir.join("lease").display(),
        dir.join("pid").display()
    );
    let mut client: Child = desk.namespace.spawn(&line).unwrap();
    soon("dhclient's lease", || {
        std::fs::read_to_string(dir.join("lease"))
            .is_ok_and(|text| text.contains("fixed-address 192.168.40.1"))
    });
    client.kill();

    let phone = Host::plug(&lan, "phone", "02:00:00:00:00:07");
    let mut client = phone.namespace.spawn("dhcpcd -4 -B -A -c /bin/true -h phone eth0").unwrap();
    soon("dhcpcd's address", || phone.address("eth0").starts_with("192.168.40."));
    client.kill();

    let seen = phone.namespace.run("rdisc6 -1 -w 3000 eth0").unwrap();
    assert!(
        seen.stdout.contains("Recursive DNS server") && seen.stdout.contains("home.cell"),
        "{}{}",
        seen.stdout,
        seen.stderr
    );
    phone.namespace.sysctl("net.ipv6.conf.eth0.accept_ra", "1").unwrap();
    phone.namespace.ip("link set eth0 down").unwrap();
    phone.namespace.ip("link set eth0 up").unwrap();
    soon("an address of its own making", || {
        phone.namespace.ip("-6 -br address show dev eth0").is_ok_and(|shown| shown.contains(" fd"))
    });
    let lan6 = cell.picctl("dhcp leases --json").unwrap().ok().unwrap();
    assert!(lan6.contains("\"serving\":true"));
}

#[test]
fn another_server_is_left_alone_until_it_goes() {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let rival = Host::plug(&lan, "rival", "02:00:00:00:00:99");
    rival.namespace.address("eth0", "192.168.40.254/24").unwrap();
    let line = format!(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --interface=eth0 --bind-interfaces --dhcp-range=192.168.40.50,192.168.40.60,1h --dhcp-leasefile={} --pid-file={}",
        rival.scratch.join("leases").display(),
        rival.scratch.join("pid").display()
    );
    let mut server = rival.namespace.spawn(&line).unwrap();
    let spare = Lan::new("spare").unwrap();
    spare.plug(&lab.cell, "eth2").unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let leases = || cell.picctl("dhcp leases").unwrap();
    soon("the other server to be seen", || leases().stderr.contains("192.168.40.254"));
    assert!(cell.picctl("doctor").unwrap().stdout.contains("192.168.40.254"));
    let phone = Host::plug(&lan, "phone", "02:00:00:00:00:07");
    let told_by = told(&phone.udhcpc("eth0", "phone"), "serverid");
    assert_eq!(told_by, "192.168.40.254", "the one that was there");
    server.kill();
}

#[test]
fn an_address_that_somebody_uses_is_not_given_out() {
    let (_lab, [lan, _guests], cell) = start();
    let squatter = Host::plug(&lan, "squatter", "02:00:00:00:00:08");
    squatter.namespace.address("eth0", "192.168.40.100/24").unwrap();
    let phone = Host::plug(&lan, "phone", "02:00:00:00:00:07");
    assert_eq!(told(&phone.udhcpc("eth0", "phone"), "ip"), "192.168.40.101");
    let listed = cell.picctl("dhcp leases").unwrap().stdout;
    assert!(
        listed.lines().any(|line| line.starts_with("192.168.40.100\t") && line.contains("used by another")),
        "{listed}"
    );
}
