//! A server and a load generator on a wire of their own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use pic_dhcp::lease::{Lease, State};
use pic_dhcp::store;
use pic_lab::netns::veth;
use pic_lab::{Child, Namespace, Scratch, cmd, files, wait};
use pic_model::snapshot::dhcp::{DhcpState, LeaseState};

const LANS: &str = r#"{"version":1,"lans":[{"name":"lan","interface":"srv","address":"10.88.0.1/16","dhcp":{"lease":3600,
    "pools":[["10.88.1.0","10.88.255.254"]],"beside_another":true,"options":{"1":"ffff0000"}}}]}"#;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// For what takes a moment, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Lab {
    pub(crate) server: Namespace,
    pub(crate) client: Namespace,
    pub(crate) scratch: Scratch,
}

impl Lab {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn start(&self) -> Child {
        self.start_with(|_| {})
    }

    /// With what `change` does to the command.
    pub(crate) fn start_with(&self, change: impl FnOnce(&mut std::process::Command)) -> Child {
        let mut command = self.server.command(env!("CARGO_BIN_EXE_pic-dhcp"));
        for (option, name) in [("--snapshot", "lans.json"), ("--leases", "leases"), ("--run", "run")] {
            command.arg(option).arg(self.scratch.join(name));
        }
        change(&mut command);
        let child = Child::spawn(command).unwrap();
        wait::until(PATIENCE, "the server", || {
            self.server.run("ss -Hlun sport = :67").is_ok_and(|out| out.stdout.contains(":67"))
        })
        .unwrap();
        child
    }

    pub(crate) fn load(&self, words: &str) -> String {
        let mut command = self.client.command("perfdhcp");
        command.args("-4 -g single -l 10.88.0.2 -L 67".split(' ')).args(words.split(' ')).arg("10.88.0.1");
        cmd::run_for(&mut command, 60 * SECOND, b"").unwrap().stdout
    }

    /// Loads again and again until a run goes as it should. A busy machine keeps a program from running for longer than the
    /// kernel keeps its packets, so that some runs lose what others do not; where the service is at fault all of them do.
    pub(crate) fn load_until(&self, words: &str, what: &str, is_right: impl Fn(&str) -> bool) -> String {
        let mut told = String::new();
        let waited = wait::until(PATIENCE, what, || {
            told = self.load(words);
            is_right(&told)
        });
        waited.unwrap_or_else(|error| panic!("{error:#}: {told}"));
        told
    }

    /// Has so many clients take a lease each.
    pub(crate) fn give(&self, clients: usize) {
        let words = format!("-r 100 -R {clients} -n {clients} -W 500000");
        self.load_until(&words, "everyone's lease", |_| self.bound().len() >= clients);
    }

    /// Leases that somebody has, as the service says.
    pub(crate) fn bound(&self) -> Vec<LeaseState> {
        self.state().leases.into_iter().filter(|lease| lease.state == "bound").collect()
    }

    /// What the service says about itself.
    pub(crate) fn state(&self) -> DhcpState {
        let mut stream = UnixStream::connect(self.scratch.join("run/control.sock")).unwrap();
        stream.write_all(b"{\"op\":\"leases\"}\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// The log on disk.
    pub(crate) fn log(&self) -> PathBuf {
        self.scratch.join("leases/leases.log")
    }

    /// Who has which address by the log, which must never have given one to two.
    pub(crate) fn leases(&self) -> BTreeMap<Ipv4Addr, Lease> {
        let bytes = std::fs::read(self.log()).unwrap();
        let found = store::contents(&bytes).unwrap();
        assert_eq!(found.damaged, 0);
        let mut holders: BTreeMap<Ipv4Addr, Lease> = BTreeMap::new();
        for (address, lease) in found.leases.into_iter().filter(|(_, lease)| lease.state == State::Bound) {
            let IpAddr::V4(address) = address else { panic!("{address} is not from here") };
            if let Some(other) = holders.insert(address, lease.clone()) {
                assert_eq!(other.client, lease.client, "{address} was given to two");
            }
        }
        holders
    }
}

/// A number of a section of what the load told.
pub(crate) fn number(text: &str, section: &str, key: &str) -> f64 {
    let rest = text.split_once(section).map_or("", |(_, rest)| rest);
    let rest = rest.split_once(key).map_or("", |(_, rest)| rest);
    let word = rest.split_whitespace().next().unwrap_or_default();
    word.parse().unwrap_or_else(|_| panic!("no {key:?} of {section}: {text}"))
}
