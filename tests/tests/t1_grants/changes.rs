//! Grants that go: at once, for running connections, for names, and when their time is over.

use std::net::IpAddr;

use pic_lab::{Namespace, Scratch, wait};

use crate::scene::{PATIENCE, Place, SECOND, Scene, connects};

/// Answers each line with itself.
const ECHO: &str = "import socketserver,sys
class H(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(('0.0.0.0', int(sys.argv[1])), H).serve_forever()
";

/// Asks over one connection without end, and writes how often it was answered.
const ASK: &str = "import socket,sys,time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
f = s.makefile('rwb', buffering=0)
n = 0
while True:
    f.write(b'hello\\n')
    if not f.readline():
        break
    n += 1
    open(sys.argv[3], 'w').write(str(n))
    time.sleep(0.05)
";

fn answers(file: &std::path::Path) -> u64 {
    std::fs::read_to_string(file).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether nothing is answered for a second.
fn is_cut(file: &std::path::Path) -> bool {
    let before = answers(file);
    wait::until(SECOND, "another answer", || answers(file) > before).is_err()
}

fn python(host: &Namespace, scratch: &Scratch, script: &str, words: &str) -> pic_lab::Child {
    let path = scratch.join(if script == ECHO { "echo.py" } else { "ask.py" });
    pic_lab::files::write(&path, script).unwrap();
    host.spawn(&format!("python3 {} {words}", path.display())).unwrap()
}

fn resolves(host: &Namespace, name: &str) -> bool {
    let answer = host.run(&format!("dig +short +time=2 +tries=1 @10.77.0.1 {name}.home.cell A")).unwrap();
    !answer.stdout.trim().is_empty()
}

#[test]
fn what_is_revoked_ends_at_once_also_what_runs() {
    let place = Place::new();
    let scene = Scene::start(&place);
    let (phone, scratch) = (&place.lab.client, Scratch::new("grants").unwrap());
    let nas: IpAddr = [192, 168, 42, 77].into();
    let _echo = python(&place.nas, &scratch, ECHO, "7000");
    let count = scratch.join("count");
    let up = || connects(&place.nas, [127, 0, 0, 1].into(), 8080);
    wait::until(PATIENCE, "the servers", up).unwrap();

    assert!(!resolves(&place.tv, "visitor") && resolves(&place.tv, "files"));
    let told = scene.picctl("grant phone nas:7000 --plan");
    assert!(told.contains("phone gains nas:tcp/7000"), "{told}");
    scene.picctl("grant phone nas:7000");
    let _ask = python(phone, &scratch, ASK, &format!("{nas} 7000 {}", count.display()));
    wait::until(PATIENCE, "the first answers", || answers(&count) > 5).unwrap();
    assert!(scene.picctl("who nas:7000").contains("phone"));

    let told = scene.picctl("revoke phone nas:7000 --plan");
    assert!(told.contains("phone loses nas:tcp/7000"), "{told}");
    scene.picctl("revoke phone nas:7000");
    assert!(is_cut(&count), "a connection went on after its grant was revoked");
    assert!(connects(phone, nas, 8080), "what is still granted goes on");
    // Only elements of sets change for it.
    let chains = || place.lab.cell.run("nft -a -s list chain inet pic grants").unwrap().ok().unwrap();
    let before = chains();
    scene.picctl("grant phone nas:7000 --expires 8s");
    assert_eq!(chains(), before);
    // The connection has ended for good; a new one goes as long as the grant.
    let again = scratch.join("again");
    let _again = python(phone, &scratch, ASK, &format!("{nas} 7000 {}", again.display()));
    wait::until(PATIENCE, "answers anew", || answers(&again) > 0).unwrap();
    wait::until(PATIENCE, "the grant to expire", || is_cut(&again) && !scene.says("phone", nas, 7000))
        .unwrap();
}

#[test]
fn names_follow_grants_and_forwards_go_as_they_came() {
    let place = Place::new();
    let scene = Scene::start(&place);
    assert!(resolves(&place.tv, "nas") && !resolves(&place.tv, "visitor"));
    scene.picctl("grant screens visitor:8080");
    wait::until(PATIENCE, "the name", || resolves(&place.tv, "visitor")).unwrap();
    scene.picctl("revoke screens visitor:8080");
    wait::until(PATIENCE, "the name to go", || !resolves(&place.tv, "visitor")).unwrap();
    let cell: IpAddr = pic_lab::netns::internet::address::CELL[0].parse().unwrap();
    assert!(!connects(&place.lab.outside, cell, 9002));
    scene.picctl("forward add tcp/9002 phone:8080");
    assert!(scene.picctl("forward list").contains("phone:8080"));
    wait::until(PATIENCE, "the forward", || connects(&place.lab.outside, cell, 9002)).unwrap();
    scene.picctl("forward remove tcp/9002");
    assert!(!connects(&place.lab.outside, cell, 9002));
    let refused = scene.cell.picctl("forward add udp/51820 nas:443").unwrap();
    assert_eq!(refused.code(), 3, "{}", refused.stderr);
    let refused = scene.cell.picctl("grant nobody nas").unwrap();
    assert_eq!(refused.code(), 3, "{}", refused.stderr);
}

#[test]
fn a_ban_stops_everything_through_a_crash_until_it_ends() {
    let place = Place::new();
    let mut scene = Scene::start(&place);
    let cell: IpAddr = pic_lab::netns::internet::address::CELL[0].parse().unwrap();
    let outside = pic_lab::netns::internet::address::OUTSIDE[0];
    let gets_in = || connects(&place.lab.outside, cell, 9000);
    assert!(gets_in());
    scene.picctl(&format!("ban {outside} --for 10m --reason knocks"));
    assert!(!gets_in() && scene.picctl("bans").contains("knocks"));
    assert!(connects(&place.lab.client, [192, 168, 42, 77].into(), 8080), "others are not meant");
    scene.cell.kill_agent().unwrap();
    place.lab.cell.run("nft flush ruleset").unwrap().ok().unwrap();
    scene.cell.start_agent().unwrap();
    wait::until(PATIENCE, "the firewall", || connects(&place.lab.client, [192, 168, 42, 77].into(), 8080))
        .unwrap();
    assert!(!gets_in(), "it was forgotten");
    scene.picctl(&format!("unban {outside}"));
    wait::until(PATIENCE, "the end of the ban", gets_in).unwrap();
    scene.picctl(&format!("ban {outside} --for 3s"));
    assert!(!gets_in());
    wait::until(PATIENCE, "the ban to end by itself", gets_in).unwrap();
    for own in ["10.77.0.0/16", "192.168.42.77", &cell.to_string()] {
        let refused = scene.cell.picctl(&format!("ban {own}")).unwrap();
        assert_eq!(refused.code(), 1, "{own}: {}", refused.stderr);
        assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    }
}
