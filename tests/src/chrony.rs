//! Debian's chrony, as the time's server outside, as a client, and for the cell: unpacked, as to install it would take
//! this machine's own time service away.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::{Child, Namespace, Scratch, cmd, files, scratch};

/// The folder that has `usr/sbin/chronyd`: the root, else `build/tools/chrony`, which `scripts/test` makes.
pub fn root() -> Result<PathBuf> {
    let places = [PathBuf::from("/"), scratch::workspace().join("build/tools/chrony")];
    let found = places.into_iter().find(|place| place.join("usr/sbin/chronyd").exists());
    found.context("chrony is not unpacked: run `scripts/test --tier T1` once")
}

/// A server of the time, right or wrong, with and without NTS.
#[derive(Debug)]
pub struct TimeServer {
    /// Its process.
    pub process: Child,
    scratch: Scratch,
}

impl TimeServer {
    /// Serves the machine's own time in a namespace; NTS for `name`, with a certificate nobody knows but [`Self::authority`].
    pub fn start(namespace: &Namespace, name: &str) -> Result<Self> {
        let scratch = Scratch::new("time")?;
        let at = |file: &str| scratch.join(file).display().to_string();
        let mut certify = cmd::command("openssl");
        let subject = format!("/CN={name}");
        let names = format!("subjectAltName=DNS:{name}");
        certify.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        certify.args([
            "-days",
            "30",
            "-subj",
            &subject,
            "-addext",
            &names,
            "-keyout",
            &at("key"),
            "-out",
            &at("ca"),
        ]);
        cmd::run(&mut certify)?.ok()?;
        let config = format!(
            "local stratum 1\nallow all\ncmdport 0\nbindcmdaddress /\npidfile {}\nntsserverkey {}\nntsservercert {}\n",
            at("pid"),
            at("key"),
            at("ca")
        );
        files::write(&scratch.join("conf"), &config)?;
        let chronyd = root()?.join("usr/sbin/chronyd");
        let process = namespace.spawn(&format!("{} -x -d -u root -f {}", chronyd.display(), at("conf")))?;
        Ok(Self { process, scratch })
    }

    /// The certificate that clients have to trust.
    pub fn authority(&self) -> PathBuf {
        self.scratch.join("ca")
    }
}

/// Seconds that `server` says a host's clock is behind, by chrony's own client; fails without an answer.
pub fn offset(from: &Namespace, server: &str) -> Result<f64> {
    let chronyd = root()?.join("usr/sbin/chronyd");
    let mut command = from.command(chronyd);
    command.args(["-Q", "-U", "-u", "root", "-t", "8", &format!("server {server} iburst maxsamples 2")]);
    let output = cmd::run(&mut command)?;
    let words = format!("{}{}", output.stdout, output.stderr);
    ensure!(output.code() == 0, "no time from {server}: {words}");
    let (_, rest) = words.split_once("System clock wrong by ").context(words.clone())?;
    rest.split_whitespace().next().context(words.clone())?.parse().with_context(|| words.clone())
}

/// One bare question of NTP (RFC 5905); the stratum in the answer, 0 for "I do not know".
pub fn stratum(from: &Namespace, server: IpAddr, patience: std::time::Duration) -> Result<u8> {
    let mut question = [0; 48];
    question[0] = 0x23;
    question[40..].copy_from_slice(b"question");
    let answer = from.ask_udp((server, 123).into(), &question, patience)?;
    ensure!(answer.get(24..32) == Some(b"question"), "another question's answer");
    answer.get(1).copied().context("an answer without stratum")
}
