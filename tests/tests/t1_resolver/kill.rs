//! SIGKILL at every system call that leaves a mark: the host resolves names at each point and gets its file back.

use pic_lab::stage::note;

use crate::rig::Host;
use crate::{ORIGINAL, release, started, take};

/// Each with what it is for the program.
const CALLS: [&str; 9] =
    ["openat", "write", "fsync", "rename", "unlink", "fchmod,chmod", "flock", "mkdir", "chown,fchownat"];
/// More than any run makes of one kind.
const MOST: usize = 200;

fn looks_whole(host: &Host, point: &str) {
    host.resolves().unwrap_or_else(|error| panic!("{point}: {error:#}"));
    let text = host.resolv_conf().unwrap();
    assert!(text == ORIGINAL || text.starts_with("# Written by pic"), "{point}: a third text:\n{text}");
}

/// Runs a verb, killed at the n-th call of a kind; whether it came that far.
fn kills(host: &Host, verb: &str, call: &str, at: usize) -> bool {
    let inject = format!("inject={call}:signal=SIGKILL:when={at}");
    let trace = format!("trace={call}");
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", &trace, "-e", &inject];
    host.resolver(&strace, verb).unwrap().code() != 0
}

fn sweep(host: &Host, verb: &str, prepare: impl Fn(&Host)) -> usize {
    let mut points = 0;
    for call in CALLS {
        for at in 1..MOST {
            prepare(host);
            if !kills(host, verb, call, at) {
                break;
            }
            points += 1;
            let point = format!("{verb} killed at {call} {at}");
            looks_whole(host, &point);
            // Whatever it left, it is found and undone; and it can be done again.
            release(host);
            assert_eq!(host.resolv_conf().unwrap(), ORIGINAL, "{point}");
            host.is_clean().unwrap_or_else(|error| panic!("{point}: {error:#}"));
        }
    }
    points
}

#[test]
fn no_kill_breaks_the_resolver() {
    let host = started();
    let taken = sweep(&host, "take", release);
    let released = sweep(&host, "release", take);
    note(&format!("killed at {taken} points of taking and {released} of handing back"));
    assert!(taken > 20 && released > 20, "the sweep saw hardly any call: {taken}, {released}");
}
