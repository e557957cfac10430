//! The servers, each in a fresh pair of namespaces with an empty folder.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Result;
use pic_lab::netns::veth;
use pic_lab::{Child, Namespace, Scratch, files, wait};

use super::load::Load;

/// How to start one.
pub(super) struct Server {
    program: &'static str,
    configure: fn(&Scratch) -> Result<Vec<String>>,
}

pub(super) const OURS: Server = Server { program: "pic-dhcp", configure: ours };
pub(super) const KEA: Server = Server { program: "kea-dhcp4", configure: kea };
pub(super) const DNSMASQ: Server = Server { program: "dnsmasq", configure: dnsmasq };

fn ours(scratch: &Scratch) -> Result<Vec<String>> {
    for folder in ["leases", "run"] {
        std::fs::create_dir(scratch.join(folder))?;
    }
    files::write(
        &scratch.join("lans.json"),
        r#"{"version":1,"lans":[{"name":"lan","interface":"srv","address":"10.88.0.1/16","dhcp":{"lease":3600,
            "pools":[["10.88.1.0","10.88.255.254"]],"beside_another":true,"options":{"1":"ffff0000"}}}]}"#,
    )?;
    let option = |name: &str, file: &str| [format!("--{name}"), scratch.join(file).display().to_string()];
    Ok([option("snapshot", "lans.json"), option("leases", "leases"), option("run", "run")].concat())
}

fn kea(scratch: &Scratch) -> Result<Vec<String>> {
    let at = |name: &str| scratch.join(name).display().to_string();
    let text = format!(
        r#"{{"Dhcp4":{{"interfaces-config":{{"interfaces":["srv/10.88.0.1"],"dhcp-socket-type":"udp"}},
        "lease-database":{{"type":"memfile","persist":true,"name":"{}","lfc-interval":0}},"valid-lifetime":3600,
        "subnet4":[{{"subnet":"10.88.0.0/16","pools":[{{"pool":"10.88.1.0-10.88.255.254"}}]}}],
        "loggers":[{{"name":"kea-dhcp4","severity":"ERROR","output_options":[{{"output":"{}"}}]}}]}}}}"#,
        at("leases.csv"),
        at("log")
    );
    files::write(&scratch.join("kea.json"), &text)?;
    Ok(vec!["-c".to_owned(), at("kea.json")])
}

fn dnsmasq(scratch: &Scratch) -> Result<Vec<String>> {
    let words = "--keep-in-foreground --conf-file=/dev/null --port=0 --user=root --interface=srv --bind-interfaces \
                 --dhcp-range=10.88.1.0,10.88.255.254,255.255.0.0,1h --dhcp-lease-max=65000 --no-ping --quiet-dhcp";
    let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    words.push(format!("--dhcp-leasefile={}", scratch.join("leases").display()));
    words.push(format!("--pid-file={}", scratch.join("pid").display()));
    Ok(words)
}

/// A server that runs. Dropped in this order: the program before its namespaces.
pub(super) struct Running {
    _child: Child,
    /// Its process.
    pub(super) pid: u32,
    client: Namespace,
    _server: Namespace,
    _scratch: Scratch,
}

impl Running {
    pub(super) fn start(server: &Server) -> Result<Self> {
        let (here, client) = (Namespace::new("srv")?, Namespace::new("cli")?);
        veth(&here, "srv", &client, "cli")?;
        here.address("srv", "10.88.0.1/16")?;
        client.address("cli", "10.88.0.2/16")?;
        let scratch = Scratch::new("dhcp")?;
        let program = pic_lab::cell::programs().join(server.program);
        let program = if program.exists() { program } else { server.program.into() };
        let mut command = here.command("taskset");
        command.args(["-c", "1"]).arg(program).args((server.configure)(&scratch)?);
        command.env("KEA_PIDFILE_DIR", scratch.join("")).env("KEA_LOCKFILE_DIR", scratch.join(""));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        // `setpriv`, `ip netns exec` and `taskset` have become the server by exec: this is its own process.
        let child = Child::spawn(command)?;
        let pid = child.pid();
        wait::until(Duration::from_secs(10), "the server to listen", || {
            here.run("ss -Hlun sport = :67").is_ok_and(|out| out.stdout.contains(":67"))
        })?;
        Ok(Self { _child: child, pid, client, _server: here, _scratch: scratch })
    }

    /// Loads it.
    pub(super) fn load(&self, rate: u32, seconds: u32) -> Result<Load> {
        Load::run(&self.client, rate, seconds)
    }
}
