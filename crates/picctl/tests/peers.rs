//! `picctl peer`: what is asked of the agent, and where the configuration goes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kit::{Agent, answers};
use pic_api::operation::State;
use pic_api::peer::{PeerConfig, PeerList};

const ADD: &str = "POST /api/peers";

fn adding() -> Agent {
    Agent::start().on(ADD, answers::added(State::Kept))
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn add_prints_only_the_configuration_into_a_pipe() {
    let agent = adding();
    let ran = agent.run(&["peer", "add", "phone"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, answers::client_config(true).as_str()));
    insta::assert_snapshot!(ran.err);
    assert_eq!(
        agent.body(ADD),
        serde_json::json!({"name": "phone", "no_preshared": false, "tunnel": "full"})
    );
}

#[test]
fn add_sends_every_option() {
    let agent = adding();
    let args = "peer add phone --address 10.77.0.9 --allow internet,cell --expires 2099-01-01 --no-preshared --tunnel split";
    assert_eq!(agent.run(&args.split(' ').collect::<Vec<_>>()).code, 0);
    assert_eq!(
        agent.body(ADD),
        serde_json::json!({"name": "phone", "address": "10.77.0.9", "allow": ["internet", "cell"],
            "expires": "2099-01-01T00:00:00Z", "no_preshared": true, "tunnel": "split"})
    );
    agent.run(&["peer", "add", "phone", "--allow", "none", "--public-key", "K"]);
    assert_eq!(agent.body(ADD)["allow"], serde_json::json!([]));
    assert_eq!(agent.body(ADD)["public_key"], "K");
    agent.run(&["peer", "add", "phone", "--expires", "7d"]);
    let expires: jiff::Timestamp = agent.body(ADD)["expires"].as_str().unwrap().parse().unwrap();
    let ahead = expires.as_second() - jiff::Timestamp::now().as_second();
    assert!((7 * 86_400 - 60..=7 * 86_400).contains(&ahead), "{ahead}");
}

#[test]
fn add_writes_private_files_and_never_over_others() {
    let agent = adding();
    let args = ["peer", "add", "phone", "--out", "phone.conf", "--qr", "png"];
    let ran = agent.run(&args);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let (file, image) = (agent.path("phone.conf"), agent.path("phone.png"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), answers::client_config(true));
    assert!(std::fs::read(&image).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!((mode(&file), mode(&image)), (0o600, 0o600));
    // The second time nothing is asked of the agent: a key that has no place must not be made.
    let asked = agent.lines().len();
    assert_eq!(agent.run(&args).code, 2);
    assert_eq!(agent.run(&["peer", "add", "phone", "--out", "no/such/folder/x"]).code, 1);
    assert_eq!(agent.run(&["peer", "add", "../x", "--qr", "png"]).code, 2);
    assert_eq!(agent.lines().len(), asked);
    assert_eq!(agent.run(&[&args[..], &["--force"]].concat()).code, 0);
    // Nothing half-written stays behind: socket, configuration, image.
    assert_eq!(agent.folder.path().read_dir().unwrap().count(), 3);
}

#[test]
fn add_draws_svg_and_text() {
    let agent = adding();
    assert_eq!(agent.run(&["peer", "add", "phone", "--qr", "svg", "--qr-out", "x.svg"]).code, 0);
    assert!(std::fs::read_to_string(agent.path("x.svg")).unwrap().contains("<svg"));
    let ran = agent.run(&["peer", "add", "phone", "--qr", "text"]);
    assert!(ran.out.starts_with(&answers::client_config(true)), "{}", ran.out);
    assert!(ran.out.trim_end().ends_with("▀▀▀"), "{}", ran.out);
}

#[test]
fn add_shows_the_code_on_a_terminal() {
    let agent = adding();
    let ran = agent.on_terminal(&["peer", "add", "phone"], "");
    assert!(ran.out.contains('▀') && ran.out.contains("[Interface]"), "{}", ran.out);
    // However small the window is, what to scan and what to do with it are the last that it shows.
    let lines: Vec<&str> = ran.out.trim_end().lines().collect();
    let (last, above) = lines.split_last().unwrap();
    assert!(last.contains("Scan this") && last.trim_end().len() <= 80, "{last}");
    assert!(above.iter().rev().take(20).all(|line| line.contains(['█', '▀'])), "{}", ran.out);
    let ran = agent.on_terminal(&["peer", "add", "phone", "--qr", "none"], "");
    assert!(!ran.out.contains('▀'));
}

#[test]
fn a_device_with_its_own_key_gets_no_code() {
    let mut added = answers::added(State::Kept);
    added.config = answers::client_config(false);
    let agent = Agent::start().on(ADD, added);
    let ran = agent.run(&["peer", "add", "phone", "--public-key", "K"]);
    assert!(ran.err.contains("only the device knows"), "{}", ran.err);
    assert_eq!(agent.run(&["peer", "add", "phone", "--public-key", "K", "--qr", "text"]).code, 2);
}

#[test]
fn add_that_waits_for_confirmation_ends_with_4() {
    let agent = Agent::start().on(ADD, answers::added(State::AwaitingConfirm));
    let ran = agent.run(&["peer", "add", "phone"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("picctl confirm"), "{}", ran.err);
}

#[test]
fn add_as_json_as_plan_and_without_waiting() {
    let agent = adding()
        .on("POST /api/peers?plan=true", answers::plan())
        .on("POST /api/peers?wait=false", answers::added(State::Applying));
    let ran = agent.run(&["peer", "add", "phone", "--json"]);
    assert_eq!(ran.out, serde_json::to_string(&answers::added(State::Kept)).unwrap() + "\n");
    assert_eq!(ran.err, "");
    let ran = agent.run(&["peer", "add", "phone", "--plan"]);
    assert!(ran.code == 0 && ran.out.contains("2 steps"), "{}", ran.out);
    assert_eq!(agent.run(&["peer", "add", "phone", "--no-wait"]).code, 0);
    assert_eq!(agent.lines(), [ADD, "POST /api/peers?plan=true", "POST /api/peers?wait=false"]);
}

#[test]
fn a_refused_peer_ends_with_3() {
    let agent = Agent::start().refuse(ADD, &answers::invalid());
    let ran = agent.run(&["peer", "add", "phone"]);
    insta::assert_snapshot!(ran.all());
}

#[test]
fn list_and_show() {
    let mut off = answers::peer("tv");
    (off.enabled, off.active, off.allow) = (false, false, Vec::new());
    let list = PeerList { items: vec![answers::peer("phone"), off], total: 2, next: None };
    let agent = Agent::start()
        .on("GET /api/peers?limit=1000", &list)
        .on("GET /api/peers?q=a%20b&limit=1000", PeerList { items: Vec::new(), total: 0, next: None })
        .on("GET /api/peers/phone", answers::peer("phone"));
    insta::assert_snapshot!("list", agent.run(&["peer", "list"]).all());
    insta::assert_snapshot!("show", agent.run(&["peer", "show", "phone"]).all());
    assert!(agent.run(&["peer", "list", "a b"]).err.starts_with("No peers."));
    assert_eq!(agent.run(&["peer", "show", "../x"]).code, 1);
    assert_eq!(agent.lines().last().unwrap(), "GET /api/peers/%2E%2E%2Fx");
}

#[test]
fn list_walks_all_pages() {
    let page = |name, next: Option<&str>| PeerList {
        items: vec![answers::peer(name)],
        total: 3,
        next: next.map(str::to_owned),
    };
    let agent = Agent::start()
        .on("GET /api/peers?limit=1000", page("a", Some("c/1")))
        .on("GET /api/peers?limit=1000&cursor=c%2F1", page("b", Some("c2")))
        .on("GET /api/peers?limit=1000&cursor=c2", page("c", Some("c2")));
    let list: PeerList = serde_json::from_str(&agent.run(&["peer", "list", "--json"]).out).unwrap();
    assert_eq!(list.items.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(list.next, None);
}

#[test]
fn set_changes_grants_and_expiry() {
    let put = "PUT /api/peers/tv?wait=false";
    let agent = Agent::start()
        .on(put, answers::operation(State::Kept))
        .on("GET /api/peers/tv", answers::peer("tv"))
        .on("PUT /api/peers/tv?plan=true", answers::plan());
    let set = |args: &str| agent.run(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(set("peer set tv --allow cell --expires 2099-01-01").code, 0);
    assert_eq!(agent.body(put), serde_json::json!({"allow": ["cell"], "expires": "2099-01-01T00:00:00Z"}));
    assert_eq!(set("peer set tv --expires never").out, "Done: generation 5, 2 steps.\n");
    assert_eq!(agent.body(put), serde_json::json!({"expires": null}));
    assert_eq!(set("peer set tv --allow none").code, 0);
    assert_eq!(agent.body(put), serde_json::json!({"allow": []}));
    assert!(set("peer set tv --allow internet,cell --plan").out.contains("2 steps"));
    let asked = agent.lines().len();
    for line in [
        "peer set tv",
        "peer set tv --allow none,cell",
        "peer set tv --expires 2001-01-01",
        "peer set --allow cell",
    ] {
        assert_eq!(set(line).code, 2, "{line}");
    }
    assert_eq!(agent.lines().len(), asked);
}

#[test]
fn rename_enable_disable_and_remove() {
    let agent = Agent::start()
        .on("PUT /api/peers/tv?wait=false", answers::operation(State::Kept))
        .on("GET /api/peers/tv", answers::peer("tv"))
        .on("DELETE /api/peers/tv?wait=false", answers::operation(State::Kept));
    let put = "PUT /api/peers/tv?wait=false";
    assert_eq!(agent.run(&["peer", "rename", "tv", "screen"]).code, 0);
    assert_eq!(agent.body(put), serde_json::json!({"name": "screen"}));
    assert_eq!(agent.run(&["peer", "disable", "tv"]).out, "Done: generation 5, 2 steps.\n");
    assert_eq!(agent.body(put), serde_json::json!({"enabled": false}));
    assert_eq!(agent.run(&["peer", "enable", "tv"]).code, 0);
    assert_eq!(agent.body(put), serde_json::json!({"enabled": true}));
    // Nobody to ask: nothing removed.
    assert_eq!(agent.run(&["peer", "remove", "tv"]).code, 2);
    let ran = agent.on_terminal(&["peer", "remove", "tv"], "n\n");
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(!agent.lines().iter().any(|line| line.starts_with("DELETE")));
    assert_eq!(agent.run(&["peer", "remove", "tv", "--yes"]).code, 0);
    assert_eq!(agent.lines().last().unwrap(), "DELETE /api/peers/tv?wait=false");
    // Each change is of what was seen, and of nothing else.
    let changes = agent.asked().into_iter().filter(|asked| !asked.line.starts_with("GET"));
    for asked in changes {
        assert_eq!(asked.headers.get("if-match").map(String::as_str), Some("\"t-1\""), "{}", asked.line);
    }
}

#[test]
fn config_and_qr_with_the_devices_key() {
    let config = |tunnel: &str| PeerConfig {
        config: answers::client_config(false),
        endpoint: tunnel.into(),
        dns: Vec::new(),
    };
    let agent = Agent::start()
        .on("GET /api/peers/phone", answers::peer("phone"))
        .on("GET /api/peers/phone/config?tunnel=full", config("full"))
        .on("GET /api/peers/phone/config?tunnel=split", config("split"));
    assert_eq!(
        agent.run(&["peer", "config", "phone", "--tunnel", "split"]).out,
        answers::client_config(false)
    );
    let key = agent.file("phone.key", answers::private_key().expose_base64().as_str());
    let key = key.to_str().unwrap();
    let ran = agent.run(&["peer", "config", "phone", "--private-key-file", key]);
    assert_eq!(ran.out, answers::client_config(true));
    assert_eq!(agent.run(&["peer", "config", "phone", "--out", "x.conf"]).code, 0);
    assert_eq!(mode(&agent.path("x.conf")), 0o600);
    let ran = agent.run(&["peer", "qr", "phone", "--private-key-file", key]);
    assert!(ran.out.starts_with("███") && !ran.out.contains("PrivateKey"), "{}", ran.err);
    assert_eq!(agent.run(&["peer", "qr", "phone"]).code, 2);
    let other = agent.file("other.key", "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n");
    let ran = agent.run(&["peer", "qr", "phone", "--private-key-file", other.to_str().unwrap()]);
    assert!(ran.code == 2 && ran.err.contains("not the private key of phone"), "{}", ran.err);
    assert!(!ran.err.contains("YWFh"));
}
