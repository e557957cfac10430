//! The servers, each in a fresh pair of namespaces with an empty folder.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use pic_lab::netns::veth;
use pic_lab::{Child, Namespace, Scratch, files, wait};

use super::load::{Family, Load};
use crate::measure;

/// How to start one, and to ask how many leases it has.
pub(super) struct Server {
    program: &'static str,
    pub(super) family: Family,
    configure: fn(&Scratch) -> Result<Vec<String>>,
    leases: fn(&Scratch) -> Result<usize>,
}

pub(super) const OURS: Server =
    Server { program: "pic-dhcp", family: Family::V4, configure: ours, leases: our_leases };
pub(super) const KEA: Server =
    Server { program: "kea-dhcp4", family: Family::V4, configure: kea, leases: keas_leases };
pub(super) const DNSMASQ: Server =
    Server { program: "dnsmasq", family: Family::V4, configure: dnsmasq, leases: lines };
pub(super) const OURS6: Server = Server { family: Family::V6, configure: ours6, ..OURS };
pub(super) const KEA6: Server =
    Server { program: "kea-dhcp6", family: Family::V6, configure: kea6, leases: keas_leases };

fn ours(scratch: &Scratch) -> Result<Vec<String>> {
    pic_dhcp(
        scratch,
        r#"{"version":1,"lans":[{"name":"lan","interface":"srv","address":"10.88.0.1/16","dhcp":{"lease":3600,
            "pools":[["10.88.1.0","10.88.255.254"]],"beside_another":true,"options":{"1":"ffff0000"}}}]}"#,
    )
}

fn ours6(scratch: &Scratch) -> Result<Vec<String>> {
    pic_dhcp(
        scratch,
        r#"{"version":1,"duid":"00040102030405060708090a0b0c0d0e0f10","lans":[{"name":"lan","interface":"srv",
            "address":"10.88.0.1/16","ipv6":{"prefix":"fd00:88::/64","router":false,"dns":[],"search":[],
            "dhcp6":{"pools":[["::1:0","::1:ffff"]],"lease":3600,"slaac":true,"preference":0}}}]}"#,
    )
}

fn pic_dhcp(scratch: &Scratch, lans: &str) -> Result<Vec<String>> {
    for folder in ["leases", "run"] {
        std::fs::create_dir(scratch.join(folder))?;
    }
    files::write(&scratch.join("lans.json"), lans)?;
    let option = |name: &str, file: &str| [format!("--{name}"), scratch.join(file).display().to_string()];
    Ok([option("snapshot", "lans.json"), option("leases", "leases"), option("run", "run")].concat())
}

fn our_leases(scratch: &Scratch) -> Result<usize> {
    let mut stream = UnixStream::connect(scratch.join("run/control.sock"))?;
    stream.write_all(b"{\"op\":\"leases\"}\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.matches(r#""state":"bound""#).count())
}

/// What both of Kea's servers are told beside their networks.
fn keas(scratch: &Scratch, program: &str) -> String {
    let at = |name: &str| scratch.join(name).display().to_string();
    format!(
        r#""lease-database":{{"type":"memfile","persist":true,"name":"{}","lfc-interval":0}},"valid-lifetime":3600,
        "loggers":[{{"name":"{program}","severity":"ERROR","output_options":[{{"output":"{}"}}]}}]"#,
        at("leases.csv"),
        at("log")
    )
}

fn kea(scratch: &Scratch) -> Result<Vec<String>> {
    let text = format!(
        r#"{{"Dhcp4":{{"interfaces-config":{{"interfaces":["srv/10.88.0.1"],"dhcp-socket-type":"udp"}},
        "subnet4":[{{"subnet":"10.88.0.0/16","pools":[{{"pool":"10.88.1.0-10.88.255.254"}}]}}],{}}}}}"#,
        keas(scratch, "kea-dhcp4")
    );
    files::write(&scratch.join("kea.json"), &text)?;
    Ok(vec!["-c".to_owned(), scratch.join("kea.json").display().to_string()])
}

fn kea6(scratch: &Scratch) -> Result<Vec<String>> {
    let text = format!(
        r#"{{"Dhcp6":{{"interfaces-config":{{"interfaces":["srv"]}},"preferred-lifetime":2250,
        "server-id":{{"type":"EN","enterprise-id":2495,"identifier":"0102030405060708","persist":false}},
        "subnet6":[{{"subnet":"fd00:88::/64","interface":"srv","pools":[{{"pool":"fd00:88::1:0-fd00:88::1:ffff"}}]}}],{}}}}}"#,
        keas(scratch, "kea-dhcp6")
    );
    files::write(&scratch.join("kea.json"), &text)?;
    Ok(vec!["-c".to_owned(), scratch.join("kea.json").display().to_string()])
}

/// Its file has a line for each time a lease was given.
fn keas_leases(scratch: &Scratch) -> Result<usize> {
    let text = std::fs::read_to_string(scratch.join("leases.csv"))?;
    let addresses: BTreeSet<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    Ok(addresses.len())
}

fn dnsmasq(scratch: &Scratch) -> Result<Vec<String>> {
    let words = "--keep-in-foreground --conf-file=/dev/null --port=0 --user=root --interface=srv --bind-interfaces \
                 --dhcp-range=10.88.1.0,10.88.255.254,255.255.0.0,1h --dhcp-lease-max=65000 --no-ping --quiet-dhcp";
    let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    words.push(format!("--dhcp-leasefile={}", scratch.join("leases").display()));
    words.push(format!("--pid-file={}", scratch.join("pid").display()));
    Ok(words)
}

fn lines(scratch: &Scratch) -> Result<usize> {
    Ok(std::fs::read_to_string(scratch.join("leases"))?.lines().count())
}

/// A server that runs. Dropped in this order: the program before its namespaces.
pub(super) struct Running {
    _child: Child,
    /// Its process.
    pub(super) pid: u32,
    family: Family,
    leases: fn(&Scratch) -> Result<usize>,
    client: Namespace,
    _server: Namespace,
    scratch: Scratch,
}

impl Running {
    pub(super) fn start(server: &Server) -> Result<Self> {
        let (here, client) = (Namespace::new("srv")?, Namespace::new("cli")?);
        for host in [&here, &client] {
            // Addresses are there at once, and the load's only one is that of the link.
            host.sysctl("net.ipv6.conf.default.accept_dad", "0")?;
            host.sysctl("net.ipv6.conf.default.accept_ra", "0")?;
        }
        veth(&here, "srv", &client, "cli")?;
        here.address("srv", "10.88.0.1/16")?;
        client.address("cli", "10.88.0.2/16")?;
        let scratch = Scratch::new("dhcp")?;
        let program = pic_lab::cell::programs().join(server.program);
        let program = if program.exists() { program } else { server.program.into() };
        for (host, interface) in [(&here, "srv"), (&client, "cli")] {
            wait::until(Duration::from_secs(10), "link-local addresses", || {
                let shown = host.ip(&format!("-6 -o address show dev {interface} scope link -tentative"));
                shown.is_ok_and(|shown| shown.contains("fe80"))
            })?;
        }
        let mut command = here.command("taskset");
        command.args(["-c", "1"]).arg(program).args((server.configure)(&scratch)?);
        command.env("KEA_PIDFILE_DIR", scratch.join("")).env("KEA_LOCKFILE_DIR", scratch.join(""));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // `setpriv`, `ip netns exec` and `taskset` have become the server by exec: this is its own process.
        let child = Child::spawn(command)?;
        let pid = child.pid();
        let port = if server.family == Family::V4 { ":67" } else { ":547" };
        wait::until(Duration::from_secs(10), "the server to listen", || {
            here.run(&format!("ss -Hlun sport = {port}")).is_ok_and(|out| out.stdout.contains(port))
        })?;
        Ok(Self {
            _child: child,
            pid,
            family: server.family,
            leases: server.leases,
            client,
            _server: here,
            scratch,
        })
    }

    /// Loads it.
    pub(super) fn load(&self, rate: u32, seconds: u32) -> Result<Load> {
        Load::run(&self.client, self.family, rate, seconds)
    }

    /// Loads it until it has so many leases; its memory then, in MiB. Asking for them takes memory itself, so they are
    /// counted once, at the end.
    pub(super) fn fill(&self, wanted: usize) -> Result<f64> {
        // The load begins with the same clients each time, one after another: long enough that all come by, and come again.
        for _ in 0..2 {
            self.load(5_000, 13)?;
        }
        let memory = measure::resident(self.pid)?;
        let found = (self.leases)(&self.scratch)?;
        ensure!(found >= wanted, "only {found} of {wanted} leases were given");
        Ok(memory)
    }
}
