//! Commands that only look.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use kit::{Agent, answers};
use pic_api::history::Diff;
use pic_api::status::{Health, Health3, Queue, TakenBack};

#[test]
fn status_for_a_person() {
    let agent = Agent::start().on("GET /api/status", answers::status());
    insta::assert_snapshot!(agent.run(&["status"]).all());
}

#[test]
fn status_says_what_was_taken_back_and_what_to_do() {
    let mut status = answers::status();
    status.edited = false;
    status.taken_back = Some(TakenBack {
        generation: 5,
        at: Some("2026-11-22T14:00:00Z".into()),
        author: "alice".into(),
        reason: "set wireguard.port".into(),
        words: "nobody confirmed in time; the previous state is back".into(),
    });
    let agent = Agent::start().on("GET /api/status", &status);
    let said = agent.run(&["status"]).out;
    for words in [
        "Not kept: generation 5 (by alice, set wireguard.port) was taken back ",
        " d ago: nobody confirmed in time; the previous state is back.\n",
        "`picctl diff 4 5`",
        "`picctl rollback 5`",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
}

#[test]
fn status_says_which_queue_a_line_has() {
    let mut status = answers::status();
    let queue = |interface: &str, kind: &str| Queue {
        interface: interface.into(),
        rate: "40mbit".into(),
        kind: kind.into(),
    };
    status.queues = vec![queue("eth0", "htb"), queue("eth1", "none"), queue("pic0", "htb")];
    let said = Agent::start().on("GET /api/status", &status).run(&["status"]).out;
    let words = "eth0 40mbit, pic0 40mbit (HTB, the kernel has no CAKE); eth1 40mbit (not in force)";
    assert!(said.contains(words), "{said}");
}

#[test]
fn status_names_the_lines_of_a_file_that_cannot_be_applied() {
    let mut status = answers::status();
    status.file_errors = answers::invalid().errors;
    let agent = Agent::start().on("GET /api/status", &status);
    let said = agent.run(&["status"]).out;
    for words in [
        "/etc/pic/cell.toml was edited and cannot be applied. Generation 4, the last good one, stays in force.\n",
        "/etc/pic/cell.toml:4:8: wireguard.ipv4: 10.77.0.0/16 overlaps a route of this host; choose another network\n",
        "`picctl config discard`",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
}

#[test]
fn json_is_the_apis_own_byte_for_byte() {
    // With a field this program does not know and spaces it would not write.
    let body = serde_json::to_string(&answers::status()).unwrap().replacen('{', "{ \"new\" : [1],  ", 1);
    let agent = Agent::start().reply("GET /api/status", 200, "application/json", body.clone());
    let ran = agent.run(&["status", "--json"]);
    assert_eq!((ran.code, ran.out, ran.err), (0, format!("{body}\n"), String::new()));
    assert_eq!(agent.asked()[0].headers["pic-api"], "1");
}

#[test]
fn doctor_fails_only_when_a_check_failed() {
    let agent = Agent::start().on("GET /api/doctor", answers::checks(Health3::Degraded));
    insta::assert_snapshot!(agent.run(&["doctor"]).all());
    let agent = Agent::start().on("GET /api/doctor", answers::checks(Health3::Failed));
    assert_eq!(agent.run(&["doctor", "--json"]).code, 1);
}

#[test]
fn history_is_cut_and_says_so() {
    let mut cut = answers::history();
    cut.items.pop();
    let agent =
        Agent::start().on("GET /api/history?limit=2", &cut).on("GET /api/history", answers::history());
    insta::assert_snapshot!(agent.run(&["history", "-n", "2"]).all());
    assert_eq!(agent.run(&["history", "-n", "0"]).out.lines().count(), 3);
    let json = agent.run(&["history", "-n", "2", "--json"]).out;
    assert_eq!(json, serde_json::to_string(&cut).unwrap() + "\n");
}

/// People get columns with heads, programs a line per row with tabs.
#[test]
fn tables_are_for_terminals() {
    let agent = Agent::start().on("GET /api/history", answers::history());
    let piped = agent.run(&["history", "-n", "0"]).out;
    assert_eq!(piped.lines().next(), Some("4\t2026-11-22T14:00:00Z\troot\tkept, in force\tadd peer phone"));
    let shown = agent.on_terminal(&["history", "-n", "0", "--color", "never"], "").out;
    assert!(shown.starts_with("N  WHEN") && !shown.contains('\t') && shown.lines().count() == 4, "{shown}");
}

#[test]
fn diff_chooses_its_ends() {
    let diff = |from, to| Diff { from, to, diff: "-a\n+b\n".into() };
    let agent = Agent::start()
        .on("GET /api/status", answers::status())
        .on("GET /api/history/4/diff/0", diff(4, 0))
        .on("GET /api/history/2/diff/4", diff(2, 4))
        .on("GET /api/history/2/diff/3", Diff { from: 2, to: 3, diff: String::new() });
    assert_eq!(agent.run(&["diff"]).out, "-a\n+b\n");
    assert_eq!(agent.run(&["diff", "2"]).out, "-a\n+b\n");
    assert_eq!(agent.run(&["diff", "2", "3"]).err, "No difference.\n");
    assert_eq!(agent.run(&["diff", "2", "--color", "always"]).out, "\x1b[31m-a\x1b[0m\n\x1b[32m+b\x1b[0m\n");
    assert_eq!(agent.run(&["diff", "9", "10"]).code, 1);
}

#[test]
fn config_show_and_export_go_out_as_they_are() {
    let mut config = answers::config();
    config.edited = true;
    config.toml.push_str("# \u{1b}[31m\n");
    let agent =
        Agent::start().on("GET /api/config", &config).on("GET /api/export", serde_json::json!({"cell": 1}));
    let ran = agent.run(&["config", "show"]);
    assert_eq!(ran.out, config.toml);
    assert!(ran.err.contains("picctl diff"), "{}", ran.err);
    assert!(!agent.on_terminal(&["config", "show"], "").out.contains("# \u{1b}"));
    assert_eq!(agent.run(&["export"]).out, "{\"cell\":1}\n");
}

#[test]
fn version_works_without_an_agent() {
    let health = Health { status: "ok".into(), version: "0.0.9".into() };
    let agent = Agent::start().on("GET /health", health);
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(agent.run(&["version"]).out, format!("picctl {own}\nagent 0.0.9\n"));
    let ran = agent.run(&["version", "--json", "--socket", "/no/such"]);
    assert_eq!((ran.code, ran.out), (0, format!("{{\"picctl\":\"{own}\",\"agent\":null}}\n")));
}

#[test]
fn completions_for_every_shell() {
    let agent = Agent::start();
    for shell in ["bash", "zsh", "fish"] {
        let ran = agent.run(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("rollback"), "{shell}");
    }
    assert_eq!(agent.run(&["completions", "cmd"]).code, 2);
}

#[test]
fn logs_become_journalctl() {
    let agent = Agent::start();
    let fake = agent.file("journalctl", "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n");
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let run = |args: &[&str], path: &std::path::Path| {
        let mut command = agent.command(args);
        command.env("PATH", path);
        kit::finish(command)
    };
    let ran = run(&["logs"], agent.folder.path());
    assert_eq!((ran.code, ran.out.as_str()), (7, "--unit\npic-*.service\n--lines=100\n--pager-end\n"));
    let ran = run(&["logs", "-f", "--unit", "dns", "-n", "5", "--json"], agent.folder.path());
    assert_eq!(ran.out, "--unit\npic-dns.service\n--lines=5\n--follow\n--output=json\n");
    let ran = run(&["logs", "--since", "1 hour ago"], agent.folder.path());
    assert!(ran.out.contains("\n--since=1 hour ago\n"), "{}", ran.out);
    let ran = run(&["logs"], std::path::Path::new("/nowhere"));
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("cannot run journalctl"), "{}", ran.err);
}

#[test]
fn events_are_lines_until_enough() {
    let event = |id: u32, json: &str| format!("id: r-{id}\nevent: x\ndata: {json}\n\n");
    let at = "2026-11-22T14:00:00Z";
    let status = format!(r#"{{"kind":"status","at":"{at}","state":"ok","words":"","generation":4}}"#);
    let news = format!(r#"{{"kind":"dance","at":"{at}"}}"#);
    let step = format!(
        r#"{{"kind":"operation","at":"{at}","id":"op-5","state":"applying","percent":40,"words":"a\u001bb"}}"#
    );
    let body = event(1, &status) + ": still here\n\n" + &event(2, &news) + &event(3, &step);
    let agent = Agent::start().reply("GET /api/events", 200, "text/event-stream", body);
    let ran = agent.run(&["events", "-n", "3"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, &*format!("{at} the cell is ok, generation 4\n{at} op-5 applying 40 %: a\\u{{1b}}b\n"))
    );
    assert_eq!(agent.run(&["events", "-n", "2", "--json"]).out, format!("{status}\n{news}\n"));
    // Goes on behind the last one it saw.
    assert_eq!(agent.run(&["events", "-n", "4"]).code, 0);
    assert_eq!(agent.asked().last().unwrap().headers["last-event-id"], "r-3");
}
