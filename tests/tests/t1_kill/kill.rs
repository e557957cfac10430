//! SIGKILL at the n-th call of one system call, by strace, while a change is made.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use pic_lab::cell::programs;
use pic_lab::stage::note;
use pic_lab::{Child, cmd, tools, wait};

use crate::rig::{CONVERGED, Rig, put};

/// Everything that leaves a mark on disk, in the kernel or at a service, with about how often a change does it.
const CALLS: &[(&str, usize)] = &[
    ("openat", 24),
    ("write", 15),
    ("fsync", 10),
    ("rename,renameat,renameat2", 5),
    ("sendmsg", 20),
    ("sendto", 8),
    ("connect", 8),
    ("close", 32),
    ("unlink,unlinkat", 1),
    ("mkdir,mkdirat", 1),
];
/// No change makes more calls of one kind than this.
const MOST: usize = 400;
const SECOND: Duration = Duration::from_secs(1);

/// A change, and what it does to the devices.
#[derive(Debug, Clone, Copy)]
enum Change {
    Add,
    Apply,
    Remove,
}

/// What happened at one point.
struct Point {
    was_killed: bool,
    took: Duration,
}

/// strace on all threads of the agent. Detaches when dropped; what it was to kill is dead by then.
struct Tracer(Child);

impl Tracer {
    fn attach(rig: &Rig, call: &str, at: usize) -> Result<Self> {
        let log = rig.cell.path("strace");
        let _ = std::fs::remove_file(&log);
        let mut command: Command = cmd::command("strace");
        command.args(["-f", "-qq", "-e", "signal=none", "-e", &format!("trace={call}")]);
        command.args(["-e", &format!("inject={call}:signal=SIGKILL:when={at}")]);
        command.args(["-o", "/dev/null", "-p", &rig.agent()?.to_string()]);
        let said = std::fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let tracer = Self(Child::spawn(command)?);
        let pid = rig.agent()?;
        wait::until(SECOND * 10, "strace to follow every thread", || {
            // The agent may make a call and die the moment it is followed; then there is nothing to wait for.
            is_followed(pid).unwrap_or(true)
        })?;
        Ok(tracer)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.stop(Signal::SIGTERM, SECOND * 5);
    }
}

/// Whether every thread has a tracer; `None` when it is gone.
fn is_followed(pid: u32) -> Option<bool> {
    let mut all = true;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let status = std::fs::read_to_string(task.ok()?.path().join("status")).unwrap_or_default();
        all &= status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"));
    }
    Some(all)
}

/// Makes one change with the agent killed at one point, and checks what is left.
fn point(rig: &mut Rig, call: &str, at: usize, change: Change) -> Result<Point> {
    let before = rig.settled(CONVERGED).context("before")?;
    let pid = rig.agent()?;
    let made = prepare(rig, change, &before)?;
    let tracer = Tracer::attach(rig, call, at)?;
    let mut picctl = picctl(rig, made.words)?;
    let mut ended = None;
    wait::value(SECOND * 30, "the end of picctl or of the agent", || {
        ended = picctl.wait(Duration::ZERO).ok();
        Ok((ended.is_some() || !is_alive(pid)).then_some(()))
    })?;
    // Killed after its answer: give the rest of the change a moment.
    let _ = wait::until(SECOND / 5, "the agent's death", || !is_alive(pid));
    drop(tracer);
    // A process that dies under a tracer dies slowly; one that answers is not dying.
    let answers = || rig.cell.picctl("status").is_ok_and(|out| out.code() == 0);
    wait::until(SECOND * 5, "the agent's death or life", || !is_alive(pid) || answers())?;
    let was_killed = !is_alive(pid);
    let begin = Instant::now();
    if was_killed {
        rig.cell.kill_agent()?;
        rig.cell.start_agent()?;
    }
    // picctl waits for an agent that is away for a moment, and then tells what became of the change.
    let ended = ended.map_or_else(|| picctl.wait(SECOND * 30), Ok).context("picctl does not end")?;
    if let Some(edit) = &made.edit {
        edit.take_back_unless_kept(rig)?;
    }
    let now = rig.settled(CONVERGED)?;
    let took = begin.elapsed();
    ensure!(
        now == made.after || now == before,
        "a third state: before {before:?}, wanted {:?}, now {now:?}",
        made.after
    );
    ensure!(now == made.after || !ended.success(), "acknowledged and lost: before {before:?}, now {now:?}");
    rig.nothing_left()?;
    Ok(Point { was_killed, took })
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A change to be tried.
struct Plan {
    words: &'static str,
    /// The devices' addresses if it is kept.
    after: BTreeSet<String>,
    edit: Option<OwnersEdit>,
}

/// The owner's edit of cell.toml, which stays in the file whatever becomes of its application.
struct OwnersEdit {
    old: String,
    new: String,
}

const APPLIED: &str = "10.77.9.9";

impl OwnersEdit {
    fn take_back_unless_kept(&self, rig: &Rig) -> Result<()> {
        if rig.cell.picctl("peer list --json")?.ok()?.contains(APPLIED) {
            return Ok(());
        }
        let path = rig.cell.path("etc/cell.toml");
        let text = std::fs::read_to_string(&path)?;
        // An apply that had reached the ledger is taken back with the file; the edit is in the history then.
        ensure!(
            text == self.new || text == self.old,
            "cell.toml is neither the edit nor what it was:\n{text}"
        );
        put(&path, self.old.as_bytes())
    }
}

fn prepare(rig: &Rig, change: Change, before: &BTreeSet<String>) -> Result<Plan> {
    let with = |address: String| before.iter().cloned().chain([address]).collect();
    let (words, after, edit) = match change {
        Change::Add => {
            // The cell chooses the address: the first free one.
            let mut all = (2..250).map(|n| format!("10.77.0.{n}"));
            let free = all.find(|address| !before.contains(address)).unwrap_or_default();
            ("peer add new --qr none", with(free), None)
        }
        Change::Remove => {
            let shown = rig.cell.picctl("peer show new --json")?.ok()?;
            let is_other = |address: &&String| !shown.contains(&format!("\"{address}\""));
            let after = before.iter().filter(is_other).cloned().collect();
            ("peer remove new --yes", after, None)
        }
        Change::Apply => {
            let path = rig.cell.path("etc/cell.toml");
            let old = std::fs::read_to_string(&path)?;
            let key = "A".repeat(42) + "E=";
            let peer = format!("[[peer]]\nname = \"new\"\npublic_key = \"{key}\"\naddress = \"{APPLIED}\"\n");
            let new = format!("{old}\n{peer}");
            put(&path, new.as_bytes())?;
            ("apply --yes --no-confirm", with(APPLIED.to_owned()), Some(OwnersEdit { old, new }))
        }
    };
    Ok(Plan { words, after, edit })
}

fn picctl(rig: &Rig, words: &str) -> Result<Child> {
    let mut command: Command = cmd::command(programs().join("picctl"));
    command.args(words.split(' ')).env("PIC_SOCKET", rig.cell.socket());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Child::spawn(command)
}

/// The change that comes next, so that the number of devices stays small.
fn next(rig: &Rig, round: usize) -> Change {
    let has_new =
        rig.cell.picctl("peer list --json").is_ok_and(|out| out.stdout.contains("\"name\":\"new\""));
    match (has_new, round % 2) {
        (true, _) => Change::Remove,
        (false, 0) => Change::Add,
        (false, _) => Change::Apply,
    }
}

/// Sums up.
#[derive(Default)]
struct Sum {
    points: usize,
    killed: usize,
    slowest: Duration,
    bad: Vec<String>,
}

impl Sum {
    fn take(&mut self, rig: &mut Rig, call: &str, at: usize, change: Change) -> bool {
        self.points += 1;
        if self.points.is_multiple_of(25) {
            note(&format!(
                "{call} {at}: {} points, {} kills, {} findings",
                self.points,
                self.killed,
                self.bad.len()
            ));
        }
        match point(rig, call, at, change) {
            Ok(point) => {
                self.killed += usize::from(point.was_killed);
                self.slowest = self.slowest.max(point.took);
                point.was_killed
            }
            Err(error) => {
                note(&format!("{change:?}, {call} {at}: {error:#}"));
                self.bad.push(format!("{change:?} killed at {call} number {at}: {error:#}"));
                // The next point begins with a good cell, or the first finding hides all others.
                if let Ok(new) = Rig::start() {
                    *rig = new;
                }
                false
            }
        }
    }

    fn end(self) {
        note(&format!(
            "kill sweep: {} points, {} kills, slowest settling {:.1} s, {} findings",
            self.points,
            self.killed,
            self.slowest.as_secs_f64(),
            self.bad.len()
        ));
        assert!(self.bad.is_empty(), "{}", self.bad.join("\n\n"));
        assert!(
            self.killed * 2 >= self.points || self.points > 100,
            "{} of {} points killed",
            self.killed,
            self.points
        );
    }
}

#[test]
fn old_or_new_at_a_sample_of_calls() {
    tools::require(&[("strace", "strace")]).unwrap();
    let seed = std::env::var("PIC_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7_usize);
    note(&format!("PIC_SEED={seed}"));
    let (mut rig, mut sum) = (Rig::start().unwrap(), Sum::default());
    for round in 0..28 {
        let (call, often) = CALLS[round % CALLS.len()];
        let at = 1 + (seed + round * 7) % often;
        let change = next(&rig, round / 2);
        sum.take(&mut rig, call, at, change);
    }
    sum.end();
}

#[test]
#[ignore = "takes minutes; scripts/soak kill"]
fn old_or_new_at_every_call() {
    let end = wait::soak_end();
    let (mut rig, mut sum) = (Rig::start().unwrap(), Sum::default());
    for (call, _) in CALLS {
        let mut survived = 0;
        for at in 1..=MOST {
            for round in 0..2 {
                if Instant::now() > end {
                    return sum.end();
                }
                let change = next(&rig, round);
                survived = if sum.take(&mut rig, call, at, change) { 0 } else { survived + 1 };
            }
            if survived >= 6 {
                note(&format!("{call}: {at} calls"));
                break;
            }
        }
    }
    sum.end();
}
