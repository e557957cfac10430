//! Virtual machines: stock Debian with its own kernel, which can be rebooted and lose power.
//!
//! Emulated in software, so that they run anywhere: count on half a minute to boot and on a tenth of the
//! machine's speed. `ens3` is the way in for tests (user networking: ssh in; the Debian mirror out); further
//! NICs are plugged into a [`Lan`] and named `ens4`, `ens5`, … without configuration.

mod guest;
mod qemu;
mod ssh;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::image::{self, DiskImage, Release};
use crate::netns::Lan;
use crate::process::Child;
use crate::scratch::Scratch;
use crate::{cmd, files, stage, wait};

use ssh::Ssh;

/// How long a VM may take from power on to ssh, on a busy machine.
pub const BOOT: Duration = Duration::from_secs(240);

/// How a VM treats its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// Fast: what the guest synced may be lost when *this machine* loses power, which no test looks at.
    Unsafe,
    /// What the guest did not sync may be lost by [`Vm::power_cut`]; what it synced may not.
    WriteThrough,
}

/// What a VM is made of.
#[derive(Debug)]
pub struct VmBuilder<'lab> {
    release: Release,
    name: String,
    lans: Vec<&'lab Lan>,
    cache: Cache,
    memory: u32,
}

impl<'lab> VmBuilder<'lab> {
    /// Adds a NIC on a LAN; the first is `ens4`.
    #[must_use]
    pub fn lan(mut self, lan: &'lab Lan) -> Self {
        self.lans.push(lan);
        self
    }

    /// How it treats its disk; [`Cache::Unsafe`] if not said.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// Megabytes of memory; 1024 if not said.
    #[must_use]
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// Builds the image if need be, boots, and returns when ssh works.
    pub fn start(self) -> Result<Vm<'lab>> {
        let image = image::disk(self.release)?;
        let scratch = Scratch::new(&self.name)?;
        let disk = scratch.join("disk.qcow2");
        let mut create = cmd::command("qemu-img");
        create.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]).arg(image.disk()).arg(&disk);
        cmd::run(&mut create)?.ok()?;
        let ssh = Ssh::new(&image.key(), &scratch)?;
        let nics = self.lans.iter().map(|lan| qemu::Nic::on(lan)).collect();
        let mut vm = Vm { machine: None, ssh, image, disk, nics, options: self, scratch };
        vm.boot()?;
        Ok(vm)
    }
}

/// A virtual machine; its power is cut and its disk thrown away on drop.
#[derive(Debug)]
pub struct Vm<'lab> {
    machine: Option<Child>,
    ssh: Ssh,
    image: DiskImage,
    disk: PathBuf,
    nics: Vec<qemu::Nic<'lab>>,
    options: VmBuilder<'lab>,
    scratch: Scratch,
}

impl<'lab> Vm<'lab> {
    /// A VM to be described further and started.
    pub fn builder(release: Release, name: &str) -> VmBuilder<'lab> {
        VmBuilder { release, name: name.to_owned(), lans: Vec::new(), cache: Cache::Unsafe, memory: 1024 }
    }

    /// Its release.
    pub fn release(&self) -> Release {
        self.options.release
    }

    fn boot(&mut self) -> Result<()> {
        let _stage =
            stage::Stage::start(format!("boot {} ({})", self.options.name, self.options.release.name()));
        self.machine = Some(qemu::spawn(self)?);
        for nic in &self.nics {
            nic.plug_in()?;
        }
        self.connect(|_| true)
    }

    /// Waits until ssh works and the guest's boot id satisfies `wanted`.
    fn connect(&mut self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let (machine, ssh) = (&mut self.machine, &mut self.ssh);
        let what = format!("ssh to {}", self.options.name);
        let step = Duration::from_millis(200);
        let connected = wait::value_every(step, BOOT, &what, || {
            let runs = machine.as_mut().is_some_and(Child::is_running);
            anyhow::ensure!(runs, "the virtual machine ended");
            let Some(id) = ssh.connect()? else { return Ok(None) };
            Ok(wanted(&id).then_some(()))
        });
        connected.with_context(|| self.console(40))
    }

    /// Reboots in order, and returns when ssh works again.
    pub fn reboot(&mut self) -> Result<()> {
        let _stage = stage::Stage::start(format!("reboot {}", self.options.name));
        let before = self.boot_id()?;
        // The connection may break before the answer is here.
        let _ = self.ssh("systemctl --no-block reboot");
        self.ssh.wait_closed();
        self.connect(|id| id != before)
    }

    /// Cuts the power: the guest gets no chance to write anything more.
    pub fn power_cut(&mut self) {
        self.ssh.disconnect();
        self.machine = None;
    }

    /// Switches it on again after [`Vm::power_cut`] or a shutdown from inside.
    pub fn boot_again(&mut self) -> Result<()> {
        self.power_cut();
        self.boot()
    }

    /// How long it stood still since it was switched on because this machine had no processor for it.
    pub fn stood_still(&self) -> Duration {
        let tasks = self.machine.as_ref().map(|machine| format!("/proc/{}/task", machine.pid()));
        let tasks = tasks.and_then(|path| std::fs::read_dir(path).ok()).into_iter().flatten().flatten();
        // Of each thread, the second number is the time it was ready and did not run.
        let waits = tasks.filter_map(|task| {
            let text = files::read(&task.path().join("schedstat")).ok()?;
            text.split_whitespace().nth(1)?.parse().ok()
        });
        Duration::from_nanos(waits.max().unwrap_or(0))
    }

    /// The end of what it printed on its serial console.
    pub fn console(&self, lines: usize) -> String {
        let (log, qemu) = (self.scratch.join("console.log"), self.scratch.join("qemu.log"));
        format!(
            "console of {}:\n{}\nqemu said: {}",
            self.options.name,
            files::tail(&log, lines),
            files::tail(&qemu, 5)
        )
    }
}

impl Drop for Vm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            stage::note(&self.console(40));
        }
        self.power_cut();
    }
}
