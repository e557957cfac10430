//! The phone, by kernel WireGuard and `wg-quick`, with exactly what was printed.

use anyhow::{Result, ensure};
use pic_lab::netns::internet::address::{CELL, OUTSIDE, OUTSIDE_NAME};
use pic_lab::{Capture, Internet, Marker};

use crate::install;
use crate::peers::Tablet;
use crate::scene::{PRINTER, Scene, run};

/// Brings the tunnel up. What the phone says to the cell is never on the wire in clear.
pub(crate) fn connect(scene: &Scene<'_>, config: &str) -> Result<()> {
    let capture = wire(scene)?;
    scene.phone.write("/etc/wireguard/phone.conf", config)?;
    run(&scene.phone, "chmod 600 /etc/wireguard/phone.conf && wg-quick up phone")?;
    let marker = Marker::random()?;
    for target in scene.inner()? {
        run(&scene.phone, &format!("ping -n -c 3 -i 0.2 -W 5 -p {} {target}", marker.hex()))?;
    }
    let names = [("home.cell", scene.inner()?), ("phone.home.cell", own(scene)?)];
    for (name, [v4, v6]) in names {
        let found = run(&scene.phone, &format!("getent ahosts {name}"))?;
        ensure!(found.contains(&v4) && found.contains(&v6), "{name} is not {v4} and {v6} but {found}");
    }
    capture.ensure_none(&marker)?;
    let encrypted =
        capture.stop()?.iter().filter_map(|p| p.sockets()).filter(|(_, to)| to.port() == 51820).count();
    ensure!(encrypted >= 6, "only {encrypted} encrypted packets were seen");
    Ok(())
}

/// The internet and its names, by the cell.
pub(crate) fn granted(scene: &Scene<'_>) -> Result<()> {
    let found = run(&scene.phone, &format!("getent ahostsv4 {OUTSIDE_NAME}"))?;
    ensure!(found.starts_with(OUTSIDE[0]), "{OUTSIDE_NAME} is {found}");
    for (target, seen_as) in [(OUTSIDE[0].to_owned(), CELL[0]), (format!("[{}]", OUTSIDE[1]), CELL[1])] {
        let answer = run(&scene.phone, &format!("curl -fsS --max-time 20 http://{target}/"))?;
        ensure!(answer.trim() == seen_as, "{target} is reached from {answer} and not from the cell");
    }
    let answer = run(&scene.phone, &format!("curl -fsS --max-time 20 http://{OUTSIDE_NAME}/"))?;
    ensure!(CELL.contains(&answer.trim()), "{OUTSIDE_NAME} is reached from {answer} and not from the cell");
    Ok(())
}

/// Other devices, other ports of the cell, private networks behind it; and the outside reaches neither cell nor peers.
pub(crate) fn not_granted(scene: &Scene<'_>) -> Result<()> {
    let tablet = Tablet::join(scene, &install::add(&scene.cell, "tablet")?)?;
    let [own4, own6] = own(scene)?;
    let [cell4, cell6] = scene.inner()?;
    for target in &tablet.addresses {
        // The control: it is there, only not for its neighbours.
        run(&scene.cell, &format!("ping -n -c 2 -i 0.2 -W 5 {target}"))?;
        must_fail(scene, &format!("ping -n -c 2 -i 0.2 -W 2 {target}"))?;
    }
    for target in [&own4, &own6] {
        must_fail(scene, &tablet.inside(&format!("ping -n -c 2 -i 0.2 -W 2 {target}")))?;
    }
    run(&scene.cell, "curl --http0.9 -fsS --max-time 5 http://127.0.0.1:8080/ | grep open")?;
    let knock = |target: &str| format!("socat -u OPEN:/dev/null TCP:{target},connect-timeout=5");
    for target in [
        format!("{cell4}:8080"),
        format!("[{cell6}]:8080"),
        format!("{}:8080", CELL[0]),
        format!("{PRINTER}:80"),
    ] {
        must_fail(scene, &knock(&target))?;
    }
    run(&scene.phone, &knock(&format!("{cell4}:22")))?;
    must_fail(scene, &format!("ping -n -c 2 -i 0.2 -W 2 {PRINTER}"))?;
    from_outside(scene, &own4)
}

fn from_outside(scene: &Scene<'_>, peer: &str) -> Result<()> {
    let knock = |target: &str| {
        scene.lab.provider.run(&format!("socat -u OPEN:/dev/null TCP:{target},connect-timeout=3"))
    };
    for [open, closed] in [
        [format!("{}:22", CELL[0]), format!("{}:8080", CELL[0])],
        [format!("[{}]:22", CELL[1]), format!("[{}]:8080", CELL[1])],
    ] {
        knock(&open)?.ok()?;
        ensure!(!knock(&closed)?.status.success(), "the outside reaches {closed}");
    }
    // Somebody on the provider's network sends to a peer by way of the cell.
    scene.lab.provider.ip(&format!("route add {peer}/32 via {}", CELL[0]))?;
    let pings = scene.lab.provider.ping(peer, 3, None)?;
    scene.lab.provider.ip(&format!("route del {peer}/32"))?;
    ensure!(pings.received == 0, "the outside reaches a peer");
    Ok(())
}

fn must_fail(scene: &Scene<'_>, line: &str) -> Result<()> {
    let output = scene.phone.ssh(line)?;
    ensure!(!output.status.success(), "the phone should not be able to `{line}`: {}", output.stdout);
    Ok(())
}

/// The phone's addresses in the tunnel.
pub(crate) fn own(scene: &Scene<'_>) -> Result<[String; 2]> {
    let peer = scene.picctl("peer show phone")?;
    Ok([&peer["address"], &peer["address6"]].map(|value| value.as_str().unwrap_or_default().to_owned()))
}

/// A capture of everything on the provider's network, shown to see packets between the phone and the cell.
pub(crate) fn wire(scene: &Scene<'_>) -> Result<Capture> {
    let mut capture = Capture::start(scene.lab.public.namespace(), scene.lab.public.bridge(), "")?;
    // A datagram to a closed port is as good as any.
    let target = std::net::SocketAddr::new(CELL[0].parse()?, Internet::udp_echo()?[0].port());
    capture.prove(|marker| scene.lab.provider.send_udp(target, marker.bytes()))?;
    Ok(capture)
}
