//! The host's own resolvers, from resolv.conf(5).

use std::net::IpAddr;
use std::path::Path;

use pic_plan::resolver::servers_in;

/// Where programs look.
const FILE: &str = "/etc/resolv.conf";
/// Where systemd-resolved tells the servers behind its local stub.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";
/// Addresses of that stub.
const STUBS: [[u8; 4]; 2] = [[127, 0, 0, 53], [127, 0, 0, 54]];

/// Resolvers in the order of preference, without the stub of systemd-resolved and without `own` addresses.
pub(super) fn read(own: &[IpAddr]) -> Vec<IpAddr> {
    from_files(Path::new(FILE), Path::new(BEHIND_STUB), own)
}

fn from_files(file: &Path, behind_stub: &Path, own: &[IpAddr]) -> Vec<IpAddr> {
    let all = servers(file);
    let mut found = without(&all, own);
    // Only where the stub is asked do the servers behind it count: they may be left over from another setup.
    if found.is_empty() && all.iter().any(is_stub) {
        found = without(&servers(behind_stub), own);
    }
    found
}

fn without(all: &[IpAddr], own: &[IpAddr]) -> Vec<IpAddr> {
    let mut kept = Vec::new();
    for ip in all {
        if !is_stub(ip) && !own.contains(ip) && !kept.contains(ip) {
            kept.push(*ip);
        }
    }
    kept
}

fn is_stub(ip: &IpAddr) -> bool {
    STUBS.iter().any(|stub| *ip == IpAddr::from(*stub))
}

/// A missing or unreadable file names no servers. Addresses with a zone (`fe80::1%eth0`) are left out: who asks them
/// would need the interface as well.
fn servers(file: &Path) -> Vec<IpAddr> {
    servers_in(&std::fs::read_to_string(file).unwrap_or_default())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test files need no atomic writing")]
mod tests {
    use super::*;

    fn case(file: &str, behind: &str, own: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, file).unwrap();
        std::fs::write(&b, behind).unwrap();
        let own: Vec<IpAddr> = own.iter().map(|ip| ip.parse().unwrap()).collect();
        from_files(&a, &b, &own).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn plain_file() {
        let text = "# x\nsearch lan\nnameserver 192.0.2.1\nnameserver fd00::53\nnameserver fe80::1%eth0\n\
                    nameserver 192.0.2.1\n;nameserver 192.0.2.9\nnameserver nonsense\n";
        assert_eq!(case(text, "nameserver 192.0.2.7\n", &[]), ["192.0.2.1", "fd00::53"]);
    }

    #[test]
    fn stub_leads_to_the_servers_behind_it() {
        assert_eq!(case("nameserver 127.0.0.53\n", "nameserver 192.0.2.7\n", &[]), ["192.0.2.7"]);
        assert_eq!(case("nameserver 127.0.0.1\n", "nameserver 192.0.2.7\n", &[]), ["127.0.0.1"]);
    }

    #[test]
    fn never_the_cell_itself() {
        assert_eq!(case("nameserver 10.0.0.1\nnameserver 192.0.2.1\n", "", &["10.0.0.1"]), ["192.0.2.1"]);
        assert!(case("nameserver 10.0.0.1\n", "nameserver 192.0.2.7\n", &["10.0.0.1"]).is_empty());
        assert!(case("", "nameserver 192.0.2.7\n", &[]).is_empty());
    }
}
