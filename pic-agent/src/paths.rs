//! Where things are; the one place that knows, so that tests can put all of it elsewhere.

use std::path::{Path, PathBuf};

use pic_drivers::resolver::Places;
use pic_plan::marks::Program;

/// The state folder that compiled targets name.
const STATE: &str = "/var/lib/pic";

/// The runtime folder of an agent that is not told another one.
const RUN: &str = "/run/pic";

/// Folders and files of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The socket.
    pub socket: PathBuf,
    /// The file the owner edits.
    pub config: PathBuf,
    /// Ledger, secrets, originals, snapshots.
    pub state: PathBuf,
    /// What a reboot may take: lock, records of children.
    pub run: PathBuf,
    /// Where Debian's chrony is installed, if it is.
    pub chrony: PathBuf,
    /// Where Debian's tor is installed, if it is.
    pub tor: PathBuf,
    /// Where Debian's openvpn is installed, if it is.
    pub openvpn: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            socket: pic_api::SOCKET.into(),
            config: "/etc/pic/cell.toml".into(),
            state: STATE.into(),
            run: RUN.into(),
            chrony: "/".into(),
            tor: "/".into(),
            openvpn: "/".into(),
        }
    }
}

impl Paths {
    /// Folder of the ledger.
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger")
    }

    /// Folder of the secrets.
    pub fn secrets(&self) -> PathBuf {
        self.state.join("secrets")
    }

    /// Folder of providers' files, which hold keys.
    pub fn exits(&self) -> PathBuf {
        self.secrets().join("exits")
    }

    /// Values that kernel settings had before we changed them.
    pub fn originals(&self) -> PathBuf {
        self.state.join("originals.json")
    }

    /// Whom nothing here answers for a while.
    pub fn bans(&self) -> PathBuf {
        self.state.join("bans.json")
    }

    /// Answers to requests that have a key, for a day.
    pub fn answers(&self) -> PathBuf {
        self.state.join("answers")
    }

    /// Plans that were shown, for an hour.
    pub fn plans(&self) -> PathBuf {
        self.state.join("plans")
    }

    /// What devices and LANs have used of the internet.
    pub fn usage(&self) -> PathBuf {
        self.state.join("usage.json")
    }

    /// Addresses of names with a way out of their own.
    pub fn egress(&self) -> PathBuf {
        self.state.join("egress.json")
    }

    /// What belongs to pointing the host itself at the cell.
    pub fn resolver(&self) -> Places {
        Places::new(&self.state)
    }

    /// Kept locked while an agent runs.
    pub fn lock(&self) -> PathBuf {
        self.run.join("agent.lock")
    }

    /// Where the DHCP service has its socket and the names of its leases: a folder of its own, as it is another user's.
    pub fn dhcp_run(&self) -> PathBuf {
        if self.run == Path::new(RUN) { "/run/pic-dhcp".into() } else { self.run.join("dhcp") }
    }

    /// What the DHCP service was given by the uplink.
    pub fn delegation(&self) -> PathBuf {
        self.dhcp_run().join("uplink.json")
    }

    /// What it gave to routers on LANs.
    pub fn routers(&self) -> PathBuf {
        self.dhcp_run().join("routers.json")
    }

    /// What `pic-dns` says about itself, in the folder of its own that lies beside ours.
    pub fn dns_status(&self) -> PathBuf {
        self.run.with_file_name("pic-dns").join("status.json")
    }

    /// Where it is asked about itself, in the same folder.
    pub fn dns_control(&self) -> PathBuf {
        self.run.with_file_name("pic-dns").join("control.sock")
    }

    /// Where it tells numbers to programs, in the same folder.
    pub fn dns_metrics(&self) -> PathBuf {
        self.run.with_file_name("pic-dns").join("metrics.sock")
    }

    /// Its copy of the certificate and key of `dns.tls`.
    pub fn dns_certificate(&self) -> PathBuf {
        self.state.join("dns/tls.pem")
    }

    /// What `pic-time` says about itself, in a folder of its own that lies beside ours.
    pub fn time_status(&self) -> PathBuf {
        self.run.with_file_name("pic-time").join("status.json")
    }

    /// The program that does `pic-time`'s work.
    pub fn chronyd(&self) -> PathBuf {
        self.chrony.join("usr/sbin/chronyd")
    }

    /// The program that does the work of exits into the Tor network.
    pub fn tor_program(&self) -> PathBuf {
        self.tor.join("usr/bin/tor")
    }

    /// The program that does the work of exits by OpenVPN.
    pub fn openvpn_program(&self) -> PathBuf {
        self.openvpn.join("usr/sbin/openvpn")
    }

    /// What `pic-exit` says about the exit of an interface, in a folder of its own that lies beside ours.
    pub fn exit_status(&self, program: Program, interface: &str) -> PathBuf {
        self.run.with_file_name(program.run(interface)).join("status.json")
    }

    /// The owner's version of a packaged template, beside `cell.toml`.
    pub fn template(&self, name: &str) -> PathBuf {
        self.config.with_file_name("templates").join(name)
    }

    /// A target's path on this disk: those under `/var/lib/pic` follow the state folder.
    pub fn on_disk(&self, target: &str) -> PathBuf {
        match Path::new(target).strip_prefix(STATE) {
            Ok(rest) => self.state.join(rest),
            Err(_) => target.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_follow_the_state_folder() {
        let paths = Paths { state: "/tmp/x".into(), ..Paths::default() };
        assert_eq!(paths.on_disk("/var/lib/pic/dns/zone.json"), Path::new("/tmp/x/dns/zone.json"));
        assert_eq!(paths.on_disk("/var/lib/picture"), Path::new("/var/lib/picture"));
        assert_eq!(Paths::default().on_disk("/var/lib/pic/a"), Path::new("/var/lib/pic/a"));
        assert_eq!(Paths::default().dns_status(), Path::new("/run/pic-dns/status.json"), "as in its unit");
    }
}
