//! Disk, memory, clock, kernel and resolver.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::statvfs::statvfs;

/// Where the cell's state is kept.
const STATE: &str = "/var/lib";

/// What the machine has.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Bytes free where the cell's state is kept.
    pub(crate) disk_free: Option<u64>,
    /// Bytes of memory that programs can still get.
    pub(crate) memory_free: Option<u64>,
    /// Unix seconds now.
    pub(crate) now: u64,
    /// Unix seconds when this program was built, which is never later than now.
    pub(crate) built: u64,
    /// Whether the kernel has WireGuard, loaded or not.
    pub(crate) kernel_wireguard: bool,
    /// Whether WireGuard could run in a process.
    pub(crate) tun: bool,
    /// Whether systemd runs this machine.
    pub(crate) systemd: bool,
    /// Who writes `/etc/resolv.conf`.
    pub(crate) resolver: Resolver,
    /// Its time zone, as the tz database spells it.
    pub(crate) timezone: Option<String>,
}

/// Who writes `/etc/resolv.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// A file that a person, the installer of Debian or a DHCP client wrote.
    File,
    /// systemd-resolved.
    Resolved,
    /// resolvconf(8).
    Resolvconf,
    /// NetworkManager.
    NetworkManager,
    /// There is none.
    Missing,
}

pub(super) fn read() -> Machine {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let built = fs::metadata("/proc/self/exe").and_then(|meta| meta.modified()).map_or(0, seconds);
    Machine {
        disk_free: statvfs(STATE).ok().map(|fs| fs.blocks_available().saturating_mul(fs.fragment_size())),
        memory_free: memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        now: seconds(SystemTime::now()),
        built,
        kernel_wireguard: kernel_wireguard(),
        tun: Path::new("/dev/net/tun").exists(),
        systemd: Path::new("/run/systemd/system").is_dir(),
        resolver: resolver(Path::new("/etc/resolv.conf")),
        timezone: timezone(Path::new("/etc/localtime")),
    }
}

/// From the link that systemd and Debian set (`localtime`(5)).
fn timezone(localtime: &Path) -> Option<String> {
    let link = fs::read_link(localtime).ok()?;
    let (_, name) = link.to_str()?.split_once("zoneinfo/")?;
    pic_model::schedule::zone_name(name).map(str::to_owned)
}

fn memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// By what lies on disk: making an interface to find out would be a change, and this is read before consent.
fn kernel_wireguard() -> bool {
    if Path::new("/sys/module/wireguard").exists() {
        return true;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = Path::new("/lib/modules").join(release.trim());
    ["modules.dep", "modules.builtin"].iter().any(|list| {
        let text = fs::read_to_string(modules.join(list)).unwrap_or_default();
        text.lines().any(|line| line.split(':').next().is_some_and(|path| path.contains("/wireguard.ko")))
    })
}

/// Interfaces of kind WireGuard but the cell's own.
pub(super) fn wireguard_interfaces() -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let kind = fs::read_to_string(entry.path().join("uevent")).unwrap_or_default();
            kind.lines().any(|line| line == "DEVTYPE=wireguard")
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != pic_plan::marks::WIREGUARD_INTERFACE)
        .collect();
    found.sort();
    found
}

fn resolver(file: &Path) -> Resolver {
    let Ok(target) = fs::read_link(file) else {
        return if file.exists() { Resolver::File } else { Resolver::Missing };
    };
    let target = target.to_string_lossy();
    match () {
        () if target.contains("systemd/resolve") => Resolver::Resolved,
        () if target.contains("resolvconf") => Resolver::Resolvconf,
        () if target.contains("NetworkManager") => Resolver::NetworkManager,
        () if file.exists() => Resolver::File,
        () => Resolver::Missing,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test files need no atomic writing")]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_resolv_conf() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("plain"), "").unwrap();
        std::os::unix::fs::symlink("../run/systemd/resolve/stub-resolv.conf", at("stub")).unwrap();
        std::os::unix::fs::symlink("/run/resolvconf/resolv.conf", at("resolvconf")).unwrap();
        std::os::unix::fs::symlink("plain", at("link")).unwrap();
        let kinds = ["plain", "stub", "resolvconf", "link", "none"].map(|name| resolver(&at(name)));
        use Resolver::{File, Missing, Resolvconf, Resolved};
        assert_eq!(kinds, [File, Resolved, Resolvconf, File, Missing]);
    }

    #[test]
    fn memory_in_bytes() {
        assert_eq!(memory("MemTotal: 9 kB\nMemAvailable:     100 kB\n"), Some(102_400));
        assert_eq!(memory(""), None);
    }
}
