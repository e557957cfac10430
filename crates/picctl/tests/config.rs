//! `picctl config`: checking without an agent, setting, editing.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use kit::{Agent, answers};
use pic_api::history::Diff;
use pic_api::operation::State;
use pic_api::problem::{Code, ProblemDetails};

const APPLY: &str = "POST /api/plans/ab12/apply?wait=false";
const REPLACE: &str = "PUT /api/config?plan=true";

fn edit(agent: &Agent, text: &str, args: &[&str]) -> kit::Ran {
    let new = agent.file("new.toml", text);
    let mut command = agent.command(&[&["config", "edit"], args].concat());
    command.env("EDITOR", format!("cp  --force {}", new.display())).env("TMPDIR", agent.folder.path());
    kit::finish(command)
}

/// Texts kept for their author.
fn kept(agent: &Agent) -> Vec<String> {
    let files = agent.folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let kept = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("pic-cell-"));
    kept.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn check_needs_no_agent() {
    let agent = Agent::start();
    let good = agent.file("good.toml", answers::TOML);
    let check = |args: &[&str]| agent.run(&[&["config", "check", "--socket", "/no/such"], args].concat());
    let ran = check(&[good.to_str().unwrap()]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "Valid: 0 peers.\n"));
    assert_eq!(check(&["--json", "good.toml"]).out, "{\"valid\":true,\"peers\":0}\n");
    agent.file("bad.toml", "version = 1\n[cell]\nname = \"Home\"\n\n[wireguard]\nprot = 1\n");
    insta::assert_snapshot!(check(&["bad.toml"]).all());
    let ran = check(&["--json", "bad.toml"]);
    let problem: ProblemDetails = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, problem.code, problem.errors.len()), (3, Code::Invalid, 2));
    assert_eq!((problem.errors[0].pointer.as_str(), problem.errors[0].line), ("/cell/name", 3));
    assert_eq!(check(&["none.toml"]).code, 1);
    for (text, code) in [("", 3), ("[cell]\nname = \"ho", 3), ("version = 9\n[cell]\nname=\"home\"\n", 3)] {
        agent.file("x.toml", text);
        assert_eq!(check(&["x.toml"]).code, code, "{text}");
    }
    std::fs::copy("/bin/true", agent.path("binary")).unwrap();
    let ran = check(&["binary"]);
    assert!(ran.code == 3 && ran.err.contains("not a text in UTF-8"), "{}", ran.err);
}

#[test]
fn set_and_unset() {
    let patch = "PATCH /api/config?plan=true";
    let agent = Agent::start().on(patch, answers::plan()).on(APPLY, answers::operation(State::Kept));
    assert_eq!(agent.run(&["config", "set", "wireguard.port", "51821", "--yes"]).code, 0);
    assert_eq!(agent.body(patch), serde_json::json!({"set": {"wireguard.port": "51821"}, "options": {}}));
    assert_eq!(agent.run(&["config", "unset", "wireguard.port", "--yes"]).code, 0);
    assert_eq!(agent.body(patch)["set"], serde_json::json!({"wireguard.port": null}));
    let agent = Agent::start().refuse(patch, &answers::invalid());
    assert_eq!(agent.run(&["config", "set", "wireguard.port", "0"]).code, 3);
}

#[test]
fn edit_sends_the_text_with_its_tag() {
    let agent = Agent::start()
        .on("GET /api/config", answers::config())
        .on(REPLACE, answers::plan())
        .on(APPLY, answers::operation(State::Kept));
    let new = format!("{}[wireguard]\nport = 51821\n", answers::TOML);
    let ran = edit(&agent, &new, &["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(agent.body(REPLACE)["toml"], new);
    assert_eq!(agent.asked()[1].headers["if-match"], "\"4-cafe\"");
    assert!(kept(&agent).is_empty());
    assert_eq!(edit(&agent, answers::TOML, &[]).err, "Nothing was edited.\n");
}

#[test]
fn refused_texts_are_kept() {
    let agent = Agent::start().on("GET /api/config", answers::config()).refuse(REPLACE, &answers::invalid());
    let ran = edit(&agent, "[cell]\nname = \"NO\"\n", &["--yes"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("Your text is kept in ") && ran.err.contains("picctl apply -f "), "{}", ran.err);
    assert_eq!(kept(&agent), ["[cell]\nname = \"NO\"\n"]);
    // Refused by the agent, which knows the host.
    assert_eq!(edit(&agent, "[cell]\nname = \"yes\"\n", &["--yes"]).code, 3);
    assert_eq!(kept(&agent).len(), 2);
    // Planned, with nobody to ask.
    let agent = Agent::start().on("GET /api/config", answers::config()).on(REPLACE, answers::plan());
    assert_eq!(edit(&agent, "[cell]\nname = \"yes\"\n", &[]).code, 2);
    assert_eq!(kept(&agent).len(), 1);
}

/// Edits on a terminal: the texts are what the editor leaves, one after the other.
fn edit_on_terminal(agent: &Agent, texts: &[&str], input: &str) -> kit::Ran {
    for (number, text) in texts.iter().enumerate() {
        agent.file(&format!("text-{}", number + 1), text);
    }
    let turn = "n=$(($(cat turn 2>/dev/null || echo 0) + 1)); echo $n >turn; cp -f text-$n \"$1\"\n";
    let editor = format!("sh {}", agent.file("editor.sh", turn).display());
    let folder = agent.folder.path().to_string_lossy().into_owned();
    let variables = [("EDITOR", editor.as_str()), ("TMPDIR", folder.as_str())];
    agent.on_terminal_with(&variables, &["config", "edit"], input)
}

#[test]
fn a_refused_text_is_edited_again() {
    let bad = "[cell]\nname = \"NO\"\n";
    let good = "[cell]\nname = \"yes\"\n";
    let agent = Agent::start()
        .on("GET /api/config", answers::config())
        .refuse(REPLACE, &answers::invalid())
        .on(REPLACE, answers::plan())
        .on(APPLY, answers::operation(State::Kept));
    // Refused here, then by the agent, then good. What is no answer is asked again.
    let ran = edit_on_terminal(&agent, &[bad, good, good], "e\nwhat\ne\ny\n");
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(ran.out.matches("[e/q]").count(), 3, "{}", ran.out);
    assert!(ran.out.contains(".toml:2:8: cell.name: ") && kept(&agent).is_empty(), "{}", ran.out);
    let agent = Agent::start().on("GET /api/config", answers::config());
    let ran = edit_on_terminal(&agent, &[bad, bad], "e\nq\n");
    assert!(ran.code == 3 && ran.out.contains("picctl apply -f "), "{}", ran.out);
    assert_eq!(kept(&agent), [bad]);
    // An editor that fails the second time takes nothing along.
    let agent = Agent::start().on("GET /api/config", answers::config());
    let ran = edit_on_terminal(&agent, &[bad], "e\n");
    assert!(ran.code == 1 && ran.out.contains("ended with"), "{}", ran.out);
    assert_eq!(kept(&agent), [bad]);
}

#[test]
fn discard_shows_what_is_lost_and_asks() {
    const DISCARD: &str = "POST /api/config/discard";
    let mut config = answers::config();
    config.edited = true;
    let diff = Diff { from: 4, to: 0, diff: "-a\n+mine\n".into() };
    let agent = Agent::start()
        .on("GET /api/config", &config)
        .on("GET /api/history/4/diff/0", diff)
        .on(DISCARD, answers::operation(State::Kept));
    let ran = agent.run(&["config", "discard"]);
    assert!(ran.code == 2 && ran.err.contains("+mine") && ran.err.contains("--yes"), "{}", ran.err);
    let ran = agent.on_terminal(&["config", "discard"], "n\n");
    assert!(ran.code == 1 && ran.out.contains("Throw these edits away?"), "{}", ran.out);
    assert!(!agent.lines().contains(&DISCARD.to_owned()));
    let ran = agent.on_terminal(&["config", "discard"], "y\n");
    assert!(ran.code == 0 && ran.out.contains("+mine"), "{}", ran.out);
    let ran = agent.run(&["config", "discard", "--yes"]);
    assert!(ran.code == 0 && ran.err.contains("+mine"), "{}", ran.err);
    let ran = agent.run(&["config", "discard", "--yes", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    // Where nothing would be lost, nothing is asked.
    let agent =
        Agent::start().on("GET /api/config", answers::config()).on(DISCARD, answers::operation(State::Kept));
    assert_eq!(agent.run(&["config", "discard"]).code, 0);
}

#[test]
fn edit_loses_nobodys_work() {
    let mut config = answers::config();
    config.edited = true;
    let agent = Agent::start().on("GET /api/config", config);
    let ran = edit(&agent, "", &[]);
    assert!(ran.code == 1 && ran.err.contains("edited and not applied"), "{}", ran.err);
    let agent = Agent::start().on("GET /api/config", answers::config());
    let mut command = agent.command(&["config", "edit"]);
    command.env("VISUAL", "false").env("EDITOR", "true");
    assert_eq!(kit::finish(command).code, 1);
    let mut command = agent.command(&["config", "edit"]);
    command.env("EDITOR", "/no/such/editor; touch owned");
    let ran = kit::finish(command);
    assert!(ran.code == 1 && ran.err.contains("cannot run the editor"), "{}", ran.err);
    assert!(!agent.path("owned").exists());
}
