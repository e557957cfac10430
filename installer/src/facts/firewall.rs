//! Firewalls that are there already.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::sockets::Programs;

/// A chain of nftables that sees packets, in somebody else's table. What iptables set is among them, unless it is the
/// legacy kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseChain {
    /// As `inet filter`.
    pub(crate) table: String,
    /// Name.
    pub(crate) name: String,
    /// As `input`.
    pub(crate) hook: String,
    /// Whether it drops what no rule accepts.
    pub(crate) drops: bool,
}

/// What filters packets on this host besides the cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Firewalls {
    /// Tables of nftables; `None` when `nft` is not there to list them.
    pub(crate) tables: Option<Vec<String>>,
    /// Chains of kind filter on a hook.
    pub(crate) chains: Vec<BaseChain>,
    /// Tables of legacy iptables.
    pub(crate) legacy: bool,
    /// ufw is on.
    pub(crate) ufw: bool,
    /// firewalld runs.
    pub(crate) firewalld: bool,
    /// Docker runs, or left its bridge.
    pub(crate) docker: bool,
}

pub(super) fn read(programs: &Programs) -> Firewalls {
    let runs = |name: &str| programs.names.values().any(|program| program == name);
    let has_interface = |name: &str| fs::exists(format!("/sys/class/net/{name}")).unwrap_or(false);
    let legacy = ["ip_tables_names", "ip6_tables_names"].iter().any(|file| {
        fs::read_to_string(format!("/proc/self/net/{file}")).is_ok_and(|text| !text.trim().is_empty())
    });
    Firewalls {
        tables: nft(&["list", "tables"]).map(|json| tables(&json)),
        chains: nft(&["list", "chains"]).map(|json| chains(&json)).unwrap_or_default(),
        legacy,
        ufw: ufw_is_on(&fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default()),
        firewalld: runs("firewalld"),
        docker: runs("dockerd") || has_interface("docker0"),
    }
}

/// `nft` is not ours to demand; where it is missing, less is known.
fn nft(words: &[&str]) -> Option<Value> {
    let output =
        Command::new("nft").arg("-j").args(words).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    if output.status.success() { serde_json::from_slice(&output.stdout).ok() } else { None }
}

fn objects<'a>(json: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    json["nftables"].as_array().into_iter().flatten().filter_map(move |object| object.get(kind))
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

fn is_ours(family: &str, table: &str) -> bool {
    family == "inet" && table == pic_plan::marks::NFT_TABLE
}

fn tables(json: &Value) -> Vec<String> {
    objects(json, "table")
        .map(|table| (text(table, "family"), text(table, "name")))
        .filter(|(family, name)| !is_ours(family, name))
        .map(|(family, name)| format!("{family} {}", name.escape_debug()))
        .collect()
}

fn chains(json: &Value) -> Vec<BaseChain> {
    objects(json, "chain")
        .filter(|chain| {
            text(chain, "type") == "filter" && !is_ours(text(chain, "family"), text(chain, "table"))
        })
        .map(|chain| BaseChain {
            table: format!("{} {}", text(chain, "family"), text(chain, "table").escape_debug()),
            name: text(chain, "name").escape_debug().to_string(),
            hook: text(chain, "hook").to_owned(),
            drops: text(chain, "policy") == "drop",
        })
        .collect()
}

fn ufw_is_on(conf: &str) -> bool {
    conf.lines().any(|line| line.trim().eq_ignore_ascii_case("enabled=yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_nft_prints() {
        let json = serde_json::json!({"nftables": [
            {"metainfo": {"version": "1.1.3"}},
            {"table": {"family": "inet", "name": "pic", "handle": 1}},
            {"table": {"family": "ip", "name": "filter", "handle": 2}},
            {"chain": {"family": "inet", "table": "pic", "name": "input", "type": "filter", "hook": "input", "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        ]});
        assert_eq!(tables(&json), ["ip filter"]);
        let found = chains(&json);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].table.as_str(), found[0].drops), ("ip filter", true));
        assert!(tables(&serde_json::json!([])).is_empty());
    }

    #[test]
    fn ufw_says_so_itself() {
        assert!(ufw_is_on("# x\nENABLED=yes\nLOGLEVEL=low\n"));
        assert!(!ufw_is_on("ENABLED=no\n#ENABLED=yes\n"));
    }
}
