//! From nothing to a cell and back.

use nix::sys::signal::Signal;
use pic_api::client::Wait;
use pic_api::peer::NewPeer;

use crate::stage::{attempt, network, on_a_host, run, wait_for};

fn phone() -> NewPeer {
    serde_json::from_str("{\"name\":\"phone\"}").unwrap()
}

#[test]
fn a_cell_comes_answers_and_goes_without_a_trace() {
    on_a_host(|stage| {
        run("sysctl -qw net.ipv4.conf.all.accept_redirects=0");
        // A host that forwards what comes in by one interface alone, as for a container.
        run("sysctl -qw net.ipv4.conf.up1.forwarding=1 net.ipv6.conf.up1.forwarding=1");
        let before = network();
        let mut agent = stage.agent();
        let added = agent.ask(async |client| client.add_peer(&phone(), Wait::Settled).await).unwrap().value;
        assert_eq!(added.peer.address.to_string(), "10.77.0.2");

        let shown = run("wg show pic0");
        assert!(
            shown.contains(&added.peer.public_key.to_string()) && shown.contains("10.77.0.2/32"),
            "{shown}"
        );
        assert!(run("ip -br addr show pic0").contains("10.77.0.1/16"));
        let rules = run("ip rule") + &run("ip -6 rule");
        assert_eq!(rules.matches("iif pic0").count(), 8, "{rules}");
        assert!(run("nft list set inet pic internet4").contains("10.77.0.2"));
        assert_eq!(run("sysctl -n net.ipv4.ip_forward").trim(), "1");
        let dig = |name: &str| attempt(&format!("dig +time=1 +tries=1 +short @10.77.0.1 {name}")).1;
        wait_for("the name of the cell", || dig("home.cell").trim() == "10.77.0.1");
        wait_for("the name of the phone", || dig("phone.home.cell").trim() == "10.77.0.2");
        let status = agent.ask(async |client| client.status().await).unwrap().value;
        assert_eq!((status.generation, status.wireguard.peers), (2, 1));
        assert_eq!(status.cell.uplink.as_deref(), Some("up0"));
        let checks = agent.ask(async |client| client.doctor().await).unwrap().value;
        assert!(checks.iter().any(|check| check.name == "forwarding" && check.words.starts_with("on")));
        assert!(agent.own_kib() < 20 * 1024, "{} KiB", agent.own_kib());

        assert!(!stage.log().contains(key(&added.config)), "the private key is in the log");
        let (ok, words) = stage.call("teardown");
        assert!(!ok && words.contains("systemctl stop pic-agent"), "{words}");

        let as_cell = network();
        assert!(agent.signal(Signal::SIGTERM), "the agent did not end well");
        assert_eq!(network(), as_cell, "the end of the agent changed something");
        let (ok, words) = stage.call("teardown");
        assert!(ok && words.contains("remove firewall table"), "{words}");
        assert_eq!(network(), before);
        assert!(!stage.at("state/originals.json").exists() && !stage.at("state/dns/zone.json").exists());
        let (ok, words) = stage.call("teardown");
        assert!(ok && words.contains("nothing of the cell"), "{words}");
    });
}

#[test]
fn a_name_server_without_its_port_is_told_with_who_has_it() {
    on_a_host(|stage| {
        let taken = std::net::UdpSocket::bind("0.0.0.0:53").unwrap();
        let mut agent = stage.agent();
        let dns = |agent: &crate::stage::Agent<'_>| {
            let checks = agent.ask(async |client| client.doctor().await).unwrap().value;
            checks.into_iter().find(|check| check.name == "dns").unwrap()
        };
        wait_for("the finding", || dns(&agent).words.contains("10.77.0.1:53 is held by"));
        let found = dns(&agent);
        assert!(found.words.contains(&format!("(process {})", std::process::id())), "{}", found.words);
        assert!(found.fix.contains("ss -lntup"), "{}", found.fix);
        let mode = std::fs::metadata("/run/pic-dns/status.json").unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o644);
        drop(taken);
        wait_for("the name server", || dns(&agent).words.starts_with("answers at 10.77.0.1:53"));
        agent.signal(Signal::SIGTERM);
        assert!(stage.call("teardown").0);
    });
}

fn key(config: &str) -> &str {
    config.lines().find_map(|line| line.strip_prefix("PrivateKey = ")).unwrap()
}

#[test]
fn killed_and_started_again_changes_nothing() {
    on_a_host(|stage| {
        let mut agent = stage.agent();
        agent.ask(async |client| client.add_peer(&phone(), Wait::Settled).await).unwrap();
        let tunnel = std::fs::read_to_string("/run/pic/pic-wg.service.pid").unwrap();
        let names = std::fs::read_to_string("/run/pic/pic-dns.service.pid").unwrap();
        let before = network();
        for _ in 0..3 {
            kill_hard(&mut agent);
            assert_eq!(network(), before);
            std::mem::forget(std::mem::replace(&mut agent, stage.agent()));
            let last = agent.ask(async |client| client.status().await).unwrap().value;
            assert_eq!(last.last_reconcile.unwrap().steps, 0);
            assert_eq!(network(), before);
        }
        assert_eq!(std::fs::read_to_string("/run/pic/pic-wg.service.pid").unwrap(), tunnel);
        assert_eq!(std::fs::read_to_string("/run/pic/pic-dns.service.pid").unwrap(), names);
        agent.signal(Signal::SIGTERM);
        assert!(stage.call("teardown").0);
    });
}

fn kill_hard(agent: &mut crate::stage::Agent<'_>) {
    assert!(!agent.signal(Signal::SIGKILL));
}

#[test]
fn one_agent_at_a_time_and_a_hangup_means_nothing() {
    on_a_host(|stage| {
        let mut agent = stage.agent();
        let (ok, words) = stage.call("run");
        assert!(
            !ok && words.contains(&format!("another pic-agent (process {}) is running", agent.pid())),
            "{words}"
        );
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(agent.pid()).unwrap()),
            Signal::SIGHUP,
        )
        .unwrap();
        agent.ask(async |client| client.health().await).unwrap();
        assert!(agent.signal(Signal::SIGTERM));
        assert!(stage.call("teardown").0);
    });
}

#[test]
fn a_damaged_key_is_never_replaced() {
    on_a_host(|stage| {
        let mut agent = stage.agent();
        agent.signal(Signal::SIGTERM);
        let key = stage.at("state/secrets/wireguard.key");
        pic_drivers::files::write_atomic(&key, b"garbage\n", 0o600).unwrap();
        let before = network();
        let mut again = stage.agent_whatever();
        wait_for("the refusal", || stage.log().contains("does not hold a key"));
        assert_eq!(std::fs::read(&key).unwrap(), b"garbage\n");
        assert_eq!(network(), before);
        let status = again.ask(async |client| client.status().await).unwrap().value;
        assert!(
            status.domains.iter().all(|domain| domain.words.contains("wireguard.key")),
            "{:?}",
            status.domains
        );
        let checks = again.ask(async |client| client.doctor().await).unwrap().value;
        assert!(checks.iter().any(|check| check.words.contains("put it back from a backup")));
        again.signal(Signal::SIGTERM);
    });
}
