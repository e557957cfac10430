use pic_model::config::parse;

use super::*;
use crate::compile::compile;
use crate::facts::{HostNetwork, UplinkFacts};

const CELL: &str = r#"
[cell]
name = "home"
[wireguard]
ipv6 = "fd00:77::/64"
[firewall]
admin = ["198.51.100.7"]
[[group]]
name = "admins"
[[peer]]
name = "laptop"
public_key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
address = "10.77.0.2"
allow = ["internet"]
groups = ["admins"]
[[grant]]
from = ["admins"]
to = ["ssh", "dns"]
"#;

fn facts() -> Facts {
    Facts {
        uplink: Some(UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 9].into()),
            ipv6: None,
            routes6: false,
        }),
        host_networks: vec![HostNetwork {
            network: "203.0.113.0/24".parse().unwrap(),
            interface: "eth0".into(),
        }],
        ..crate::memory::facts()
    }
}

fn session(from: &str, to: &str) -> Option<Session> {
    Some(Session { from: from.parse().unwrap(), from_port: 0, to: to.parse().unwrap(), port: 22 })
}

/// What is lost by going from the cell to another text.
fn told(to: &str, session: Option<Session>) -> Vec<String> {
    let facts = facts();
    let [before, after] = [CELL, to].map(|text| parse(text).unwrap_or_else(|error| panic!("{error}")));
    let targets = [&before, &after].map(|desired| compile(Some(desired), &facts));
    let state = |desired, targets| State { desired, targets, facts: &facts };
    let risks = lost(state(&before, &targets[0]), state(&after, &targets[1]), session);
    risks.into_iter().map(|risk| risk.words).collect()
}

#[test]
fn a_session_by_the_tunnel_is_lost_by_its_grant_its_group_and_its_device() {
    let tunnel = session("10.77.0.2", "10.77.0.1");
    assert_eq!(told(CELL, tunnel), Vec::<String>::new());
    let ungranted = CELL.replace("to = [\"ssh\", \"dns\"]", "to = [\"dns\"]");
    let words = told(&ungranted, tunnel);
    assert_eq!(words.len(), 1, "{words:?}");
    assert!(words[0].starts_with("your own way in closes: 10.77.0.2 to 10.77.0.1:22 ("), "{words:?}");
    assert!(words[0].contains("everything else from peers"), "{words:?}");
    for by in ["", "groups = [\"admins\"]\nenabled = false\n"] {
        let words = told(&CELL.replace("groups = [\"admins\"]\n", by), tunnel);
        assert!(words.iter().any(|words| words.starts_with("your own way in")), "{by}: {words:?}");
        let names = words.iter().any(|words| words.starts_with("your way to names"));
        assert_eq!(names, by.contains("enabled"), "names are for whoever is let in: {words:?}");
    }
    // Another one's session does not ride on that grant.
    assert_eq!(told(&ungranted, session("203.0.113.50", "203.0.113.9")), Vec::<String>::new());
    assert_eq!(told(&ungranted, None), Vec::<String>::new());
}

#[test]
fn a_forward_of_the_port_that_somebody_came_by_leads_them_elsewhere() {
    let cell = CELL.replace("[firewall]", "[firewall]\nssh = [22, 2222]");
    let forward = "[[forward]]\nlisten = \"tcp/8022\"\nto = \"laptop:22\"\n";
    let facts = facts();
    let [before, after] = [cell.replace("ssh = [22, 2222]", "open = [\"tcp/8022\"]"), cell + forward]
        .map(|text| parse(&text).unwrap_or_else(|error| panic!("{error}")));
    let targets = [&before, &after].map(|desired| compile(Some(desired), &facts));
    let state = |desired, targets| State { desired, targets, facts: &facts };
    let own = Session { port: 8022, ..session("203.0.113.50", "203.0.113.9").unwrap() };
    let risks = lost(state(&before, &targets[0]), state(&after, &targets[1]), Some(own));
    assert!(risks[0].words.contains("on to 10.77.0.2:22"), "{risks:?}");
}

#[test]
fn an_admin_who_is_not_here_is_thought_of() {
    let words = told(&CELL.replace("[firewall]", "[firewall]\nssh = []"), None);
    assert_eq!(words.len(), 1, "{words:?}");
    let start = "the way in of an admin closes: 198.51.100.7 to 203.0.113.9:22";
    assert!(words[0].starts_with(start), "{words:?}");
}
