//! Everything of a host that an install could change and an uninstall must put back, and what differs.
//!
//! Read by one shell script on the host; compared here as sets of lines. Logs, caches, counters and times are left
//! out, and so are the copies that the system's own tools keep of the files they edit (`passwd-`, `status-old`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;

/// The state of a host: lines by section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint(BTreeMap<String, BTreeSet<String>>);

/// What to run on the host, by `sh -s`.
pub const SCRIPT: &str = r#"
export LC_ALL=C
section() { printf '== %s\n' "$1"; }
section nftables;  nft --stateless list ruleset
section rules;     ip -4 rule; ip -6 rule
section routes;    ip -4 route show table all; ip -6 route show table all | sed 's/ expires [0-9]*sec//'
section links;     ip -o link | sed 's/^[0-9]*: //; s/[@:].*//'
section sysctl;    sysctl -a 2>/dev/null | grep -E '^net\.ipv[46]\.(ip_forward|conf\.[^ ]*\.([a-z_]*forwarding|accept_ra|rp_filter|src_valid_mark|accept_redirects|send_redirects|accept_source_route|disable_ipv6)) '
section users;     cat /etc/passwd /etc/group /etc/shadow /etc/gshadow
# systemd forgets units whose files are gone when it next has time.
for _ in $(seq 50); do systemctl list-units --no-legend --plain --all 'pic-*' | grep -q not-found || break; sleep 0.2; done
section units;     systemctl list-unit-files --no-legend --no-pager --plain; systemctl list-units --no-legend --no-pager --plain --failed
                   systemctl list-units --no-legend --no-pager --plain --all 'pic-*'
section ports;     ss -Hlntu | while read -r kind _ _ _ local _; do echo "$kind $local"; done
section resolver;  cat /etc/resolv.conf
section packages;  dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\n'
section settings;  find /etc -xdev -type f ! -name '*-' ! -name .pwd.lock ! -name ld.so.cache -exec sha256sum {} +
                   find /etc -xdev ! -name '*-' ! -name .pwd.lock -printf '%M %u:%g %p %l\n'
section files;     find /usr /opt /srv /home /root /boot /var/lib /var/cache/apt/archives /run/pic* /run/wireguard -xdev 2>/dev/null \
                       | grep -vE '^/var/lib/(dpkg/.*(-old|lock.*)|apt/lists/(partial|lock)|apt/(lists/auxfiles|daily_lock|extended_states|periodic.*)|systemd/.*)$|/__pycache__|^/var/cache/apt/archives/(partial|lock)$|^/root/\.'
"#;

impl Footprint {
    /// Reads what [`SCRIPT`] printed.
    pub fn parse(text: &str) -> Self {
        let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines() {
            match line.strip_prefix("== ") {
                Some(name) => {
                    name.clone_into(&mut current);
                    sections.entry(current.clone()).or_default();
                }
                None => _ = sections.entry(current.clone()).or_default().insert(line.trim_end().to_owned()),
            }
        }
        Self(sections)
    }

    /// What came and what went since `before`, for a person; empty when nothing did.
    pub fn since(&self, before: &Self) -> String {
        let mut words = String::new();
        let names: BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        let nothing = BTreeSet::new();
        for name in names {
            let (then, now) = (before.0.get(name).unwrap_or(&nothing), self.0.get(name).unwrap_or(&nothing));
            for line in now.difference(then) {
                let _ = writeln!(words, "{name}: + {line}");
            }
            for line in then.difference(now) {
                let _ = writeln!(words, "{name}: - {line}");
            }
        }
        words
    }

    /// The lines of one section.
    pub fn section(&self, name: &str) -> Result<&BTreeSet<String>> {
        self.0.get(name).ok_or_else(|| anyhow::anyhow!("the footprint has no section {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_came_and_what_went() {
        let before = Footprint::parse("== rules\n0: local\n77: x \n== ports\ntcp *:22\n");
        let after = Footprint::parse("== rules\n77: x\n0: local\n== ports\ntcp *:22\ntcp *:53\n");
        assert_eq!(after.since(&before), "ports: + tcp *:53\n");
        assert_eq!(before.since(&after), "ports: - tcp *:53\n");
        assert_eq!(before.since(&before), "");
        assert_eq!(before.section("rules").unwrap().len(), 2);
    }
}
