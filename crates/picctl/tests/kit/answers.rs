//! Documents as the agent makes them, of its own types: the test breaks when the contract does.

use pic_api::config::Config;
use pic_api::history::{Generation, History};
use pic_api::operation::{Operation, Plan, State, Step};
use pic_api::peer::{Peer, PeerAdded};
use pic_api::problem::{Code, FieldError, ProblemDetails};
use pic_api::status::{CellStatus, Check, DomainStatus, Health3, Status, WireguardStatus};
use pic_model::key::PrivateKey;

pub const TOML: &str = "[cell]\nname = \"home\"\n";

/// A device's private key, only ever used here.
pub fn private_key() -> PrivateKey {
    PrivateKey::from_random([7; 32])
}

pub fn peer(name: &str) -> Peer {
    Peer {
        name: name.parse().unwrap(),
        public_key: private_key().public(),
        address: "10.77.0.2".parse().unwrap(),
        address6: Some("fd12:3456:789a:1::2".parse().unwrap()),
        fqdn: format!("{name}.home.cell"),
        groups: Vec::new(),
        allow: vec!["internet".into(), "cell".into()],
        exit: Vec::new(),
        leaves_by: "direct".into(),
        quota: None,
        rate: None,
        expires: None,
        enabled: true,
        active: true,
        preshared: true,
        endpoint: None,
        last_handshake: None,
        rx_bytes: 1536,
        tx_bytes: 5 << 30,
    }
}

pub fn client_config(private: bool) -> String {
    let key = private_key();
    let line = if private {
        format!("PrivateKey = {}", key.expose_base64().as_str())
    } else {
        "# PrivateKey = the device's own".to_owned()
    };
    format!(
        "[Interface]\n{line}\nAddress = 10.77.0.2/32\nDNS = 10.77.0.1\n\n[Peer]\nPublicKey = {0}\nPresharedKey = {0}\nEndpoint = 203.0.113.7:51820\nAllowedIPs = 0.0.0.0/0, ::/0\n",
        key.public()
    )
}

pub fn plan() -> Plan {
    Plan {
        id: "ab12".into(),
        steps: vec![
            Step {
                domain: "wireguard".into(),
                words: "listen on udp/51821".into(),
                why: "wireguard.port".into(),
            },
            Step {
                domain: "firewall".into(),
                words: "replace table inet pic".into(),
                why: "wireguard.port".into(),
            },
        ],
        total: 2,
        risks: vec!["the port that peers dial changes".into()],
        grants: vec!["tablet loses nas:tcp/445".into()],
        notes: vec!["all names change".into()],
        diff: "@@ -1 +1 @@\n-port = 51820\n+port = 51821\n".into(),
    }
}

pub fn operation(state: State) -> Operation {
    let (words, confirm_in) = match state {
        State::AwaitingConfirm => ("waiting", Some(90)),
        State::Reverted => ("the firewall did not take the table", None),
        _ => ("step 1 of 2", None),
    };
    Operation {
        id: "op-5".into(),
        generation: 5,
        state,
        words: words.into(),
        plan: plan(),
        done: 1,
        deadline_in: confirm_in,
        phase: None,
        percent: None,
        log_tail: Vec::new(),
        result: None,
    }
}

pub fn added(state: State) -> PeerAdded {
    PeerAdded { peer: peer("phone"), config: client_config(true), operation: operation(state) }
}

pub fn config() -> Config {
    Config { generation: 4, toml: TOML.into(), etag: "4-cafe".into(), edited: false }
}

pub fn status() -> Status {
    Status {
        state: Health3::Degraded,
        version: "0.1.0".into(),
        cell: CellStatus {
            name: "home".into(),
            zone: "home.cell".into(),
            address: "10.77.0.1".into(),
            address6: Some("fd12:3456:789a:1::1".into()),
            endpoint: Some("203.0.113.7:51820".into()),
            uplink: Some("eth0".into()),
        },
        generation: 4,
        edited: true,
        file_errors: Vec::new(),
        pending: None,
        taken_back: None,
        domains: vec![
            DomainStatus { domain: "link".into(), state: Health3::Ok, words: String::new(), repairs: 0 },
            DomainStatus {
                domain: "firewall".into(),
                state: Health3::Degraded,
                words: "somebody removes \u{1b}[2J our table".into(),
                repairs: 12,
            },
        ],
        wireguard: WireguardStatus {
            backend: "userspace".into(),
            interface: "pic0".into(),
            port: 51820,
            public_key: private_key().public().to_string(),
            peers: 3,
            peers_online: 1,
        },
        turned_away: None,
        queues: Vec::new(),
        last_reconcile: None,
        uptime_seconds: 7200,
    }
}

pub fn checks(worst: Health3) -> Vec<Check> {
    let check = |name: &str, state, words: &str, fix: &str| Check {
        name: name.into(),
        state,
        words: words.into(),
        fix: fix.into(),
    };
    vec![
        check("clock", Health3::Ok, "in step", ""),
        check("endpoint", worst, "nothing answers on udp/51820", "forward the port on your router"),
    ]
}

pub fn history() -> History {
    let item = |number, author: &str, reason: &str, state: &str, current| Generation {
        number,
        at: "2026-11-22T14:00:00Z".into(),
        author: author.into(),
        reason: reason.into(),
        current,
        state: state.into(),
    };
    History {
        total: 3,
        next: None,
        items: vec![
            item(4, "root", "add peer phone", "kept", true),
            item(3, "alice", "other port", "reverted", false),
            item(2, "root", "first", "kept", false),
        ],
    }
}

pub fn problem(code: Code, detail: &str) -> ProblemDetails {
    ProblemDetails::new(code, detail, "r-1")
}

pub fn invalid() -> ProblemDetails {
    let mut problem = problem(Code::Invalid, "1 problem in cell.toml");
    problem.errors.push(FieldError {
        pointer: "/wireguard/ipv4".into(),
        line: 4,
        column: 8,
        code: "overlap".into(),
        message: "10.77.0.0/16 overlaps a route of this host".into(),
        hint: "choose another network".into(),
    });
    problem
}
