//! A provider of exits by OpenVPN: Debian's own openvpn as a server, which lets its customers out by its own address. It knows
//! a customer by a certificate and by a password. Unpacked, as the package is somebody else's decision.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::netns::internet::address;
use crate::{Child, Internet, Namespace, Scratch, cmd, files, scratch};

/// What the customer says to be known.
pub const USER: &str = "customer@example.org";
/// And the secret that it is known by.
pub const PASSWORD: &str = "correct \"horse\" \\battery";

const NAT: &str = r#"
table inet provider {
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "eth0" masquerade
    }
}
"#;

/// The folder that has `usr/sbin/openvpn`: `build/tools/openvpn`, which `scripts/test` makes, with its libraries, else the root.
pub fn root() -> Result<PathBuf> {
    let places = [scratch::workspace().join("build/tools/openvpn"), PathBuf::from("/")];
    let found = places.into_iter().find(|place| place.join("usr/sbin/openvpn").exists());
    found.context("openvpn is not unpacked: run `scripts/test --tier T1` once")
}

/// Where the libraries of an unpacked one are, as in `LD_LIBRARY_PATH`.
pub fn libraries(root: &Path) -> String {
    let of = |folder: &str| std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let all = of("lib").chain(of("usr/lib")).map(|entry| entry.path());
    let all = all.filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    all.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

/// A server on the public network.
#[derive(Debug)]
pub struct OpenvpnServer {
    /// Where it is; `eth0` is its wire to the world.
    pub place: Namespace,
    /// Its public addresses, v4 and v6.
    pub addresses: [String; 2],
    number: u8,
    server: Option<Child>,
    scratch: Scratch,
}

impl OpenvpnServer {
    /// Starts one with this number, which is the last part of its addresses.
    pub fn start(lab: &Internet, label: &str, number: u8) -> Result<Self> {
        let place = Namespace::new(label)?;
        let addresses = [format!("203.0.113.{number}"), format!("2001:db8:1::{number}")];
        lab.public.plug(&place, "eth0")?;
        for ((own, prefix), gateway) in addresses.iter().zip(address::PREFIX).zip(address::PROVIDER) {
            place.address("eth0", &format!("{own}/{prefix}"))?;
            place.default_route(gateway)?;
        }
        place.forward()?;
        place.nft(NAT)?;
        let scratch = Scratch::new("openvpn")?;
        let mut server = Self { place, addresses, number, server: None, scratch };
        server.make_keys()?;
        server.run(true)?;
        Ok(server)
    }

    /// An authority, the server and a customer, with keys of P-256; and the key that hides the control channel.
    fn make_keys(&self) -> Result<()> {
        let at = |name: &str| self.scratch.join(name).display().to_string();
        let openssl = |words: &[&str]| cmd::run(cmd::command("openssl").args(words))?.ok().map(drop);
        let new =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
        openssl(
            &[&new[..], &["-subj", "/CN=authority", "-keyout", &at("ca.key"), "-out", &at("ca.crt")]]
                .concat(),
        )?;
        for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
            let (key, crt) = (at(&format!("{name}.key")), at(&format!("{name}.crt")));
            let subject = format!("/CN={name}");
            let usage = format!("extendedKeyUsage={usage}");
            let (ca, ca_key) = (at("ca.crt"), at("ca.key"));
            let signature = "keyUsage=digitalSignature";
            let signed = [
                "-subj", &subject, "-addext", &usage, "-addext", signature, "-CA", &ca, "-CAkey", &ca_key,
                "-keyout", &key, "-out", &crt,
            ];
            openssl(&[&new[..], &signed].concat())?;
        }
        let mut command = self.openvpn()?;
        command.args(["--genkey", "tls-crypt", &at("tc.key")]);
        cmd::run(&mut command)?.ok()?;
        let verify = self.scratch.join("verify");
        files::write(&verify, "#!/bin/sh\nexec cmp -s \"$1\" \"${0%/*}/allowed\"\n")?;
        std::fs::set_permissions(&verify, std::fs::Permissions::from_mode(0o755))?;
        files::write(&self.scratch.join("allowed"), format!("{USER}\n{PASSWORD}\n"))
    }

    fn openvpn(&self) -> Result<std::process::Command> {
        let root = root()?;
        let mut command = self.place.command(root.join("usr/sbin/openvpn"));
        command.env("LD_LIBRARY_PATH", libraries(&root));
        Ok(command)
    }

    /// Starts the server, or kills it.
    pub fn run(&mut self, on: bool) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            server.stop(nix::sys::signal::Signal::SIGKILL, Duration::from_secs(10))?;
        }
        if !on {
            return Ok(());
        }
        let number = self.number;
        let at = |name: &str| self.scratch.join(name).display().to_string();
        let text = format!(
            "port 1194\nproto udp6\ndev vpn{number}\ndev-type tun\ntopology subnet\nserver 10.{number}.0.0 255.255.255.0\n\
             server-ipv6 fd64:{number}::/64\nca {}\ncert {}\nkey {}\ndh none\ntls-crypt {}\nkeepalive 1 6\ndisable-dco\n\
             verify-client-cert require\nscript-security 2\nauth-user-pass-verify {} via-file\ntmp-dir {}\n\
             push \"redirect-gateway def1 ipv6\"\npush \"route 198.51.100.0 255.255.255.0\"\n\
             push \"dhcp-option DNS {}\"\nverb 3\n",
            at("ca.crt"),
            at("server.crt"),
            at("server.key"),
            at("tc.key"),
            at("verify"),
            self.scratch.path().display(),
            address::OUTSIDE_DNS[0],
        );
        let file = self.scratch.join("server.conf");
        files::write(&file, text)?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.scratch.join("log"))?;
        let mut command = self.openvpn()?;
        command.arg("--config").arg(&file).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.server = Some(Child::spawn(command)?);
        Ok(())
    }

    /// Changes the password that it knows the customer by.
    pub fn set_password(&self, password: &str) -> Result<()> {
        files::write(&self.scratch.join("allowed"), format!("{USER}\n{password}\n"))
    }

    /// The file that it gives its customer, with all keys in it. `more` are further lines.
    pub fn config(&self, more: &str) -> Result<String> {
        let block = |name: &str, file: &str| -> Result<String> {
            let text = files::read(&self.scratch.join(file))?;
            ensure!(!text.is_empty(), "{file} is empty");
            Ok(format!("<{name}>\n{text}</{name}>\n"))
        };
        let blocks =
            [("ca", "ca.crt"), ("cert", "client.crt"), ("key", "client.key"), ("tls-crypt", "tc.key")];
        let blocks = blocks.into_iter().map(|(name, file)| block(name, file)).collect::<Result<String>>()?;
        Ok(format!(
            "client\ndev tun\nproto udp\nremote {} 1194\nresolv-retry infinite\nnobind\npersist-key\nauth-user-pass\n\
             remote-cert-tls server\nredirect-gateway def1\nverb 3\n{more}\n{blocks}",
            self.addresses[0]
        ))
    }

    /// Cuts it off from the world, or connects it again.
    pub fn connect(&self, on: bool) -> Result<()> {
        if on {
            return self.place.run("nft delete table inet cut")?.ok().map(drop);
        }
        let chain = |hook, way| {
            format!("chain {hook} {{ type filter hook {hook} priority -300; {way}ifname \"eth0\" drop; }}")
        };
        self.place.nft(&format!("table inet cut {{\n{}\n{}\n}}", chain("input", "i"), chain("output", "o")))
    }

    /// The last lines of its log, for messages.
    pub fn log(&self) -> String {
        files::tail(&self.scratch.join("log"), 12)
    }
}

impl Drop for OpenvpnServer {
    fn drop(&mut self) {
        let _ = self.run(false);
    }
}
