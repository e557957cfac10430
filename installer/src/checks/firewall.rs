//! Firewalls that are there already. A packet passes only if no table drops it: one that another drops, ours cannot
//! save, and ours is not to rewrite theirs.

use super::{Check, Level};
use crate::choice::Choice;
use crate::facts::{BaseChain, Facts, Firewalls};

pub(super) fn checks(facts: &Facts, choice: &Choice) -> Vec<Check> {
    let walls = &facts.firewalls;
    let mut checks = vec![tables(walls)];
    checks.extend(walls.ufw.then(|| ufw(choice)));
    checks.extend(walls.firewalld.then(|| firewalld(choice)));
    checks.extend(walls.docker.then(|| docker(walls)));
    let explained = |chain: &BaseChain| {
        let by_iptables = chain.table == "ip filter" || chain.table == "ip6 filter";
        by_iptables && (walls.ufw || (walls.docker && chain.hook == "forward"))
    };
    let dropping = walls.chains.iter().filter(|chain| chain.drops && !explained(chain));
    checks.extend(dropping.filter_map(|chain| dropper(chain, choice)));
    checks
}

fn tables(walls: &Firewalls) -> Check {
    match &walls.tables {
        None => Check::ok(
            "nftables",
            "`nft` is not installed, so other tables are not listed; the cell needs none",
        ),
        Some(tables) if tables.is_empty() && walls.legacy => Check::note(
            "nftables",
            "legacy iptables has tables here; they stay as they are, and what they drop stays dropped",
        ),
        Some(tables) if tables.is_empty() => {
            Check::ok("nftables", "no tables but the cell's own, \"inet pic\"")
        }
        Some(tables) => {
            Check::ok("nftables", format!("{} stay as they are beside \"inet pic\"", tables.join(", ")))
        }
    }
}

fn dropper(chain: &BaseChain, choice: &Choice) -> Option<Check> {
    let at = format!("{} {}", chain.table, chain.name);
    let (what, rules) = match chain.hook.as_str() {
        "input" => (
            "calls of devices to the cell",
            [format!("udp dport {} accept", choice.port), "iifname pic0 accept".into()],
        ),
        "forward" => (
            "what devices send through the cell",
            ["iifname pic0 accept".into(), "oifname pic0 ct state established,related accept".into()],
        ),
        _ => return None,
    };
    let rules = rules.map(|rule| format!("nft insert rule {at} {rule}")).join("; ");
    let words = format!("the chain {at} drops what it does not know, and with it {what}");
    Some(Check::new(
        "nftables",
        Level::Warn,
        words,
        format!("{rules}; and the same where its rules are kept"),
    ))
}

fn ufw(choice: &Choice) -> Check {
    let words = "ufw is on and drops what it was not told of, devices' packets too";
    let fix = format!("ufw allow {}/udp; ufw allow in on pic0; ufw route allow in on pic0", choice.port);
    Check::new("ufw", Level::Warn, words, fix)
}

fn firewalld(choice: &Choice) -> Check {
    let words = "firewalld runs and refuses what it was not told of, devices' packets too";
    let fix = format!(
        "firewall-cmd --permanent --add-port={}/udp; firewall-cmd --permanent --zone=trusted --add-interface=pic0; \
         firewall-cmd --reload",
        choice.port
    );
    Check::new("firewalld", Level::Warn, words, fix)
}

/// Docker gives the chain FORWARD of iptables the policy DROP when it was the one to turn forwarding on.
fn docker(walls: &Firewalls) -> Check {
    let drops = |table: &str| walls.chains.iter().any(|c| c.drops && c.hook == "forward" && c.table == table);
    let families: Vec<&str> = [("ip filter", "iptables"), ("ip6 filter", "ip6tables")]
        .iter()
        .filter(|(t, _)| drops(t))
        .map(|(_, p)| *p)
        .collect();
    let rules = |programs: &[&str]| {
        let of = |program: &&str| {
            format!(
                "{program} -I DOCKER-USER -i pic0 -j ACCEPT; {program} -I DOCKER-USER -o pic0 -m conntrack --ctstate \
                 RELATED,ESTABLISHED -j ACCEPT"
            )
        };
        programs.iter().map(of).collect::<Vec<_>>().join("; ")
    };
    let lasting = "to keep them over reboots, add them as ExecStartPost= lines by `systemctl edit docker`";
    let published = "ports that Docker publishes stay reachable";
    match (families.is_empty(), walls.tables.is_some() && !walls.legacy) {
        (false, _) => {
            let words = format!(
                "Docker's chain FORWARD ({}) has the policy DROP, which drops what devices send through the cell; {published}",
                families.join(", ")
            );
            Check::new("docker", Level::Warn, words, format!("{}; {lasting}", rules(&families)))
        }
        (true, true) => Check::ok("docker", format!("is here and forwards for others, too; {published}")),
        (true, false) => {
            let words = format!(
                "Docker is here; if `iptables -S FORWARD` says \"-P FORWARD DROP\", devices reach only the cell; {published}"
            );
            Check::new("docker", Level::Note, words, format!("then: {}; {lasting}", rules(&["iptables"])))
        }
    }
}
