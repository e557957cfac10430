//! A network for guests on a VLAN over the cable of the private network; the guest is a namespace on the phone's machine,
//! as in `docs/howto/lan.md`.

use anyhow::{Context as _, Result, ensure};
use pic_lab::netns::internet::address::{CELL, OUTSIDE, OUTSIDE_NAME};
use pic_lab::{image, wait};

use crate::scene::{PRINTER, Scene, run};

const GUESTS: &str = r#"
[[lan]]
name = "guests"
interface = "ens5"
vlan = 20
ipv4 = "192.168.41.1/24"
allow = ["internet"]
dhcp = { pool = "192.168.41.50-192.168.41.199", lease = "1h" }
"#;

/// What udhcpc runs.
const SCRIPT: &str = "#!/bin/sh
[ \"$1\" = bound ] || exit 0
ip address replace \"$ip/$mask\" dev \"$interface\"
ip route replace default via \"$router\"
echo \"nameserver $dns\" > /etc/netns/guest/resolv.conf
echo \"ip=$ip router=$router dns=$dns domain=$domain\"
";

const GUEST: &str = "set -e
ip netns add guest
mkdir -p /etc/netns/guest
ip link set ens5 up
ip link add link ens5 name guest0 type vlan id 20
ip link set guest0 netns guest
ip -n guest link set lo up
ip -n guest link set guest0 up
";

/// Adds the network, lets a guest live in it, and takes it away again.
pub(crate) fn guests(scene: &Scene<'_>) -> Result<()> {
    let busybox = image::package(scene.phone.release(), "busybox")?;
    scene.phone.put(&busybox, "/root/busybox.deb")?;
    run(&scene.phone, "dpkg -i /root/busybox.deb")?;
    scene.phone.write("/root/udhcpc", SCRIPT)?;
    run(&scene.phone, "chmod 755 /root/udhcpc")?;
    run(&scene.cell, "cp /etc/pic/cell.toml /root/cell.before")?;
    let lived = live(scene);
    // The story goes on as it was, whatever became of the guest.
    let _ = run(&scene.phone, "ip netns del guest; rm -rf /etc/netns/guest");
    run(&scene.cell, "cat /root/cell.before > /etc/pic/cell.toml")?;
    apply(scene)?;
    // What the removal is judged by must not find them.
    run(&scene.cell, "rm -f /root/cell.before /root/guests.toml")?;
    lived?;
    let links = run(&scene.cell, "ip -br link")?;
    ensure!(!links.contains("pic20"), "the VLAN's interface stays: {links}");
    scene.is_well()
}

fn apply(scene: &Scene<'_>) -> Result<()> {
    // A new LAN waits for a confirmation (4); where nothing is to be confirmed, that is told as a failure.
    run(&scene.cell, "picctl apply --yes || [ $? -eq 4 ]")?;
    // All of the kit's commands share one connection, which is therefore the one that the change was made over.
    scene.cell.ssh("picctl confirm --here")?;
    Ok(())
}

fn live(scene: &Scene<'_>) -> Result<()> {
    scene.cell.write("/root/guests.toml", GUESTS)?;
    run(&scene.cell, "cat /root/guests.toml >> /etc/pic/cell.toml")?;
    apply(scene)?;
    wait::until(pic_lab::vm::BOOT, "the guests' network to be served", || {
        scene.picctl("dhcp leases").is_ok_and(|list| list["lans"][0]["serving"] == true)
    })?;
    let link = run(&scene.cell, "ip -d link show pic20")?;
    ensure!(link.contains("vlan protocol 802.1Q id 20"), "pic20 is no VLAN: {link}");
    scene.phone.ssh_for("sh -s", pic_lab::vm::BOOT, GUEST.as_bytes())?.ok()?;
    let told = run(
        &scene.phone,
        &inside("busybox udhcpc -i guest0 -n -q -f -t 20 -T 2 -x hostname:visitor -s /root/udhcpc"),
    )?;
    ensure!(
        told.contains("ip=192.168.41.50 router=192.168.41.1 dns=192.168.41.1 domain=home.cell"),
        "the guest was told: {told}"
    );
    let found = run(&scene.phone, &inside(&format!("getent ahostsv4 {OUTSIDE_NAME}")))?;
    ensure!(found.starts_with(OUTSIDE[0]), "{OUTSIDE_NAME} is {found}");
    let page = run(&scene.phone, &inside(&format!("curl -fsS --max-time 20 http://{}/", OUTSIDE[0])))?;
    ensure!(page.trim() == CELL[0], "the internet is reached from {page} and not from the cell");
    // Neither the cell, nor the network over whose cable the guest comes, nor what is in it.
    let [inner, _] = scene.inner()?;
    for target in ["192.168.41.1", "192.168.99.1", PRINTER, &inner] {
        let output = scene.phone.ssh(&inside(&format!("ping -n -c 2 -i 0.2 -W 2 {target}")))?;
        ensure!(!output.status.success(), "a guest reaches {target}: {}", output.stdout);
    }
    let knock = inside("socat -u OPEN:/dev/null TCP:192.168.41.1:22,connect-timeout=5");
    ensure!(!scene.phone.ssh(&knock)?.status.success(), "a guest reaches the cell's ssh");
    let leases = scene.picctl("dhcp leases visitor")?;
    let lease = leases["items"].get(0).context("no lease of the guest")?;
    ensure!(lease["ip"] == "192.168.41.50" && lease["lan"] == "guests", "the guest's lease: {lease}");
    Ok(())
}

fn inside(line: &str) -> String {
    format!("ip netns exec guest {line}")
}
