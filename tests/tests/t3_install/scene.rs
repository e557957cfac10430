//! Where the story plays: the small internet with a cell-to-be and a phone on the provider's network, a private
//! network behind the cell, and a repository out there.

use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address::{CELL, OUTSIDE, OUTSIDE_DNS, PREFIX, PROVIDER};
use pic_lab::release::{self, Served};
use pic_lab::vm::Cache;
use pic_lab::{Footprint, Internet, Namespace, Release, Vm, footprint, image};
use serde_json::Value;

/// The phone's public addresses.
pub(crate) const PHONE: [&str; 2] = ["203.0.113.30", "2001:db8:1::30"];
/// The private network behind the cell: the cell's own address and a printer's.
const BEHIND: [&str; 2] = ["192.168.99.1/24", "192.168.99.10/24"];
pub(crate) const PRINTER: &str = "192.168.99.10";

/// What the administrator had on the host before: a firewall, a policy rule, a route.
const FOREIGN: &str = "#!/bin/sh
nft -f - <<'RULES'
table inet admin_own
delete table inet admin_own
table inet admin_own {
    chain own {
        type filter hook input priority 10; policy accept;
        tcp dport 9 drop
    }
}
RULES
ip rule del pref 1000 2>/dev/null
ip rule add pref 1000 from 192.168.99.77 lookup 100
for try in 1 2 3 4 5 6 7 8 9; do
    ip route replace 192.168.200.0/24 via 192.168.99.10 && ip route replace default via 192.168.99.10 table 100 && break
    sleep 0.5
done
";
const FOREIGN_UNIT: &str = "[Unit]
After=systemd-networkd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/foreign
[Install]
WantedBy=multi-user.target
";

/// The private network behind the cell.
pub(crate) struct Behind {
    lan: Lan,
    _printer: Namespace,
}

impl Behind {
    pub(crate) fn new() -> Result<Self> {
        let (lan, printer) = (Lan::new("behind")?, Namespace::new("printer")?);
        lan.plug(&printer, "eth0")?;
        printer.address("eth0", BEHIND[1])?;
        printer.default_route("192.168.99.1")?;
        Ok(Self { lan, _printer: printer })
    }
}

/// Everybody in the story.
pub(crate) struct Scene<'lab> {
    pub(crate) lab: &'lab Internet,
    pub(crate) cell: Vm<'lab>,
    pub(crate) phone: Vm<'lab>,
    pub(crate) repository: Served,
}

impl<'lab> Scene<'lab> {
    pub(crate) fn start(
        lab: &'lab Internet,
        behind: &'lab Behind,
        cell: Release,
        phone: Release,
    ) -> Result<Self> {
        lab.free_place_of_cell()?;
        let repository = Served::start(&lab.outside, OUTSIDE[0], 8000, release::THIS)?;
        let (cell, phone) = thread::scope(|scope| {
            let phone = scope.spawn(|| start_phone(lab, behind, phone));
            let cell = start_cell(lab, behind, cell);
            let phone = phone.join().map_err(|_| anyhow!("the phone's thread panicked"));
            Ok::<_, anyhow::Error>((cell?, phone??))
        })?;
        let scene = Self { lab, cell, phone, repository };
        run(&scene.cell, &format!("ping -c 2 -W 5 {PRINTER} && ping -c 2 -W 5 {}", OUTSIDE[1]))?;
        Ok(scene)
    }

    /// The state of the cell's host.
    pub(crate) fn footprint(&self) -> Result<Footprint> {
        let text = self.cell.ssh_for("sh -s", pic_lab::vm::BOOT, footprint::SCRIPT.as_bytes())?.ok()?;
        Ok(Footprint::parse(&text))
    }

    /// `picctl WORDS --json` on the cell.
    pub(crate) fn picctl(&self, words: &str) -> Result<Value> {
        let text = run(&self.cell, &format!("picctl {words} --json"))?;
        serde_json::from_str(&text).with_context(|| format!("picctl {words} printed: {text}"))
    }

    /// The cell's own addresses in the tunnel.
    pub(crate) fn inner(&self) -> Result<[String; 2]> {
        let status = self.picctl("status")?;
        let word =
            |key: &str| status["cell"][key].as_str().map(str::to_owned).context("an address in the status");
        Ok([word("address")?, word("address6")?])
    }

    /// Fails unless the cell says that everything is as wanted.
    pub(crate) fn is_well(&self) -> Result<()> {
        let status = self.picctl("status")?;
        ensure!(
            status["state"] == "ok" && status["wireguard"]["backend"] == "kernel",
            "the cell is not well: {status:#}"
        );
        Ok(())
    }

    /// Fails unless everything the administrator had is still there.
    pub(crate) fn foreign_is_there(&self) -> Result<()> {
        let text =
            run(&self.cell, "nft list table inet admin_own; ip rule; ip route; ip route show table 100")?;
        for part in [
            "tcp dport 9 drop",
            "from 192.168.99.77 lookup 100",
            "192.168.200.0/24 via",
            "default via 192.168.99.10",
        ] {
            ensure!(text.contains(part), "\"{part}\" of the administrator is gone:\n{text}");
        }
        Ok(())
    }
}

/// Runs a command line as root; what it printed, if it succeeded.
pub(crate) fn run(vm: &Vm<'_>, line: &str) -> Result<String> {
    vm.ssh(line)?.ok()
}

fn start_cell<'lab>(lab: &'lab Internet, behind: &'lab Behind, release: Release) -> Result<Vm<'lab>> {
    let cell =
        Vm::builder(release, "cell").lan(&lab.public).lan(&behind.lan).cache(Cache::WriteThrough).start()?;
    cell.wait_booted()?;
    public(&cell, CELL)?;
    cell.configure("ens5", &[BEHIND[0]], &[])?;
    cell.write("/usr/local/sbin/foreign", FOREIGN)?;
    cell.write("/etc/systemd/system/foreign.service", FOREIGN_UNIT)?;
    run(&cell, "chmod 755 /usr/local/sbin/foreign && systemctl --quiet enable --now foreign.service")?;
    Ok(cell)
}

fn start_phone<'lab>(lab: &'lab Internet, behind: &'lab Behind, release: Release) -> Result<Vm<'lab>> {
    let openresolv = image::package(release, "openresolv")?;
    let phone = Vm::builder(release, "phone").lan(&lab.public).lan(&behind.lan).start()?;
    phone.wait_booted()?;
    phone.put(&openresolv, "/root/openresolv.deb")?;
    run(&phone, "dpkg -i /root/openresolv.deb")?;
    public(&phone, PHONE)?;
    Ok(phone)
}

/// Puts a machine on the provider's network. From now on the Debian mirror is out of its reach, so apt forgets it.
fn public(vm: &Vm<'_>, addresses: [&str; 2]) -> Result<()> {
    let [v4, v6] = [0, 1].map(|family| format!("{}/{}", addresses[family], PREFIX[family]));
    vm.configure("ens4", &[&v4, &v6], &PROVIDER)?;
    vm.write("/etc/resolv.conf", format!("nameserver {}\n", OUTSIDE_DNS[0]))?;
    run(
        vm,
        r"find /etc/apt/sources.list.d -name '*.sources' -exec sed -i 's/^Types: /Enabled: no\n&/' {} +",
    )?;
    run(vm, "rm -f /etc/apt/sources.list")?;
    Ok(())
}
