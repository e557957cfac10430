//! The way that somebody is logged in by is not taken from them without a confirmation, whatever would take it.

use std::net::IpAddr;

use pic_lab::netns::internet::address::{CELL, OUTSIDE, ROUTER};
use pic_lab::{files, wait};

use crate::scene::{PATIENCE, Place, SECOND, Scene, connects, serve};

/// A change that waits.
const AWAITING: i32 = 4;

#[test]
fn what_takes_the_way_in_waits_and_comes_back() {
    let place = Place::new();
    let scene = Scene::start(&place);
    let (cell, phone) = (&scene.cell, &place.lab.client);
    let inside: IpAddr = [10, 77, 0, 1].into();
    let _ssh = serve(&place.lab.cell, 22);
    wait::until(PATIENCE, "ssh", || connects(phone, inside, 22)).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&scene.picctl("peer show phone --json")).unwrap();
    let address = shown["address"].as_str().unwrap();
    let (session, elsewhere) =
        (format!("{address} 40000 10.77.0.1 22"), format!("{} 40000 {} 22", OUTSIDE[0], CELL[0]));
    scene.picctl("group add admins");
    scene.picctl("peer set phone --groups phones,admins");
    scene.picctl("grant admins ssh,dns");
    scene.picctl("peer set phone --allow internet");
    assert!(connects(phone, inside, 22), "ssh is left by the group's grant");

    // Whoever came another way loses nothing, and the plan tells the phone what it would lose.
    let told = cell.picctl_as(&session, "revoke admins ssh --plan").unwrap().ok().unwrap();
    assert!(told.contains(&format!("your own way in closes: {address} to 10.77.0.1:22")), "{told}");
    let told = cell.picctl_as(&elsewhere, "revoke admins ssh --plan").unwrap().ok().unwrap();
    assert!(!told.contains("way in"), "{told}");

    for change in [
        "revoke admins ssh",
        "peer set phone --groups phones",
        "peer disable phone",
        "peer remove phone --yes",
    ] {
        let made = cell.picctl_as(&session, change).unwrap();
        assert_eq!(made.code(), AWAITING, "{change}: {}{}", made.stdout, made.stderr);
        assert!(!connects(phone, inside, 22), "{change}: it took nothing away");
        cell.picctl("revert").unwrap().ok().unwrap();
        wait::until(PATIENCE, "the way in again", || connects(phone, inside, 22))
            .unwrap_or_else(|error| panic!("{change}: {error:#}\n{}", cell.log()));
    }
    // The connection of the change proves nothing, as it may outlive the way in; the next one does.
    let made = cell.picctl_as(&session, "peer set phone --groups phones").unwrap();
    assert_eq!(made.code(), AWAITING, "{}{}", made.stdout, made.stderr);
    let refused = cell.picctl_as(&session, "confirm").unwrap();
    assert!(refused.code() == 1 && refused.stderr.contains("log in once more"), "{}", refused.stderr);
    cell.picctl_as(&session.replace(" 40000 ", " 40001 "), "confirm").unwrap().ok().unwrap();
    scene.picctl("peer set phone --groups phones,admins");
    let made = cell.picctl_as(&session, "peer set phone --groups phones").unwrap();
    assert_eq!(made.code(), AWAITING, "{}{}", made.stdout, made.stderr);
    cell.picctl_as(&session, "confirm --here").unwrap().ok().unwrap();
    scene.picctl("peer set phone --groups phones,admins");
    wait::until(PATIENCE, "the way in again", || connects(phone, inside, 22)).unwrap();

    // Silence, which is what somebody who is locked out has to say.
    let text = files::read(&cell.path("etc/cell.toml")).unwrap();
    let shut = cell.path("shut.toml");
    assert!(text.contains("\"ssh\""), "{text}");
    files::write(&shut, text.replace("\"ssh\"", "\"time\"")).unwrap();
    let apply = format!("apply --yes --confirm 3s -f {}", shut.display());
    assert_eq!(cell.picctl_as(&session, &apply).unwrap().code(), AWAITING);
    wait::until(PATIENCE, "the way in by itself", || connects(phone, inside, 22)).unwrap();

    // An admin of the file is thought of, whoever asks: here the phone, by its address in the tunnel.
    files::write(&shut, format!("{text}\n[firewall]\nadmin = [\"{address}\"]\n")).unwrap();
    cell.picctl(&format!("apply --yes -f {}", shut.display())).unwrap().ok().unwrap();
    let made = cell.picctl_as(&elsewhere, "revoke admins ssh").unwrap();
    assert_eq!(made.code(), AWAITING, "{}{}", made.stdout, made.stderr);
    let plan = cell.picctl("status").unwrap();
    assert!(plan.stdout.contains("confirm"), "{}", plan.stdout);
    cell.picctl("revert").unwrap().ok().unwrap();

    // A ban of the place that the tunnel comes from takes the same way.
    let ban = format!("ban {} --for 5s", ROUTER[0]);
    wait::until(PATIENCE, "the refusal", || cell.picctl_as(&session, &ban).unwrap().code() == 1).unwrap();
    let refused = cell.picctl_as(&session, &ban).unwrap();
    assert!(refused.stderr.contains("tunnel"), "{}", refused.stderr);
    assert!(connects(phone, inside, 22));

    // From another place it is a change like any other.
    let text = files::read(&cell.path("etc/cell.toml")).unwrap();
    files::write(&shut, text.replace(&format!("admin = [\"{address}\"]"), "")).unwrap();
    cell.picctl(&format!("apply --yes --no-confirm -f {}", shut.display())).unwrap().ok().unwrap();
    cell.picctl_as(&elsewhere, "revoke admins ssh").unwrap().ok().unwrap();
    assert!(!connects(phone, inside, 22));
    wait::pause(SECOND);
    assert!(!connects(phone, inside, 22), "it was meant");
}
