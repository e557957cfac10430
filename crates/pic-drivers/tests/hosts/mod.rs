//! Hosts for tests: threads that each live in a network namespace of their own, which goes away with them.

use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a fresh network namespace, with its loopback up.
pub(crate) struct Host {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let (jobs, waiting) = channel::<Job>();
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
                .expect("these tests make network namespaces: run them as root");
            run("ip", &["link", "set", "lo", "up"]);
            tell.send(()).unwrap();
            waiting.into_iter().for_each(|job| job());
        });
        told.recv().expect("the thread of a host ended");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Runs something in the host's namespace, and hands on its panic.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        let job = move || {
            let _ = tell.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
        };
        self.jobs.as_ref().unwrap().send(Box::new(job)).unwrap();
        told.recv().unwrap().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs a command that must succeed, in the namespace of the calling thread.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {words}");
    String::from_utf8(output.stdout).unwrap()
}
