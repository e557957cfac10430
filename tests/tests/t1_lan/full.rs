//! The disk is full: names are answered, known devices keep their addresses, new ones wait, and the doctor says why.

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Internet, wait};

use crate::kit::{CELL_TOML, Host, SECOND, dig, soon, told};

const AT: &str = "@192.168.40.1";

fn doctor(cell: &Cell) -> String {
    cell.picctl("doctor").unwrap().stdout
}

#[test]
fn on_a_full_disk_the_lan_goes_on() {
    let lab = Internet::start().unwrap();
    let lans = [Lan::new("lan").unwrap(), Lan::new("guests").unwrap()];
    lans[0].plug(&lab.cell, "eth1").unwrap();
    lans[1].plug(&lab.cell, "eth2").unwrap();
    let cell = Cell::with_disk(&lab.cell, CELL_TOML, "1m").unwrap();
    soon("the LAN to be served", || {
        cell.picctl("dhcp leases --json").unwrap().stdout.matches("\"serving\":true").count() == 2
    });
    let laptop = Host::plug(&lans[0], "laptop", "02:00:00:00:00:01");
    let first = told(&laptop.udhcpc("eth0", "laptop"), "ip");
    soon("its name", || dig(&laptop.namespace, &format!("{AT} laptop.home.cell")) == first);
    assert!(!doctor(&cell).contains("No space left"), "{}", doctor(&cell));

    // To the last byte; a file that has room in its last page would still take a record.
    let filled =
        cell.on_its_disk("dd if=/dev/zero of=filler bs=4k 2>&1; dd if=/dev/zero of=filler2 bs=1 2>&1; df .");
    assert!(filled.unwrap().stdout.contains("100%"));
    let tv = Host::plug(&lans[0], "tv", "02:00:00:00:00:02");
    // The page that the log ends in takes records for a while: each of another device, with a long name for itself.
    let mut number = 0_u8;
    let mut asks = || {
        number += 1;
        let line = format!(
            "busybox udhcpc -i eth0 -n -q -f -t 2 -T 1 -C -x 0x3d:00{number:02x}{} -s {}",
            "ab".repeat(200),
            tv.scratch.join("script").display()
        );
        tv.namespace.run(&line).unwrap().code()
    };
    wait::until(SECOND * 60, "a new device to wait", || asks() != 0).unwrap();
    assert_eq!(told(&laptop.udhcpc("eth0", "laptop"), "ip"), first, "known devices keep what they have");
    assert_eq!(dig(&laptop.namespace, &format!("{AT} laptop.home.cell")), first);
    assert_eq!(dig(&laptop.namespace, &format!("{AT} printer.home.cell")), "192.168.40.10");
    assert_eq!(dig(&laptop.namespace, &format!("{AT} {}", address::OUTSIDE_NAME)), address::OUTSIDE[0]);
    let says = doctor(&cell);
    assert!(says.contains("No space left"), "{says}");
    let refused = cell.picctl("dns add nas A 192.168.40.11 --yes").unwrap();
    assert_ne!(refused.code(), 0, "{}", refused.stdout);
    assert!(refused.stderr.contains("No space left"), "{}", refused.stderr);

    cell.on_its_disk("rm filler filler2").unwrap().ok().unwrap();
    soon("the new device's address", || asks() == 0);
    soon("the doctor to be content", || !doctor(&cell).contains("No space left"));
    cell.picctl("dns add nas A 192.168.40.11 --yes").unwrap().ok().unwrap();
    soon("the new name", || dig(&laptop.namespace, &format!("{AT} nas.home.cell")) == "192.168.40.11");
}
