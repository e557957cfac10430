//! Runs the real program against a scripted agent on a unix socket of its own.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test file is a program of its own and uses a part of this"
)]

pub mod answers;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// One scripted answer.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    kind: &'static str,
    body: String,
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As `GET /api/status`.
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

#[derive(Default)]
struct Script {
    replies: BTreeMap<String, Vec<Reply>>,
    asked: Vec<Asked>,
}

/// A scripted agent.
pub struct Agent {
    pub folder: tempfile::TempDir,
    script: Arc<Mutex<Script>>,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Both streams and the code, for snapshots.
    pub fn all(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }
}

impl Agent {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("agent.sock")).unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let script = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &script));
            }
        });
        Self { folder, script }
    }

    /// Answers `line` with a JSON document. Given several times: in turn, the last one for ever.
    pub fn on(self, line: &str, body: impl serde::Serialize) -> Self {
        self.reply(line, 200, "application/json", serde_json::to_string(&body).unwrap())
    }

    /// Answers `line` with a problem.
    pub fn refuse(self, line: &str, problem: &pic_api::problem::ProblemDetails) -> Self {
        self.reply(line, problem.status, "application/problem+json", serde_json::to_string(problem).unwrap())
    }

    pub fn reply(self, line: &str, status: u16, kind: &'static str, body: String) -> Self {
        let reply = Reply { status, kind, body };
        self.script.lock().unwrap().replies.entry(line.to_owned()).or_default().push(reply);
        self
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }

    /// The lines asked, in order.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// The body of the last request for `line`.
    pub fn body(&self, line: &str) -> Value {
        let asked = self.asked();
        let found = asked.iter().rev().find(|asked| asked.line == line).expect("was not asked");
        serde_json::from_str(&found.body).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the agent's folder, which is also where the program runs.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = picctl(&self.path("agent.sock"), args);
        command.current_dir(self.folder.path());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args))
    }

    /// Runs on a terminal of its own and types `input`. Both streams come as one.
    pub fn on_terminal(&self, args: &[&str], input: &str) -> Ran {
        self.on_terminal_with(&[], args, input)
    }

    /// The same with these variables in the environment.
    pub fn on_terminal_with(&self, variables: &[(&str, &str)], args: &[&str], input: &str) -> Ran {
        let words: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let line = format!("stty cols 100; {} {}", env!("CARGO_BIN_EXE_picctl"), words.join(" "));
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        command.current_dir(self.folder.path()).env("PIC_SOCKET", self.path("agent.sock"));
        command.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("VISUAL");
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("script, of bsdutils");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        ran(&output)
    }
}

/// The program, away from this process's own terminal and settings.
pub fn picctl(socket: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picctl"));
    command.args(args).env("PIC_SOCKET", socket).env("SSH_CONNECTION", "").stdin(Stdio::null());
    for name in ["COLUMNS", "NO_COLOR", "VISUAL", "EDITOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

pub fn finish(mut command: Command) -> Ran {
    ran(&command.output().unwrap())
}

fn ran(output: &std::process::Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn serve(stream: UnixStream, script: &Mutex<Script>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let asked = read_request(&mut reader)?;
    let reply = {
        let mut script = script.lock().unwrap();
        let reply = match script.replies.get_mut(&asked.line) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) => replies[0].clone(),
            None => unknown(&asked.line),
        };
        script.asked.push(asked);
        reply
    };
    let head = format!(
        "HTTP/1.1 {} X\r\nPIC-API: 1\r\nETag: \"t-1\"\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reply.status,
        reply.kind,
        reply.body.len()
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(reply.body.as_bytes()).ok()
}

fn read_request(reader: &mut BufReader<UnixStream>) -> Option<Asked> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = first.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, headers, body: String::from_utf8(body).unwrap() })
}

fn unknown(line: &str) -> Reply {
    let problem = answers::problem(pic_api::problem::Code::NotFound, &format!("there is no {line}"));
    Reply { status: 404, kind: "application/problem+json", body: serde_json::to_string(&problem).unwrap() }
}
