//! A Tor network of Debian's own `tor` in one place on the public network: three authorities that are relays and exits, and
//! one more exit. It is ready some twenty seconds after its start. Unpacked, as to install it would start a daemon here.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::netns::internet::address;
use crate::{Child, Internet, Namespace, Scratch, cmd, files, scratch};

/// Where the network is, and so whom the outside sees, v4 and v6.
pub const PLACE: [&str; 2] = ["203.0.113.60", "2001:db8:1::60"];

/// What every relay says: rounds of the authorities are as short as they can be, and addresses of the lab count as any others.
const RELAY: &str = "SocksPort 0\nAssumeReachable 1\nShutdownWaitLength 0\nExitRelay 1\nIPv6Exit 1\nExitPolicy accept *:*\n\
    ExitPolicy accept6 *:*\nExitPolicyRejectPrivate 0\nTestingV3AuthInitialVotingInterval 20\nV3AuthVotingInterval 20\n\
    TestingV3AuthInitialVoteDelay 2\nV3AuthVoteDelay 2\nTestingV3AuthInitialDistDelay 2\nV3AuthDistDelay 2\n\
    TestingDirAuthVoteExit *\nTestingDirAuthVoteGuard *\nTestingDirAuthVoteHSDir *\nTestingMinExitFlagThreshold 0\n\
    ServerDNSAllowBrokenConfig 1\nServerDNSDetectHijacking 0\nServerDNSTestAddresses\n";

/// The folder that has `usr/bin/tor`: the root, else `build/tools/tor`, which `scripts/test` makes.
pub fn root() -> Result<PathBuf> {
    let places = [PathBuf::from("/"), scratch::workspace().join("build/tools/tor")];
    let found = places.into_iter().find(|place| place.join("usr/bin/tor").exists());
    found.context("tor is not unpacked: run `scripts/test --tier T1` once")
}

/// A running network.
#[derive(Debug)]
pub struct TorNet {
    relays: Vec<Child>,
    /// Where it is; `eth0` is its wire to the world.
    pub place: Namespace,
    authorities: String,
    scratch: Scratch,
}

impl TorNet {
    /// Starts one; it is not ready yet.
    pub fn start(lab: &Internet) -> Result<Self> {
        let place = Namespace::new("tornet")?;
        lab.public.plug(&place, "eth0")?;
        for ((own, prefix), gateway) in PLACE.into_iter().zip(address::PREFIX).zip(address::PROVIDER) {
            place.address("eth0", &format!("{own}/{prefix}"))?;
            place.default_route(gateway)?;
        }
        let scratch = Scratch::new("tornet")?;
        files::write(&scratch.join("resolv.conf"), format!("nameserver {}\n", address::OUTSIDE_DNS[0]))?;
        files::write(&scratch.join("none"), "")?;
        let mut net = Self { relays: Vec::new(), place, authorities: String::new(), scratch };
        for number in 1..=3 {
            net.authorities.push_str(&net.make_authority(number)?);
        }
        for number in 1..=3 {
            let more = format!(
                "DirPort {}:703{number}\nAuthoritativeDirectory 1\nV3AuthoritativeDirectory 1\nContactInfo lab\n",
                PLACE[0]
            );
            net.start_relay(number, &more)?;
        }
        net.start_relay(9, "")?;
        Ok(net)
    }

    /// Lines of a client's configuration by which it finds this network.
    pub fn config(&self) -> String {
        format!("TestingTorNetwork 1\n{}", self.authorities)
    }

    /// Cuts it off from the world, or connects it again; inside it goes on.
    pub fn connect(&self, on: bool) -> Result<()> {
        if on {
            return self.place.run("nft delete table inet cut")?.ok().map(drop);
        }
        let chain = |hook, way| {
            format!("chain {hook} {{ type filter hook {hook} priority -300; {way}ifname \"eth0\" drop; }}")
        };
        self.place.nft(&format!("table inet cut {{\n{}\n{}\n}}", chain("input", "i"), chain("output", "o")))
    }

    fn folder(&self, number: u8) -> PathBuf {
        self.scratch.join(format!("r{number}"))
    }

    /// Makes the keys of an authority; the line by which others know it.
    fn make_authority(&self, number: u8) -> Result<String> {
        let (folder, keys) = (self.folder(number), self.folder(number).join("keys"));
        make_private(&folder)?;
        make_private(&keys)?;
        let key = |name: &str| keys.join(format!("authority_{name}"));
        let mut command = cmd::command(root()?.join("usr/bin/tor-gencert"));
        command.args(["--create-identity-key", "-m", "12", "--passphrase-fd", "0"]);
        command.args(["-a", &format!("{}:703{number}", PLACE[0])]);
        command.arg("-i").arg(key("identity_key")).arg("-s").arg(key("signing_key"));
        command.arg("-c").arg(key("certificate"));
        cmd::run_for(&mut command, cmd::DEADLINE, b"lab\n")?.ok()?;
        let certificate = files::read(&key("certificate"))?;
        let identity = certificate.lines().find_map(|line| line.strip_prefix("fingerprint "));
        let identity = identity.context("the certificate has no fingerprint")?;
        let mut command = cmd::command(root()?.join("usr/bin/tor"));
        command.args(["--list-fingerprint", "--quiet", "--ORPort", "1", "--Nickname", &format!("r{number}")]);
        command.arg("--DataDirectory").arg(&folder).args(self.files(&self.scratch.join("none")));
        let told = cmd::run(&mut command)?.ok()?;
        let (_, fingerprint) = told.trim().split_once(' ').context("tor tells no fingerprint")?;
        Ok(format!(
            "DirAuthority r{number} orport=500{number} no-v2 v3ident={identity} {}:703{number} {}\n",
            PLACE[0],
            fingerprint.replace(' ', "")
        ))
    }

    fn start_relay(&mut self, number: u8, more: &str) -> Result<()> {
        let folder = self.folder(number);
        make_private(&folder)?;
        let at = |path: &Path| path.display().to_string();
        let [v4, v6] = PLACE;
        let text = format!(
            "{}{RELAY}DataDirectory {}\nNickname r{number}\nAddress {v4}\nORPort {v4}:500{number}\nORPort [{v6}]:500{number}\n\
             Log notice file {}\nServerDNSResolvConfFile {}\n{more}",
            self.config(),
            at(&folder),
            at(&folder.join("log")),
            at(&self.scratch.join("resolv.conf")),
        );
        let file = self.scratch.join(format!("r{number}.conf"));
        files::write(&file, text)?;
        let mut command = self.place.command(root()?.join("usr/bin/tor"));
        command.args(self.files(&file)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.relays.push(Child::spawn(command)?);
        Ok(())
    }

    /// The file that a tor reads, and none of the machine's own.
    fn files(&self, file: &Path) -> [std::ffi::OsString; 4] {
        ["--defaults-torrc".into(), self.scratch.join("none").into(), "-f".into(), file.into()]
    }

    /// The last lines of the logs, for messages.
    pub fn log(&self) -> String {
        [1, 9].map(|number| files::tail(&self.folder(number).join("log"), 6)).join("\n")
    }
}

impl Drop for TorNet {
    fn drop(&mut self) {
        for relay in &mut self.relays {
            let _ = relay.stop(nix::sys::signal::Signal::SIGKILL, Duration::from_secs(5));
        }
    }
}

fn make_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("make {}", folder.display()))
}
