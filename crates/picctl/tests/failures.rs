//! An agent that is away, refuses, or talks nonsense; and command lines that make none.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;

use kit::{Agent, answers, finish, picctl};
use pic_api::problem::{Code, ProblemDetails};

#[test]
fn nobody_there_is_5() {
    let ran = finish(picctl(Path::new("/run/pic/no-such.sock"), &["status"]));
    insta::assert_snapshot!(ran.all());
    let ran = finish(picctl(Path::new("/no/such"), &["status", "--json"]));
    let problem: ProblemDetails = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, problem.code, ran.out.as_str()), (5, Code::Unavailable, ""));
    // A socket that nobody listens on any more.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(finish(picctl(&socket, &["peer", "list"])).code, 5);
}

#[test]
fn not_in_the_group_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    open(folder.path(), 0o755);
    let (socket, program) = (folder.path().join("s"), folder.path().join("picctl"));
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_picctl"), &program).unwrap();
    open(&program, 0o755);
    open(&socket, 0o000);
    let mut command = std::process::Command::new(&program);
    command.args(["status", "--socket"]).arg(&socket).current_dir("/");
    // Root may use any socket; nobody may not.
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let ran = finish(command);
    assert!(ran.code == 5 && ran.err.contains("run it with sudo, or join the group `pic`"), "{}", ran.err);
}

#[test]
fn starting_is_5_and_other_problems_are_1() {
    for (code, exit) in [
        (Code::Unavailable, 5),
        (Code::Internal, 1),
        (Code::Forbidden, 1),
        (Code::NotFound, 1),
        (Code::BadRequest, 3),
        (Code::Invalid, 3),
    ] {
        let agent = Agent::start().refuse("GET /api/status", &answers::problem(code, "words"));
        assert_eq!(agent.run(&["status"]).code, exit, "{code:?}");
    }
    let waits = answers::problem(Code::AwaitingConfirmation, "generation 5 waits");
    let agent = Agent::start().refuse("POST /api/plans", &waits);
    let ran = agent.run(&["apply", "--yes"]);
    assert!(ran.code == 1 && ran.err.contains("`picctl confirm` or `picctl revert`"), "{}", ran.err);
}

#[test]
fn nonsense_is_told_apart_and_escaped() {
    let agent = Agent::start().reply("GET /api/status", 200, "application/json", "{\"state\":".into()).reply(
        "GET /api/doctor",
        502,
        "text/html",
        "<b>\x1b]0;owned\x07".into(),
    );
    let ran = agent.run(&["status"]);
    assert!(ran.code == 1 && ran.err.contains("cannot be understood"), "{}", ran.err);
    let ran = agent.run(&["doctor"]);
    assert!(ran.code == 1 && ran.err.contains("502") && !ran.err.contains('\x1b'), "{}", ran.err);
    let mut problem = answers::problem(Code::Internal, "broke\x1b[2J");
    problem.title = "T\u{202e}".into();
    let agent = Agent::start().refuse("GET /api/status", &problem);
    let err = agent.run(&["status"]).err;
    assert!(err.contains("broke\\u{1b}[2J") && !err.contains('\u{202e}') && err.contains("r-1"), "{err}");
}

#[test]
fn cut_answers_and_other_versions_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for (answer, code, words) in [
        ("", 5, "broke before its answer to GET /api/status was there\ntry again"),
        (CUT, 5, "broke before its answer to GET /api/status was there\ntry again"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 1, "cannot be understood"),
        ("HTTP/1.1 200 OK\r\nPIC-API: 2\r\nContent-Length: 2\r\n\r\n{}", 1, "version 2 of the API"),
        ("SSH-2.0-OpenSSH\r\n", 1, "cannot be understood"),
    ] {
        let ran = answered_once(folder.path(), answer, &["status"]);
        assert!(ran.code == code && ran.err.contains(words), "{answer:?}: {}", ran.err);
    }
}

const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"state\"";

/// Runs the program against an agent that is gone after these bytes.
fn answered_once(folder: &Path, answer: &'static str, args: &[&str]) -> kit::Ran {
    let socket = folder.join("s");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let ran = finish(picctl(&socket, args));
    server.join().unwrap();
    ran
}

/// An agent that is killed on the way may have made the change, and a lost key is lost.
#[test]
fn changes_whose_answer_is_lost_say_that_nobody_knows() {
    let folder = tempfile::tempdir().unwrap();
    for answer in ["", CUT] {
        let ran = answered_once(folder.path(), answer, &["peer", "add", "phone"]);
        assert!(ran.code == 5 && ran.out.is_empty(), "{}", ran.err);
        assert!(
            ran.err.contains("remove it and add it again, as its key was in the lost answer"),
            "{}",
            ran.err
        );
        let ran = answered_once(folder.path(), answer, &["dhcp", "unreserve", "tv", "--yes"]);
        let words = "it is not known whether the change was made: see `picctl history`";
        assert!(ran.code == 5 && ran.err.contains(words), "{}", ran.err);
        let ran = answered_once(folder.path(), answer, &["dhcp", "unreserve", "tv", "--yes", "--json"]);
        let problem: ProblemDetails = serde_json::from_str(&ran.err).unwrap();
        assert!(
            ran.code == 5 && problem.code == Code::Unavailable && problem.detail.contains(words),
            "{problem:?}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let agent = Agent::start().on("GET /api/history?limit=20", answers::history());
    let mut command = agent.command(&["history"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(std::process::Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn senseless_command_lines_are_2() {
    for line in [
        "",
        "what",
        "peer",
        "peer add",
        "peer add a --address fd00::1",
        "peer add a --allow moon",
        "peer add a --allow none,cell",
        "peer add a --expires 2001-01-01",
        "peer add a --expires soon",
        "peer add a --qr gif",
        "peer add a --qr-out x",
        "apply --confirm 1y",
        "apply --confirm 9s --no-confirm",
        "rollback",
        "rollback -1",
        "status --color pink",
    ] {
        let args: Vec<_> = line.split_whitespace().collect();
        assert_eq!(finish(picctl(Path::new("/no/such"), &args)).code, 2, "{line}");
    }
}
