//! The promises of `pic_drivers::files`, kept under kills, a full disk and a sweep at the wrong moment. The kills need
//! strace, the full disk needs root.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pic_drivers::files::{self, Error};
use tempfile::TempDir;

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn content_and_mode_are_replaced() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    files::write_atomic(&path, b"old", 0o644).unwrap();
    let old = File::open(&path).unwrap();
    files::write_atomic(&path, b"new", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(mode(&path), 0o600);
    // Who had the old file open still has the old content.
    assert_eq!(std::io::read_to_string(old).unwrap(), "old");
    files::write_atomic(&path, b"", 0o666).unwrap();
    assert_eq!((fs::read(&path).unwrap().len(), mode(&path)), (0, 0o666));
    assert_eq!(names(dir.path()), ["state"]);
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let dir = TempDir::new().unwrap();
    let (target, path) = (dir.path().join("target"), dir.path().join("state"));
    fs::File::create(&target).unwrap();
    symlink(&target, &path).unwrap();
    let seen = files::observe([path.to_str().unwrap()]).unwrap();
    assert_eq!(seen.values().map(|file| file.mode).collect::<Vec<_>>(), [0]);
    files::write_atomic(&path, b"new", 0o640).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"");
    let seen = files::observe([path.to_str().unwrap(), "/nonexistent/x"]).unwrap();
    assert_eq!(seen.len(), 1);
    let file = &seen[path.to_str().unwrap()];
    assert_eq!((file.content.as_slice(), file.mode), (&b"new"[..], 0o640));
}

#[test]
fn errors_name_the_path_and_leave_nothing() {
    let dir = TempDir::new().unwrap();
    let error = files::write_atomic(&dir.path().join("no/state"), b"x", 0o600).unwrap_err();
    assert!(error.to_string().ends_with("/no"), "{error}");
    assert!(matches!(files::write_atomic(Path::new("/"), b"x", 0o600), Err(Error::NoName { .. })));
    let directory = dir.path().join("directory");
    fs::create_dir(&directory).unwrap();
    assert!(
        files::write_atomic(&directory, b"x", 0o600).unwrap_err().to_string().starts_with("cannot replace")
    );
    assert_eq!(names(dir.path()), ["directory"]);
}

#[test]
fn reading_is_bounded() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    assert_eq!(files::read_bounded(&path, 3).unwrap(), None);
    files::write_atomic(&path, b"abc", 0o600).unwrap();
    assert_eq!(files::read_bounded(&path, 3).unwrap().unwrap(), b"abc");
    assert!(matches!(files::read_bounded(&path, 2), Err(Error::TooLarge { max: 2, .. })));
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(files::read_bounded(&pipe, 2), Err(Error::NotPlain { .. })));
}

#[test]
fn removing_and_creating_may_be_repeated() {
    let dir = TempDir::new().unwrap();
    let deep = dir.path().join("a/b/c");
    for _ in 0..2 {
        files::create_dir_durable(&deep, 0o750).unwrap();
    }
    assert_eq!((mode(&deep), mode(&dir.path().join("a"))), (0o750, 0o750));
    let path = deep.join("state");
    files::write_atomic(&path, b"x", 0o600).unwrap();
    assert!(files::create_dir_durable(&path.join("d"), 0o750).is_err());
    for _ in 0..2 {
        files::remove_durable(&path).unwrap();
    }
    assert!(!path.exists());
    files::remove_durable(&deep.join("no/such/directory")).unwrap();
    assert!(files::remove_durable(&deep).is_err());
}

#[test]
fn a_sweep_takes_the_stale_and_leaves_the_busy() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in [".pic-tmp-1-1", ".pic-tmp-1-2", ".other", "state"] {
        File::create(path(name)).unwrap();
    }
    fs::create_dir(path(".pic-tmp-directory")).unwrap();
    let busy = File::open(path(".pic-tmp-1-2")).unwrap();
    busy.lock().unwrap();
    assert_eq!(files::sweep(dir.path()).unwrap(), 1);
    assert_eq!(names(dir.path()), [".other", ".pic-tmp-1-2", ".pic-tmp-directory", "state"]);
    drop(busy);
    assert_eq!(files::sweep(dir.path()).unwrap(), 1);
    assert_eq!(files::sweep(&path("missing")).unwrap(), 0);
}

#[test]
fn writers_and_sweeps_do_not_disturb_each_other() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3_u8)
            .map(|n| {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..100 {
                        files::write_atomic(path, &vec![n; 5000], 0o600).unwrap();
                    }
                })
            })
            .collect();
        while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            files::sweep(dir.path()).unwrap();
            if let Some(content) = files::read_bounded(&path, 10_000).unwrap() {
                assert!(content.len() == 5000 && content.iter().all(|byte| *byte == content[0]));
            }
        }
    });
    assert_eq!(names(dir.path()), ["state"]);
}

/// The example, built now: `cargo test --test files` alone does not build it.
fn writer() -> PathBuf {
    let build = ["build", "--quiet", "--package", "pic-drivers", "--example", "write_atomic"];
    assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success());
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/write_atomic")
}

/// Runs a command with this on its standard input; whether it succeeded.
fn feed(command: &mut Command, content: &[u8]) -> bool {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Whoever is killed early does not read it.
    let _ = child.stdin.take().unwrap().write_all(content);
    child.wait().unwrap().success()
}

#[test]
fn a_kill_at_any_system_call_leaves_old_or_new() {
    let (old, new) = (vec![b'o'; 3000], vec![b'n'; 200_000]);
    let mut kills = 0;
    let writer = writer();
    for call in ["openat", "flock", "write", "fchmod", "fsync", "rename", "close"] {
        for when in 1..=40 {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("state");
            files::write_atomic(&path, &old, 0o640).unwrap();
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
            strace.arg("-e").arg(format!("inject={call}:signal=SIGKILL:when={when}"));
            let done = feed(strace.arg(&writer).arg(&path).arg("600"), &new);
            let content = fs::read(&path).unwrap();
            assert!(content == old || content == new, "{call} {when}: {} bytes", content.len());
            assert_eq!(mode(&path), if content == old { 0o640 } else { 0o600 }, "{call} {when}");
            for name in names(dir.path()).iter().filter(|name| *name != "state") {
                // Whatever was left behind is closed to others or has the mode it was to have.
                assert_eq!(mode(&dir.path().join(name)), 0o600, "{call} {when}");
            }
            files::sweep(dir.path()).unwrap();
            assert_eq!(names(dir.path()), ["state"], "{call} {when}");
            if done {
                assert_eq!(content, new, "said to be done");
                break;
            }
            kills += 1;
        }
    }
    assert!(kills >= 12, "only {kills} kills: the calls are named otherwise here");
}

#[test]
fn an_error_at_any_system_call_leaves_old_or_new_and_no_litter() {
    let (old, new) = (vec![b'o'; 3000], vec![b'n'; 200_000]);
    let writer = writer();
    for (call, errno) in [
        ("flock", "EINTR"),
        ("flock", "EIO"),
        ("write", "EDQUOT"),
        ("fchmod", "EROFS"),
        ("fsync", "EIO"),
        ("rename", "EIO"),
    ] {
        for when in 1..=2 {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("state");
            files::write_atomic(&path, &old, 0o640).unwrap();
            let mut strace = Command::new("strace");
            strace.args(["-f", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
            strace.arg("-e").arg(format!("inject={call}:error={errno}:when={when}"));
            let done = feed(strace.arg(&writer).arg(&path).arg("600"), &new);
            let content = fs::read(&path).unwrap();
            assert!(content == new || (!done && content == old), "{call} {when}");
            assert_eq!(names(dir.path()), ["state"], "{call} {when}");
        }
    }
}

/// A file system of 256 KiB, unmounted when dropped.
struct Small(TempDir);

impl Small {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let arguments = ["-t", "tmpfs", "-o", "size=256k", "none"];
        assert!(
            Command::new("mount").args(arguments).arg(dir.path()).status().unwrap().success(),
            "run as root"
        );
        Self(dir)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_keeps_the_old_file_and_no_litter() {
    let small = Small::new();
    let path = small.0.path().join("state");
    files::write_atomic(&path, b"old", 0o640).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    let error = files::write_atomic(&path, &vec![b'n'; 1 << 20], 0o600).unwrap_err();
    let Error::Step { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"old".to_vec(), 0o640));
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    assert_eq!(names(small.0.path()), ["state"]);
    files::write_atomic(&path, b"new", 0o600).unwrap();
}
