//! The real program in namespaces, killed and starved.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use pic_dhcp::store;
use pic_lab::netns::veth;
use pic_lab::{Child, Namespace, Scratch, cmd, files, wait};

const LANS: &str = r#"{"version":1,"lans":[{"name":"lan","interface":"srv","address":"10.88.0.1/16","dhcp":{"lease":3600,
    "pools":[["10.88.1.0","10.88.255.254"]],"beside_another":true,"options":{"1":"ffff0000"}}}]}"#;
const SECOND: Duration = Duration::from_secs(1);

struct Lab {
    server: Namespace,
    client: Namespace,
    scratch: Scratch,
}

impl Lab {
    fn new() -> Self {
        let (server, client) = (Namespace::new("srv").unwrap(), Namespace::new("cli").unwrap());
        veth(&server, "srv", &client, "cli").unwrap();
        server.address("srv", "10.88.0.1/16").unwrap();
        client.address("cli", "10.88.0.2/16").unwrap();
        let scratch = Scratch::new("dhcp").unwrap();
        for folder in ["leases", "run"] {
            std::fs::create_dir(scratch.join(folder)).unwrap();
        }
        files::write(&scratch.join("lans.json"), LANS).unwrap();
        Self { server, client, scratch }
    }

    fn start(&self) -> Child {
        let mut command = self.server.command(env!("CARGO_BIN_EXE_pic-dhcp"));
        for (option, name) in [("--snapshot", "lans.json"), ("--leases", "leases"), ("--run", "run")] {
            command.arg(option).arg(self.scratch.join(name));
        }
        let child = Child::spawn(command).unwrap();
        wait::until(10 * SECOND, "the server", || {
            self.server.run("ss -Hlun sport = :67").is_ok_and(|out| out.stdout.contains(":67"))
        })
        .unwrap();
        child
    }

    fn load(&self, words: &str) -> String {
        let mut command = self.client.command("perfdhcp");
        command.args("-4 -g single -l 10.88.0.2 -L 67".split(' ')).args(words.split(' ')).arg("10.88.0.1");
        cmd::run_for(&mut command, 60 * SECOND, b"").unwrap().stdout
    }

    fn leases(&self) -> usize {
        let bytes = std::fs::read(self.scratch.join("leases/leases.log")).unwrap();
        let (all, length) = store::contents(&bytes).unwrap();
        assert_eq!(length, bytes.len(), "no torn end after a clean stop or a kill between batches");
        let mut holders = BTreeMap::new();
        for (address, lease) in &all {
            if let Some(other) = holders.insert(*address, lease.client.clone()) {
                assert_eq!(other, lease.client, "{address} was given to two");
            }
        }
        holders.len()
    }
}

fn number(text: &str, section: &str, key: &str) -> f64 {
    let rest = text.split_once(section).map_or("", |(_, rest)| rest);
    let rest = rest.split_once(key).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or_default().parse().unwrap()
}

#[test]
fn killed_again_and_again_no_address_is_given_to_two() {
    let lab = Lab::new();
    let mut acked = 0.0;
    for _ in 0..10 {
        let mut child = lab.start();
        std::thread::scope(|scope| {
            let load = scope.spawn(|| lab.load("-r 1500 -R 20000 -p 1"));
            wait::pause(Duration::from_millis(700));
            child.kill();
            let told = load.join().unwrap();
            assert_eq!(number(&told, "REQUEST-ACK", "non unique addresses:"), 0.0, "{told}");
            acked += number(&told, "REQUEST-ACK", "received packets:");
        });
    }
    let mut child = lab.start();
    child.kill();
    assert!(lab.leases() > 0 && acked > 0.0);
}

#[test]
fn a_thousand_a_second_are_served_and_each_is_on_disk() {
    let lab = Lab::new();
    let _child = lab.start();
    let told = lab.load("-r 1000 -R 10000 -p 3 -W 1000000");
    let (sent, acked) =
        (number(&told, "DISCOVER-OFFER", "sent packets:"), number(&told, "REQUEST-ACK", "received packets:"));
    // A busy disk may hold a flush up for longer than the kernel keeps packets; `scripts/bench dhcp` measures on a quiet one.
    assert!(acked >= sent * 0.99, "{told}");
    assert!(lab.leases() as f64 >= acked, "each on disk before it was told");
}

#[test]
fn on_a_full_disk_known_clients_renew_and_new_ones_wait() {
    let lab = Lab::new();
    let folder = lab.scratch.join("leases");
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none"])
        .arg(&folder)
        .status();
    assert!(mount.unwrap().success());
    let mut child = lab.start();
    lab.load("-r 200 -R 50 -p 1");
    // Whatever is left of the disk goes.
    let filler = folder.join("filler");
    let mut filled = cmd::command("dd");
    filled.arg("if=/dev/zero").arg(format!("of={}", filler.display())).args(["bs=1k", "count=100"]);
    let _ = cmd::run(&mut filled);
    let mut flood = String::new();
    for _ in 0..3 {
        flood = lab.load("-r 500 -R 5000 -p 2");
    }
    assert!(
        number(&flood, "REQUEST-ACK", "received packets:")
            < number(&flood, "DISCOVER-OFFER", "sent packets:")
    );
    let known = lab.load("-r 100 -R 50 -p 1");
    assert_eq!(number(&known, "REQUEST-ACK", "drops ratio:"), 0.0, "known ones are served: {known}");
    std::fs::remove_file(&filler).unwrap();
    wait::until(10 * SECOND, "new clients to be served again", || {
        let told = lab.load("-r 50 -R 20 -p 1");
        number(&told, "REQUEST-ACK", "received packets:") >= number(&told, "DISCOVER-OFFER", "sent packets:")
    })
    .unwrap();
    child.kill();
    lab.leases();
    let _ = std::process::Command::new("umount").arg(&folder).status();
}
