//! The real program in namespaces under a load of DHCPv6 clients, killed again and again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use pic_dhcp::store;
use pic_lab::netns::veth;
use pic_lab::{Child, Namespace, Scratch, cmd, files, wait};

const LANS: &str = r#"{"version":1,"duid":"00040102030405060708090a0b0c0d0e0f10","lans":[{"name":"lan","interface":"srv",
    "address":"10.88.0.1/16","ipv6":{"prefix":"fd00:88::/64","router":false,"dns":["fd00:88::1"],"search":["home.cell"],
        "dhcp6":{"pools":[["::1:0","::ffff:ffff"]],"lease":3600,"slaac":true,"preference":0}}}]}"#;
const SECOND: Duration = Duration::from_secs(1);
/// For what takes a moment, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

struct Lab {
    server: Namespace,
    client: Namespace,
    scratch: Scratch,
}

impl Lab {
    fn new() -> Self {
        let (server, client) = (Namespace::new("srv").unwrap(), Namespace::new("cli").unwrap());
        // The load sends from its link-local address only if it has no other.
        client.sysctl("net.ipv6.conf.default.accept_ra", "0").unwrap();
        veth(&server, "srv", &client, "cli").unwrap();
        let scratch = Scratch::new("dhcp6").unwrap();
        for folder in ["leases", "run"] {
            std::fs::create_dir(scratch.join(folder)).unwrap();
        }
        files::write(&scratch.join("lans.json"), LANS).unwrap();
        for (host, interface) in [(&server, "srv"), (&client, "cli")] {
            wait::until(PATIENCE, "link-local addresses", || {
                let shown = host.ip(&format!("-6 -o address show dev {interface} scope link -tentative"));
                shown.is_ok_and(|shown| shown.contains("fe80"))
            })
            .unwrap();
        }
        Self { server, client, scratch }
    }

    fn start(&self) -> Child {
        let mut command = self.server.command(env!("CARGO_BIN_EXE_pic-dhcp"));
        for (option, name) in [("--snapshot", "lans.json"), ("--leases", "leases"), ("--run", "run")] {
            command.arg(option).arg(self.scratch.join(name));
        }
        let child = Child::spawn(command).unwrap();
        wait::until(PATIENCE, "the server", || {
            self.server.run("ss -Hlun sport = :547").is_ok_and(|out| out.stdout.contains(":547"))
        })
        .unwrap();
        child
    }

    fn load(&self, words: &str) -> String {
        let mut command = self.client.command("perfdhcp");
        command.args("-6 -g single -l cli".split(' ')).args(words.split(' ')).arg("all");
        cmd::run_for(&mut command, 60 * SECOND, b"").unwrap().stdout
    }

    fn leases(&self) -> usize {
        let bytes = std::fs::read(self.scratch.join("leases/leases.log")).unwrap();
        let found = store::contents(&bytes).unwrap();
        assert_eq!(found.damaged, 0);
        let mut holders = BTreeMap::new();
        for (address, lease) in &found.leases {
            if let Some(other) = holders.insert(*address, lease.client.clone()) {
                assert_eq!(other, lease.client, "{address} was given to two");
            }
        }
        holders.len()
    }
}

fn number(text: &str, key: &str) -> f64 {
    let rest = text.split_once("REQUEST-REPLY").map_or("", |(_, rest)| rest);
    let rest = rest.split_once(key).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or_default().parse().unwrap()
}

#[test]
fn killed_again_and_again_no_address_is_given_to_two_and_each_is_on_disk() {
    let lab = Lab::new();
    for _ in 0..3 {
        let mut child = lab.start();
        std::thread::scope(|scope| {
            let load = scope.spawn(|| lab.load("-r 800 -R 20000 -p 1"));
            wait::pause(Duration::from_millis(700));
            child.kill();
            let told = load.join().unwrap();
            assert_eq!(number(&told, "non unique addresses:"), 0.0, "{told}");
        });
    }
    let before = lab.leases();
    let mut child = lab.start();
    let (mut told, mut replied) = (String::new(), 0.0);
    wait::until(PATIENCE, "replies", || {
        told = lab.load("-r 500 -R 20000 -p 2 -W 1000000");
        replied = number(&told, "received packets:");
        replied > 0.0
    })
    .unwrap();
    child.kill();
    assert!(before > 0, "{told}");
    assert!(lab.leases() as f64 >= replied, "each on disk before it was told");
}
