//! Plan, ask, apply, follow, confirm: what is asked of the agent in which order, and the exit codes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use kit::{Agent, answers};
use pic_api::operation::{Operation, Plan, State};
use pic_api::problem::{Code, Merged};

const APPLY: &str = "POST /api/plans/ab12/apply?wait=false";

fn planned() -> Agent {
    Agent::start().on("POST /api/plans", answers::plan())
}

fn event(state: State) -> String {
    format!("data: {}\n\n", serde_json::to_string(&answers::operation(state)).unwrap())
}

#[test]
fn plan_shows_steps_and_risks() {
    let agent = planned();
    insta::assert_snapshot!(agent.run(&["plan"]).all());
    assert_eq!(agent.body("POST /api/plans"), serde_json::json!({"toml": null, "options": {}}));
    let file = agent.file("new.toml", answers::TOML);
    assert_eq!(agent.run(&["plan", "-f", file.to_str().unwrap()]).code, 0);
    assert_eq!(agent.body("POST /api/plans")["toml"], answers::TOML);
    assert_eq!(agent.run(&["plan", "-f", "/no/such/file"]).code, 1);
}

#[test]
fn a_file_without_its_option_is_told_how() {
    let agent = planned();
    for verb in ["plan", "apply"] {
        let ran = agent.run(&[verb, "new.toml"]);
        assert!(ran.code == 2 && ran.err.contains(&format!("`picctl {verb} -f new.toml`")), "{}", ran.err);
    }
    assert!(agent.lines().is_empty());
}

#[test]
fn apply_follows_the_events_of_exactly_the_plan_shown() {
    let events = event(State::Applying) + &event(State::Verifying) + &event(State::Kept);
    let agent = planned()
        .on(APPLY, answers::operation(State::Applying))
        .reply("GET /api/operations/op-5/events", 200, "text/event-stream", events)
        .on("GET /api/operations/op-5", answers::operation(State::Kept));
    let ran = agent.run(&["apply", "--yes", "--confirm", "90s", "--reason", "other port"]);
    insta::assert_snapshot!(ran.all());
    let options = serde_json::json!({"reason": "other port", "confirm_seconds": 90});
    assert_eq!(agent.body("POST /api/plans")["options"], options);
    assert_eq!(agent.lines()[1], APPLY);
}

#[test]
fn apply_polls_when_the_events_break() {
    let agent = planned()
        .on(APPLY, answers::operation(State::Applying))
        .reply("GET /api/operations/op-5/events", 200, "text/event-stream", event(State::Applying))
        .on("GET /api/operations/op-5", answers::operation(State::Verifying))
        .on("GET /api/operations/op-5", answers::operation(State::Kept));
    let ran = agent.run(&["apply", "--yes", "--json", "--no-confirm"]);
    assert_eq!(ran.out, serde_json::to_string(&answers::operation(State::Kept)).unwrap() + "\n");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(agent.body("POST /api/plans")["options"]["confirm_seconds"], 0);
}

#[test]
fn apply_that_waits_for_confirmation_says_how() {
    let agent = planned().on(APPLY, answers::operation(State::AwaitingConfirm));
    let ran = agent.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 4);
    for words in
        ["NEW connection", "picctl confirm", "within 90 s, by ", "picctl revert", "because: the port"]
    {
        assert!(ran.out.contains(words), "{words} in {}", ran.out);
    }
    let ran = agent.run(&["apply", "--yes", "--json"]);
    assert_eq!(ran.code, 4);
}

#[test]
fn apply_asks_and_takes_no_for_an_answer() {
    let agent = planned().on(APPLY, answers::operation(State::Kept));
    let ran = agent.run(&["apply"]);
    assert!(ran.code == 2 && ran.err.contains("--yes"), "{}", ran.err);
    for answer in ["n\n", "\n", "yep\n"] {
        let ran = agent.on_terminal(&["apply"], answer);
        assert!(ran.code == 1 && ran.out.contains("nothing was changed"), "{}", ran.out);
    }
    assert!(!agent.lines().contains(&APPLY.to_owned()));
    let ran = agent.on_terminal(&["apply"], "y\n");
    assert!(ran.code == 0 && ran.out.contains("generation 5"), "{}", ran.out);
    // Nothing may be changed unseen.
    assert_eq!(agent.on_terminal(&["apply", "--json"], "y\n").code, 2);
}

#[test]
fn apply_plan_stops_and_an_empty_plan_needs_no_question() {
    let agent = planned();
    assert_eq!(agent.run(&["apply", "--plan"]).code, 0);
    assert_eq!(agent.lines(), ["POST /api/plans"]);
    let agent = Agent::start().on("POST /api/plans", Plan { id: "ab12".into(), ..Plan::default() });
    let ran = agent.run(&["apply"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "Nothing to change.\n"));
}

#[test]
fn every_end_has_its_code() {
    for (state, code) in
        [(State::Kept, 0), (State::Reverted, 1), (State::Failed, 1), (State::AwaitingConfirm, 4)]
    {
        let agent = planned().on(APPLY, answers::operation(state));
        assert_eq!(agent.run(&["apply", "--yes"]).code, code, "{state:?}");
    }
    let agent = planned().on(APPLY, answers::operation(State::Applying));
    let ran = agent.run(&["apply", "--yes", "--no-wait"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "applying as op-5: step 1 of 2\n"));
    let words = "kept; still not as wanted: unit: cannot start pic-dns.service".to_owned();
    let agent = planned().on(APPLY, Operation { words, ..answers::operation(State::Kept) });
    let ran = agent.run(&["apply", "--yes"]);
    assert!(
        ran.code == 0 && ran.out.ends_with("\nStill not as wanted: unit: cannot start pic-dns.service\n"),
        "{}",
        ran.out
    );
    let stale = answers::problem(Code::Stale, "generation 6 came in between");
    let agent = planned().refuse(APPLY, &stale);
    let ran = agent.run(&["apply", "--yes", "--json"]);
    assert_eq!((ran.code, ran.err), (1, serde_json::to_string(&stale).unwrap() + "\n"));
}

/// Applying the own text again would undo what the other one did.
#[test]
fn too_late_says_what_happened_and_how_to_go_on() {
    let mut stale = answers::problem(Code::Stale, "it is now generation 4");
    let late = |stale: &pic_api::problem::ProblemDetails| {
        planned().refuse(APPLY, stale).on("GET /api/history?limit=1", answers::history())
    };
    let agent = late(&stale);
    let ran = agent.run(&["apply", "--yes"]);
    assert!(ran.err.contains("in generation 4: root: add peer phone"), "{}", ran.err);
    assert!(ran.code == 1 && ran.err.contains("does not fit on top"), "{}", ran.err);
    stale.merged = Some(Merged { toml: "# both\n".into(), diff: "+# both\n".into() });
    let agent = late(&stale);
    let mut command = kit::picctl(&agent.folder.path().join("agent.sock"), &["apply", "--yes"]);
    command.env("TMPDIR", agent.folder.path());
    let ran = kit::finish(command);
    let file = ran.err.split("picctl apply -f ").nth(1).unwrap().lines().next().unwrap();
    assert!(ran.code == 1 && ran.err.contains("+# both"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "# both\n");
}

#[test]
fn confirm_and_revert() {
    let agent = Agent::start()
        .on("POST /api/confirm", answers::operation(State::Kept))
        .on("POST /api/revert", answers::operation(State::Reverting))
        .on("GET /api/operations/op-5", answers::operation(State::Reverted));
    assert_eq!(agent.run(&["confirm"]).code, 0);
    assert_eq!(agent.body("POST /api/confirm"), serde_json::json!({"generation": null}));
    assert_eq!(agent.run(&["confirm", "5"]).code, 0);
    assert_eq!(agent.body("POST /api/confirm"), serde_json::json!({"generation": 5}));
    assert_eq!(agent.run(&["confirm", "--here"]).code, 0);
    assert_eq!(agent.body("POST /api/confirm"), serde_json::json!({"generation": null, "here": true}));
    let ran = agent.run(&["revert"]);
    assert!(ran.code == 0 && ran.out.contains("taken back"), "{}", ran.all());
    let asked = agent.lines().len();
    assert_eq!((agent.run(&["confirm", "--plan"]).code, agent.run(&["revert", "--plan"]).code), (2, 2));
    assert_eq!(agent.lines().len(), asked);
    let nothing = answers::problem(Code::Conflict, "nothing waits");
    let agent = Agent::start().refuse("POST /api/confirm", &nothing);
    assert_eq!(agent.run(&["confirm"]).code, 1);
}

#[test]
fn rollback_goes_the_same_way() {
    let agent = Agent::start()
        .on("POST /api/history/2/rollback?plan=true", answers::plan())
        .on(APPLY, answers::operation(State::Kept));
    assert_eq!(agent.run(&["rollback", "2", "--yes", "--confirm", "2m"]).code, 0);
    let body = agent.body("POST /api/history/2/rollback?plan=true");
    assert_eq!(body, serde_json::json!({"confirm_seconds": 120}));
    assert_eq!(agent.run(&["rollback", "two"]).code, 2);
    assert_eq!(agent.run(&["rollback", "9", "--yes"]).code, 1);
}

#[test]
fn a_bar_on_a_terminal() {
    let events = event(State::Applying) + &event(State::Kept);
    let agent = planned()
        .on(APPLY, answers::operation(State::Applying))
        .reply("GET /api/operations/op-5/events", 200, "text/event-stream", events)
        .on("GET /api/operations/op-5", answers::operation(State::Kept));
    let ran = agent.on_terminal(&["apply", "--yes"], "");
    assert!(ran.out.contains("1/2 step 1 of 2"), "{:?}", ran.out);
    assert!(ran.out.contains("Done:"), "{:?}", ran.out);
}
