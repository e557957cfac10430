//! The agent is away: addresses and names are served all the same, also by services that are started again meanwhile.

use pic_lab::netns::internet::address;

use crate::kit::{Host, dig, pings, soon, start, told};

const AT: &str = "@192.168.40.1";

#[test]
fn without_the_agent_both_services_go_on_and_come_back_by_themselves() {
    let (_lab, [lan, _guests], mut cell) = start();
    let laptop = Host::plug(&lan, "laptop", "02:00:00:00:00:01");
    let first = told(&laptop.udhcpc("eth0", "laptop"), "ip");
    soon("the laptop's name", || dig(&laptop.namespace, &format!("{AT} laptop.home.cell")) == first);
    cell.kill_agent().unwrap();

    // As they ran.
    let tv = Host::plug(&lan, "tv", "02:00:00:00:00:02");
    let second = told(&tv.udhcpc("eth0", "tv"), "ip");
    soon("the tv's name", || dig(&laptop.namespace, &format!("{AT} tv.home.cell")) == second);

    // Killed, and started again by nobody who knows more than their command lines.
    let names = cell.restart_alone("pic-dns").unwrap();
    soon("names by the new name server", || dig(&laptop.namespace, &format!("{AT} tv.home.cell")) == second);
    let addresses = cell.restart_alone("pic-dhcp").unwrap();
    let phone = Host::plug(&lan, "phone", "02:00:00:00:00:03");
    let third = told(&phone.udhcpc("eth0", "phone"), "ip");
    assert!(![&first, &second].contains(&&third), "{third} is somebody else's");
    assert_eq!(told(&laptop.udhcpc("eth0", "laptop"), "ip"), first, "the same again");
    for (name, address) in
        [("laptop", &first), ("tv", &second), ("phone", &third), ("printer", &"192.168.40.10".into())]
    {
        soon(&format!("the name of {name}"), || {
            dig(&phone.namespace, &format!("{AT} {name}.home.cell")) == **address
        });
    }
    assert_eq!(dig(&phone.namespace, &format!("{AT} -x {third}")), "phone.home.cell.");
    assert_eq!(dig(&phone.namespace, &format!("{AT} {}", address::OUTSIDE_NAME)), address::OUTSIDE[0]);
    assert!(pings(&phone.namespace, address::OUTSIDE[0]), "and the way out stands");

    // The agent takes over where it finds nothing of its own running.
    drop((names, addresses));
    cell.start_agent().unwrap();
    soon("the same by services of the agent's", || {
        dig(&laptop.namespace, &format!("{AT} phone.home.cell")) == third
    });
    assert_eq!(told(&tv.udhcpc("eth0", "tv"), "ip"), second);
}
