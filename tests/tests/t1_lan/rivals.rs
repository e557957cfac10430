//! Another server that comes later is told, and nobody loses an address to it.

use pic_lab::netns::Lan;

use crate::kit::{Host, soon, start, told};

fn server(rival: &Host) -> pic_lab::Child {
    rival.namespace.address("eth0", "192.168.40.254/24").unwrap();
    let line = format!(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --interface=eth0 --bind-interfaces --dhcp-range=192.168.40.50,192.168.40.60,1h --dhcp-authoritative --no-ping --dhcp-leasefile={} --pid-file={}",
        rival.scratch.join("leases").display(),
        rival.scratch.join("pid").display()
    );
    rival.namespace.spawn(&line).unwrap()
}

#[test]
fn a_server_that_comes_later_is_told_and_the_cell_goes_on() {
    let (_lab, [lan, _guests], cell) = start();
    let phone = Host::plug(&lan, "phone", "02:00:00:00:00:07");
    assert_eq!(told(&phone.udhcpc("eth0", "phone"), "serverid"), "192.168.40.1");
    let rival = Host::plug(&lan, "rival", "02:00:00:00:00:99");
    let mut program = server(&rival);
    // Devices that chose the other one gave it away.
    let tv = Host::plug(&lan, "tv", "02:00:00:00:00:08");
    let line = format!(
        "busybox udhcpc -i eth0 -n -q -f -t 3 -T 1 -r 192.168.40.55 -s {}",
        tv.scratch.join("script").display()
    );
    soon("the other server to be told", || {
        let _ = tv.namespace.run(&line);
        cell.picctl("dhcp leases")
            .unwrap()
            .stderr
            .contains("another DHCP server answers there: 192.168.40.254")
    });
    let doctor = cell.picctl("doctor").unwrap().stdout;
    assert!(doctor.contains("192.168.40.254 on LAN lan"), "{doctor}");
    assert!(cell.picctl("dhcp leases --json").unwrap().stdout.matches("\"serving\":true").count() == 2);
    program.kill();
    // With it gone, those of the cell get from the cell what they had.
    soon("the phone's own address", || told(&phone.udhcpc("eth0", "phone"), "serverid") == "192.168.40.1");
}

#[test]
fn an_interface_that_is_pulled_out_and_comes_back_is_served_again() {
    let (lab, [lan, _guests], cell) = start();
    let phone = Host::plug(&lan, "phone", "02:00:00:00:00:07");
    let had = told(&phone.udhcpc("eth0", "phone"), "ip");
    lab.cell.ip("link del eth1").unwrap();
    soon("the loss to be told", || {
        cell.picctl("dhcp leases").unwrap().stderr.contains("cannot listen on eth1")
    });
    let again: &Lan = &lan;
    again.plug(&lab.cell, "eth1").unwrap();
    soon("the cell's address on it", || {
        lab.cell.ip("-4 -br address show dev eth1").is_ok_and(|shown| shown.contains("192.168.40.1/24"))
    });
    soon("the LAN to be served", || {
        cell.picctl("dhcp leases --json").unwrap().stdout.matches("\"serving\":true").count() == 2
    });
    assert_eq!(told(&phone.udhcpc("eth0", "phone"), "ip"), had, "the same again");
}
