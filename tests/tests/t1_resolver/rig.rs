//! A host of its own in a network and a mount namespace: a resolv.conf that may be changed, the host's own resolver,
//! and the cell's name server.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use pic_lab::cell::programs;
use pic_lab::cmd::{self, Output};
use pic_lab::{Child, Namespace, Scratch, files, wait};

pub(crate) const OWN: &str = "192.0.2.53";
pub(crate) const CELL: &str = "10.77.0.1";
/// Only known outside, and only in the cell.
pub(crate) const OUTSIDE: (&str, &str) = ("outside.example", "198.51.100.7");
pub(crate) const INSIDE: (&str, &str) = ("home.cell", CELL);
const PATIENCE: Duration = Duration::from_secs(20);

/// The host. Its processes end with it.
pub(crate) struct Host {
    holder: Child,
    cell: Option<Child>,
    _resolver: Child,
    _namespace: Namespace,
    scratch: Scratch,
}

impl Host {
    /// With this resolv.conf, the cell's name server not running.
    pub(crate) fn start(resolv_conf: &str) -> Result<Self> {
        let (namespace, scratch) = (Namespace::new("host")?, Scratch::new("host")?);
        for line in
            ["link set lo up", "link add pic0 type veth peer name far", "link set far up", "link set pic0 up"]
        {
            namespace.ip(line)?;
        }
        namespace.ip(&format!("addr add {OWN}/32 dev lo"))?;
        namespace.ip(&format!("addr add {CELL}/16 dev pic0"))?;
        let resolver = namespace.spawn(&format!(
            "dnsmasq --keep-in-foreground --no-resolv --no-hosts --bind-interfaces --listen-address={OWN} \
             --conf-file=/dev/null --pid-file= --user=root --address=/{}/{}",
            OUTSIDE.0, OUTSIDE.1
        ))?;
        // A file system of its own beneath /etc, which is this machine's otherwise. The sign that it is done is made through it: it
        // may remember of a file made behind its back that there was none.
        let script = "mount -t tmpfs none \"$1\" && mkdir \"$1/up\" \"$1/work\" \"$1/state\" && \
            mount -t overlay -o lowerdir=/etc,upperdir=\"$1/up\",workdir=\"$1/work\" none /etc && \
            rm -f /etc/resolv.conf && echo 'hosts: files dns' >/etc/nsswitch.conf && touch /etc/ready && exec sleep infinity";
        let top = scratch.join("top");
        std::fs::create_dir(&top)?;
        let mut command = namespace.command("unshare");
        command.args(["--mount", "--propagation=private", "sh", "-euc", script, "sh"]).arg(&top);
        command.stdin(Stdio::null());
        let holder = Child::spawn(command)?;
        let host = Self { holder, cell: None, _resolver: resolver, _namespace: namespace, scratch };
        wait::until(PATIENCE, "the host's own /etc", || {
            host.sh("test -e /etc/ready").is_ok_and(|out| out.code() == 0)
        })?;
        host.put("/etc/resolv.conf", resolv_conf)?;
        let spec = format!(r#"{{"version":1,"server":"{CELL}","interface":"pic0","probe":"{}"}}"#, INSIDE.0);
        host.sh(&format!(
            "mkdir -p {0}/resolver && printf %s '{spec}' >{0}/resolver/cell.json",
            host.state()
        ))?
        .ok()?;
        Ok(host)
    }

    /// The cell's state on this host.
    pub(crate) fn state(&self) -> String {
        self.scratch.join("top/state").display().to_string()
    }

    /// A command on this host.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = cmd::command("nsenter");
        command.args([
            "--target",
            &self.holder.pid().to_string(),
            "--mount",
            "--net",
            "--wd=/",
            "--",
            program,
        ]);
        command
    }

    pub(crate) fn sh(&self, script: &str) -> Result<Output> {
        cmd::run(self.command("sh").args(["-c", script]))
    }

    /// Writes a file as a person does.
    pub(crate) fn put(&self, path: &str, text: &str) -> Result<()> {
        let mut command = self.command("sh");
        command.args(["-c", "rm -f \"$1\" && cat >\"$1\"", "sh", path]);
        cmd::run_for(&mut command, PATIENCE, text.as_bytes())?.ok().map(drop)
    }

    pub(crate) fn resolv_conf(&self) -> Result<String> {
        self.sh("cat /etc/resolv.conf")?.ok()
    }

    /// `pic-agent resolver VERB`, after these words if any.
    pub(crate) fn resolver(&self, before: &[&str], verb: &str) -> Result<Output> {
        let mut words: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
        words.push(programs().join("pic-agent").display().to_string());
        words.extend(["resolver", verb, "--state"].map(str::to_owned));
        words.push(self.state());
        cmd::run(self.command(&words[0]).args(&words[1..]))
    }

    /// Starts the cell's name server and waits until it answers.
    pub(crate) fn start_cell(&mut self) -> Result<()> {
        let zone = format!(
            r#"{{"version":1,"generation":0,"listen":["{CELL}:53"],"clients":["10.77.0.0/16"],
            "zones":[{{"name":"{}","ttl":60,"hosts":[{{"name":"","addresses":["{CELL}"]}}],"records":[]}}],
            "reverse":[],"upstreams":[{{"kind":"plain","address":"{OWN}:53"}}]}}"#,
            INSIDE.0
        );
        let path: PathBuf = self.scratch.join("zone.json");
        files::write(&path, &zone)?;
        let mut command = self.command(&programs().join("pic-dns").display().to_string());
        command.arg("--snapshot").arg(&path).stdin(Stdio::null());
        self.cell = Some(Child::spawn(command)?);
        wait::until(PATIENCE, "the cell's name server", || {
            self.resolver(&[], "check").is_ok_and(|out| out.code() == 0)
        })
    }

    /// Its name server.
    pub(crate) fn cell(&mut self) -> &mut Child {
        #[expect(clippy::expect_used, reason = "a helper of a test")]
        self.cell.as_mut().expect("the cell's name server was started")
    }

    /// What an ordinary program gets for a name, from the C library.
    pub(crate) fn looks_up(&self, name: &str) -> Result<String> {
        let found = self.sh(&format!("getent ahostsv4 {name}"))?.stdout;
        Ok(found.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Names outside are found, whoever is asked.
    pub(crate) fn resolves(&self) -> Result<()> {
        let found = self.looks_up(OUTSIDE.0)?;
        ensure!(found == OUTSIDE.1, "{} is {found:?}; resolv.conf:\n{}", OUTSIDE.0, self.resolv_conf()?);
        Ok(())
    }

    /// Whether the cell is asked first: it alone knows its names.
    pub(crate) fn asks_the_cell(&self) -> Result<bool> {
        Ok(self.looks_up(INSIDE.0)? == INSIDE.1)
    }

    /// Nothing of ours is left: record, words, temporary files.
    pub(crate) fn is_clean(&self) -> Result<()> {
        let left =
            self.sh(&format!("ls -A {}/resolver /etc | grep -E 'original|failure|pic-tmp'", self.state()))?;
        ensure!(left.stdout.is_empty(), "left: {}", left.stdout);
        Ok(())
    }
}
