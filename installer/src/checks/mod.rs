//! What a person should know before anything is touched. Pure: facts and choice in, findings out.

mod firewall;
mod machine;
mod network;

use serde::Serialize;

use crate::choice::Choice;
use crate::facts::Facts;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Something will not work until it is done.
    Warn,
    /// Cannot be installed like this.
    Stop,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was looked at.
    pub(crate) name: &'static str,
    /// How much it matters.
    pub(crate) level: Level,
    /// What was found.
    pub(crate) words: String,
    /// What to do; empty when nothing is.
    #[serde(rename = "do")]
    pub(crate) fix: String,
}

impl Check {
    fn new(name: &'static str, level: Level, words: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, level, words: words.into(), fix: fix.into() }
    }

    fn ok(name: &'static str, words: impl Into<String>) -> Self {
        Self::new(name, Level::Ok, words, "")
    }

    fn note(name: &'static str, words: impl Into<String>) -> Self {
        Self::new(name, Level::Note, words, "")
    }
}

/// Whether the cell is there already: then what it holds is its own, and choices are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    New,
    Existing,
}

/// Every finding, in the order of reading.
pub(crate) fn all(facts: &Facts, choice: &Choice, cell: Cell) -> Vec<Check> {
    let mut checks = machine::checks(&facts.machine, &facts.host);
    checks.extend(network::checks(facts, choice, cell));
    checks.extend(firewall::checks(facts, choice));
    checks
}

/// Whether one of them forbids to go on.
pub(crate) fn forbid(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.level == Level::Stop)
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;
    use pic_drivers::host::HostFacts;
    use pic_plan::facts::{HostNetwork, UplinkFacts};

    use super::*;
    use crate::choice::choose;
    use crate::facts::{BaseChain, Firewalls, Listener, Machine, Owner, Resolver, Session};
    use crate::options::{Options, port};

    pub(crate) fn options(line: &[&str]) -> Options {
        Options::try_parse_from(std::iter::once(&"x").chain(line)).unwrap()
    }

    pub(crate) fn listener(port_words: &str, address: &str, name: &str) -> Listener {
        let owner = Some(Owner { name: name.to_owned(), pid: 812 });
        Listener { port: port(port_words).unwrap(), address: address.parse().unwrap(), owner }
    }

    /// A fresh VPS, reached by SSH.
    pub(crate) fn facts() -> Facts {
        let network = |network: &str, interface: &str| HostNetwork {
            network: network.parse().unwrap(),
            interface: interface.to_owned(),
        };
        Facts {
            host: HostFacts {
                uplink: Some(UplinkFacts {
                    interface: "eth0".parse().unwrap(),
                    ipv4: "203.0.113.10".parse().ok(),
                    ipv6: "2001:db8:1::10".parse().ok(),
                    routes6: true,
                }),
                resolvers: vec!["198.51.100.53".parse().unwrap()],
                host_networks: vec![network("172.17.0.0/16", "docker0"), network("203.0.113.0/24", "eth0")],
                interfaces: Default::default(),
                advertised: Default::default(),
            },
            listeners: vec![listener("tcp/22", "0.0.0.0", "sshd")],
            wireguard: Vec::new(),
            firewalls: Firewalls { tables: Some(Vec::new()), ..Firewalls::default() },
            machine: Machine {
                disk_free: Some(20 << 30),
                memory_free: Some(1 << 30),
                now: 1_800_000_000,
                built: 1_790_000_000,
                timezone: Some("Europe/Paris".to_owned()),
                kernel_wireguard: true,
                tun: true,
                systemd: true,
                resolver: Resolver::File,
            },
            session: Some(Session {
                from: "192.0.2.7".parse().unwrap(),
                from_port: 50_000,
                to: "203.0.113.10".parse().unwrap(),
                port: 22,
            }),
        }
    }

    fn found(facts: &Facts, line: &[&str]) -> Vec<String> {
        let choice = choose(facts, &options(line)).unwrap();
        let all = all(facts, &choice, Cell::New);
        let kept = all.iter().filter(|check| check.level > Level::Ok);
        kept.map(|check| format!("{:?} {}: {} | {}", check.level, check.name, check.words, check.fix))
            .collect()
    }

    fn has(facts: &Facts, start: &str, words: &str) {
        let found = found(facts, &[]);
        assert!(
            found.iter().any(|f| f.starts_with(start) && f.contains(words)),
            "{start} {words} in {found:#?}"
        );
    }

    #[test]
    fn a_fresh_vps_has_nothing_to_mind() {
        assert_eq!(found(&facts(), &[]), Vec::<String>::new());
    }

    #[test]
    fn disk_memory_clock_kernel() {
        let mut facts = facts();
        facts.machine.disk_free = Some(199 << 20);
        facts.machine.memory_free = Some(60 << 20);
        facts.machine.now = 5;
        facts.machine.kernel_wireguard = false;
        has(&facts, "Stop disk", "199 MB");
        has(&facts, "Warn memory", "60 MB");
        has(&facts, "Warn clock", "1970-01-01");
        has(&facts, "Note wireguard", "as a program");
        facts.machine.disk_free = Some(900 << 20);
        facts.machine.tun = false;
        has(&facts, "Warn disk", "900 MB");
        has(&facts, "Stop wireguard", "/dev/net/tun");
        facts.machine.systemd = false;
        has(&facts, "Stop systemd", "systemd");
    }

    #[test]
    fn ports_and_networks() {
        let mut facts = facts();
        facts.listeners.push(listener("udp/51820", "0.0.0.0", "other"));
        facts.listeners.push(listener("udp/53", "0.0.0.0", "dnsmasq"));
        facts.listeners.push(listener("tcp/80", "::", "nginx"));
        facts
            .host
            .host_networks
            .push(HostNetwork { network: "10.77.0.0/16".parse().unwrap(), interface: "tun5".into() });
        facts.wireguard.push("wg0".into());
        has(&facts, "Note port", "other (process 812) has udp/51820");
        has(&facts, "Stop names", "dnsmasq (process 812)");
        has(&facts, "Warn outside", "tcp/80 (nginx)");
        has(&facts, "Warn outside", "--open tcp/80");
        has(&facts, "Note network", "10.77.0.0/16 is tun5's");
        has(&facts, "Note wireguard", "wg0");
        facts
            .host
            .host_networks
            .push(HostNetwork { network: "10.0.0.0/8".parse().unwrap(), interface: "a".into() });
        facts
            .host
            .host_networks
            .push(HostNetwork { network: "172.16.0.0/12".parse().unwrap(), interface: "a".into() });
        facts
            .host
            .host_networks
            .push(HostNetwork { network: "192.168.0.0/16".parse().unwrap(), interface: "a".into() });
        has(&facts, "Stop network", "every private network");
    }

    #[test]
    fn a_listener_on_its_own_address_is_no_obstacle() {
        let mut facts = facts();
        facts.listeners.push(listener("udp/53", "127.0.0.53", "systemd-resolve"));
        facts.listeners.push(listener("udp/53", "172.17.0.1", "dnsmasq"));
        assert_eq!(found(&facts, &[]), Vec::<String>::new());
    }

    #[test]
    fn other_firewalls() {
        let chain = |table: &str, name: &str, hook: &str| BaseChain {
            table: table.into(),
            name: name.into(),
            hook: hook.into(),
            drops: true,
        };
        let mut facts = facts();
        facts.firewalls.docker = true;
        facts.firewalls.tables = Some(vec!["ip filter".into()]);
        facts.firewalls.chains = vec![chain("ip filter", "FORWARD", "forward")];
        has(&facts, "Warn docker", "iptables -I DOCKER-USER -i pic0 -j ACCEPT");
        assert!(!found(&facts, &[]).iter().any(|f| f.starts_with("Warn nftables")), "said once");
        facts.firewalls.docker = false;
        has(&facts, "Warn nftables", "nft insert rule ip filter FORWARD iifname pic0 accept");
        facts.firewalls.chains = vec![chain("inet mine", "in", "input")];
        has(&facts, "Warn nftables", "nft insert rule inet mine in udp dport 51820 accept");
        facts.firewalls.ufw = true;
        has(&facts, "Warn ufw", "ufw allow 51820/udp");
        facts.firewalls.firewalld = true;
        has(&facts, "Warn firewalld", "--add-port=51820/udp");
    }

    #[test]
    fn no_way_out() {
        let mut facts = facts();
        facts.host.uplink = None;
        facts.host.resolvers.clear();
        has(&facts, "Warn uplink", "no default route");
        has(&facts, "Warn resolver", "dns.upstreams");
        facts.session = None;
        facts.host.uplink = self::facts().host.uplink;
        facts.host.uplink.as_mut().unwrap().ipv4 = "192.168.1.5".parse().ok();
        facts.host.uplink.as_mut().unwrap().ipv6 = None;
        has(&facts, "Note uplink", "forward udp/51820");
        has(&facts, "Note ipv6", "no IPv6");
        let warned =
            |endpoint: &str| found(&facts, &[endpoint]).iter().any(|f| f.starts_with("Warn endpoint"));
        assert!(warned("--endpoint=192.168.1.5") && !warned("--endpoint=vpn.example.org"));
    }
}
