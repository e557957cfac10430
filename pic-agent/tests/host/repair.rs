//! Somebody breaks the cell: it is whole again within two seconds.

use std::time::Duration;

use crate::stage::{attempt, network, on_a_host, run, wait_for};

#[test]
fn what_is_removed_comes_back() {
    on_a_host(|stage| {
        let agent = stage.agent();
        let whole = without_index(&network());
        for deed in [
            "nft flush ruleset",
            "nft delete table inet pic",
            "nft flush chain inet pic forward",
            "nft add element inet pic internet4 { 10.77.9.9 }",
            "ip rule flush",
            "ip -6 rule flush",
            "ip route flush table 7700",
            "ip -6 route flush table 7700",
            "ip link set pic0 down",
            "ip addr flush dev pic0",
            "ip link del pic0",
        ] {
            run(deed);
            let took = wait_for(&format!("{deed} to be repaired"), || without_index(&network()) == whole);
            assert!(took < Duration::from_secs(2), "{deed}: {took:?}");
        }
        let (answered, _) = attempt("dig +time=2 +tries=2 +short @10.77.0.1 home.cell");
        assert!(answered);
        let status = agent.ask(async |client| client.status().await).unwrap().value;
        let repairs =
            |name: &str| status.domains.iter().find(|domain| domain.domain == name).unwrap().repairs;
        assert!(repairs("firewall") >= 4 && repairs("rule") >= 2, "{:?}", status.domains);
    });
}

/// A device made anew has a new link-local address.
fn without_index(text: &str) -> String {
    text.lines()
        .filter(|line| !(line.contains("fe80") && line.contains("pic0")))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Our own changes are heard as well; they must not keep us busy.
#[test]
fn nothing_happens_when_nothing_happens() {
    on_a_host(|stage| {
        let agent = stage.agent();
        let ticks = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", agent.pid())).unwrap();
            let fields: Vec<u64> = stat
                .rsplit(')')
                .next()
                .unwrap()
                .split_whitespace()
                .filter_map(|field| field.parse().ok())
                .collect();
            fields[10] + fields[11]
        };
        std::thread::park_timeout(Duration::from_secs(1));
        let before = ticks();
        std::thread::park_timeout(Duration::from_secs(3));
        assert!(ticks() - before <= 5, "{} ticks of 10 ms in 3 s", ticks() - before);
    });
}
