//! A throw-away network namespace on a thread of its own, and tools written by nobody here to look into it.

use std::process::Command;

/// Runs `test` on a fresh thread in a fresh network namespace, which goes when the thread ends.
pub(crate) fn in_namespace<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    assert!(nix::unistd::Uid::effective().is_root(), "these tests need root for their network namespaces");
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        run("ip link set lo up");
        test()
    });
    thread.join().unwrap()
}

/// Runs a command, words separated by spaces, and returns what it prints.
pub(crate) fn run(command: &str) -> String {
    let (ok, text) = attempt(command);
    assert!(ok, "{command}: {text}");
    text
}

/// Runs a command that may fail.
pub(crate) fn attempt(command: &str) -> (bool, String) {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// Waits for a condition, with a deadline.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}
