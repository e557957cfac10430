//! A tree of signed zones beneath a root of its own: signed by BIND's tools, served by NSD, asked through unbound,
//! which does not validate.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{dig, fresh_address, wait_for, write};

/// One zone and how it is signed.
struct Zone {
    name: &'static str,
    /// Arguments of `dnssec-keygen`; empty: not signed.
    key: &'static str,
    /// Arguments of `dnssec-signzone`.
    sign: &'static str,
    /// What the parent says.
    parent: Parent,
    records: &'static str,
}

enum Parent {
    /// The right DS.
    Ds,
    /// Nothing.
    Silent,
    /// This.
    Says(&'static str),
}

const EC: &str = "-a ECDSAP256SHA256";
const WRONG: &str = "DS 1 13 2 0123456789012345678901234567890123456789012345678901234567890123";
const UNKNOWN: &str = "DS 1 199 2 0123456789012345678901234567890123456789012345678901234567890123";

/// Children first: a parent needs their keys.
const ZONES: &[Zone] = &[
    Zone { name: "good.lab", key: EC, sign: "", parent: Parent::Ds, records: GOOD },
    Zone {
        name: "hashed.lab",
        key: "-a RSASHA256 -b 2048",
        sign: "-3 AABB -H 5",
        parent: Parent::Ds,
        records: HASHED,
    },
    Zone { name: "sub.opted.lab", key: "", sign: "", parent: Parent::Silent, records: "www A 192.0.2.30\n" },
    Zone {
        name: "opted.lab",
        key: "-a ED25519",
        sign: "-3 - -A",
        parent: Parent::Ds,
        records: "www A 192.0.2.31\n",
    },
    Zone {
        name: "costly.lab",
        key: EC,
        sign: "-3 AB -H 140",
        parent: Parent::Ds,
        records: "www A 192.0.2.32\n",
    },
    Zone {
        name: "plain.lab",
        key: "",
        sign: "",
        parent: Parent::Silent,
        records: "www A 192.0.2.40\nto CNAME www.forged.lab.\n",
    },
    Zone { name: "island.lab", key: EC, sign: "", parent: Parent::Silent, records: "www A 192.0.2.41\n" },
    Zone { name: "odd.lab", key: "", sign: "", parent: Parent::Says(UNKNOWN), records: "www A 192.0.2.42\n" },
    Zone { name: "forged.lab", key: EC, sign: "", parent: Parent::Ds, records: "www A 192.0.2.50\n" },
    Zone {
        name: "expired.lab",
        key: EC,
        sign: "-s now-90d -e now-1d",
        parent: Parent::Ds,
        records: "www A 192.0.2.51\n",
    },
    Zone {
        name: "early.lab",
        key: EC,
        sign: "-s now+1d -e now+90d",
        parent: Parent::Ds,
        records: "www A 192.0.2.52\n",
    },
    Zone {
        name: "stripped.lab",
        key: "",
        sign: "",
        parent: Parent::Says(WRONG),
        records: "www A 192.0.2.53\n",
    },
    Zone {
        name: "strange.lab",
        key: EC,
        sign: "",
        parent: Parent::Says(WRONG),
        records: "www A 192.0.2.54\n",
    },
    Zone { name: "lab", key: EC, sign: "", parent: Parent::Ds, records: "" },
    Zone { name: "", key: EC, sign: "", parent: Parent::Silent, records: "" },
];

const GOOD: &str = r#"@ MX 10 Mail.GOOD.lab.
www A 192.0.2.20
www AAAA 2001:db8::20
mail A 192.0.2.21
alias CNAME www
out CNAME www.plain.lab.
far CNAME www.hashed.lab.
*.wild A 192.0.2.22
*.aliased CNAME www
deep.empty A 192.0.2.23
moved DNAME hashed.lab.
text TXT "one" "two words" ""
caa CAA 0 issue "ca.example"
web HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.20
svc SVCB 0 www.good.lab.
_sip._tcp SRV 1 2 5060 WWW.good.lab.
name NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@good.lab!" .
odd TYPE65400 \# 3 010203
"#;
const HASHED: &str = "www A 192.0.2.25\n*.wild A 192.0.2.26\ndeep.empty A 192.0.2.27\n";

/// Running servers of the tree, killed when dropped.
pub(crate) struct Tree {
    dir: tempfile::TempDir,
    children: Vec<Child>,
    /// The resolver to ask.
    pub(crate) upstream: SocketAddr,
}

impl Tree {
    /// Signs with these dates, written as for `dnssec-signzone`, where a zone has none of its own.
    pub(crate) fn start(dates: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut cuts: Vec<(String, String)> = Vec::new();
        for zone in ZONES {
            let told = zone.make(dir.path(), &cuts, dates);
            cuts.push((zone.name.to_owned(), told));
        }
        forge(&dir.path().join("forged.lab"));
        let (authority, upstream) = (fresh_address(), fresh_address());
        let children = vec![nsd(dir.path(), authority), unbound(dir.path(), authority, upstream)];
        wait_for(20, || dig(upstream, &["+short", "www.good.lab"]).contains("192.0.2.20").then_some(()));
        Self { dir, children, upstream }
    }

    /// File with the root's DS.
    pub(crate) fn anchor(&self) -> PathBuf {
        self.dir.path().join("dsset-.")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Zone {
    fn origin(&self) -> String {
        format!("{}.", self.name)
    }

    fn file(&self) -> &'static str {
        if self.name.is_empty() { "root" } else { self.name }
    }

    fn is_parent_of(&self, name: &str) -> bool {
        match name.split_once('.') {
            Some((_, rest)) => rest == self.name,
            None => self.name.is_empty() && !name.is_empty(),
        }
    }

    /// Writes the zone file, signed if it is to be; what the parent says about it.
    fn make(&self, dir: &Path, cuts: &[(String, String)], dates: &str) -> String {
        let origin = self.origin();
        let mut text = format!(
            "$ORIGIN {origin}\n$TTL 300\n@ SOA ns.lab. admin.lab. 1 3600 900 604800 60\n@ NS ns.lab.\n"
        );
        text.push_str(self.records);
        for (_, told) in cuts.iter().filter(|(name, _)| self.is_parent_of(name)) {
            text.push_str(told);
        }
        if self.name == "lab" {
            text.push_str("ns A 192.0.2.1\n");
        }
        write(&dir.join(self.file()), &text);
        if !self.key.is_empty() {
            run(dir, "dnssec-keygen", &format!("-q {} -f KSK {origin}", self.key));
            let dates = if self.sign.contains("-s ") { "" } else { dates };
            let (sign, file) = (self.sign, self.file());
            run(dir, "dnssec-signzone", &format!("-S -z -P {dates} {sign} -o {origin} -f {file} {file}"));
        }
        let ds = match self.parent {
            Parent::Ds => fs::read_to_string(dir.join(format!("dsset-{origin}"))).unwrap(),
            Parent::Silent => String::new(),
            Parent::Says(told) => format!("{origin} {told}\n"),
        };
        format!("{origin} NS ns.lab.\n{ds}")
    }
}

fn run(dir: &Path, program: &str, args: &str) {
    let mut command = Command::new(program);
    let done =
        command.current_dir(dir).args(args.split_whitespace()).output().unwrap_or_else(|error| {
            panic!("{program}: {error}; `scripts/test` installs what the tests need")
        });
    assert!(done.status.success(), "{program} {args}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Changes a record of a signed zone.
fn forge(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("192.0.2.50"));
    write(file, text.replace("192.0.2.50", "192.0.2.66"));
}

fn nsd(dir: &Path, at: SocketAddr) -> Child {
    let path = dir.display();
    let mut text = format!(
        "server:\n ip-address: {}@{}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{path}\"\n database: \"\"\n \
         pidfile: \"{path}/nsd.pid\"\n xfrdfile: \"{path}/xfrd\"\n zonelistfile: \"{path}/zones\"\n rrl-ratelimit: 0\n\
         remote-control:\n control-enable: no\n",
        at.ip(),
        at.port()
    );
    for zone in ZONES {
        text.push_str(&format!("zone:\n name: \"{}\"\n zonefile: \"{}\"\n", zone.origin(), zone.file()));
    }
    spawn(dir, "nsd", &text, &["-d", "-c"])
}

fn unbound(dir: &Path, authority: SocketAddr, at: SocketAddr) -> Child {
    let text = format!(
        "server:\n interface: {}@{}\n port: {}\n username: \"\"\n chroot: \"\"\n directory: \"{}\"\n pidfile: \"\"\n \
         use-syslog: no\n do-daemonize: no\n module-config: \"iterator\"\n do-not-query-localhost: no\n do-ip6: no\n \
         access-control: 127.0.0.0/8 allow_snoop\n local-zone: \"test.\" transparent\nremote-control:\n \
         control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: {}@{}\n",
        at.ip(),
        at.port(),
        at.port(),
        dir.display(),
        authority.ip(),
        authority.port()
    );
    spawn(dir, "unbound", &text, &["-d", "-c"])
}

fn spawn(dir: &Path, program: &str, config: &str, args: &[&str]) -> Child {
    let file = dir.join(format!("{program}.conf"));
    write(&file, config);
    let log = fs::File::create(dir.join(format!("{program}.log"))).unwrap();
    let mut command = Command::new(program);
    command.args(args).arg(file).stdout(Stdio::null()).stderr(log);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; `scripts/test` installs what the tests need"))
}

/// A resolver as some home routers are: hands questions on to `upstream`, but asks for no signatures.
pub(crate) fn router(upstream: SocketAddr) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let question = &mut buffer[..length];
            // The flags of the OPT record, which ends the message.
            question[length - 4] = 0;
            let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
            outside.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
            outside.send_to(question, upstream).unwrap();
            let mut answer = [0; 4_096];
            if let Ok(length) = outside.recv(&mut answer) {
                socket.send_to(&answer[..length], client).unwrap();
            }
        }
    });
    at
}
