//! The log of leases on a thread of its own: a slow disk holds up those who wait for it, and no packet.
//!
//! One batch is on its way at a time; what comes meanwhile is the next. So the slower the disk is, the more share a flush.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use crate::lease::Lease;
use crate::store::{Store, StoreError};

/// What the thread is to do.
enum Job {
    Append(Vec<u8>),
    /// Write the log anew with these leases only.
    Rewrite(Vec<(IpAddr, Lease)>),
}

/// How a job went.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: Result<(), StoreError>,
    /// Whether it was the log written anew.
    pub(super) was_rewrite: bool,
    /// Bytes of the log.
    pub(super) length: u64,
}

/// The thread, seen from the other side.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    bell: UnixStream,
    is_busy: bool,
}

/// The thread has ended, which it never does by itself.
#[derive(Debug, thiserror::Error)]
#[error("nobody writes leases any more")]
pub struct Gone;

impl Writer {
    pub(super) fn start(mut store: Store) -> io::Result<Self> {
        let (jobs, asked) = channel::<Job>();
        let (tell, done) = channel();
        let (bell, mut ring) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        thread::Builder::new().name("leases".to_owned()).spawn(move || {
            for job in asked {
                let was_rewrite = matches!(job, Job::Rewrite(_));
                let result = match job {
                    Job::Append(batch) => store.append(&batch),
                    Job::Rewrite(leases) => {
                        store.rewrite(leases.iter().map(|(address, lease)| (*address, lease)))
                    }
                };
                let done = Done { result, was_rewrite, length: store.length() };
                if tell.send(done).is_err() || ring.write_all(&[1]).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs, done, bell, is_busy: false })
    }

    /// Whether a job is under way; the next must wait for its end.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub(super) fn append(&mut self, batch: Vec<u8>) -> Result<(), Gone> {
        self.give(Job::Append(batch))
    }

    pub(super) fn rewrite(&mut self, leases: Vec<(IpAddr, Lease)>) -> Result<(), Gone> {
        self.give(Job::Rewrite(leases))
    }

    fn give(&mut self, job: Job) -> Result<(), Gone> {
        self.is_busy = true;
        self.jobs.send(job).map_err(|_| Gone)
    }

    /// The job that has come to its end, if one has.
    pub(super) fn done(&mut self) -> Result<Option<Done>, Gone> {
        let mut rings = [0; 16];
        let _ = self.bell.read(&mut rings);
        match self.done.try_recv() {
            Ok(done) => {
                self.is_busy = false;
                Ok(Some(done))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }
}

impl AsFd for Writer {
    /// Readable when a job has come to its end.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
