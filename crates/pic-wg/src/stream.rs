//! A stream that sends a whole answer at once.
//!
//! The protocol code writes an answer in tiny pieces, one system call each: with 10,000 peers that is half a million
//! calls. Pieces are gathered here and leave when a block is full or when the next question is awaited.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

const BLOCK: usize = 64 * 1024;

/// Buffers writes until the next read.
#[derive(Debug)]
pub(crate) struct Batched {
    stream: UnixStream,
    pending: Mutex<Vec<u8>>,
}

impl Batched {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, pending: Mutex::new(Vec::new()) }
    }

    fn pending(&self) -> MutexGuard<'_, Vec<u8>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, pending: &mut Vec<u8>) -> io::Result<()> {
        let sent = (&self.stream).write_all(pending);
        // An answer can contain keys: do not leave them in a buffer, and do not send a half-sent block again.
        pending.fill(0);
        pending.clear();
        sent
    }
}

impl Read for &Batched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.send(&mut self.pending())?;
        (&self.stream).read(buf)
    }
}

impl Write for &Batched {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut pending = self.pending();
        pending.extend_from_slice(buf);
        if pending.len() >= BLOCK {
            self.send(&mut pending)?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send(&mut self.pending())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_leave_with_the_next_read() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let batched = Batched::new(ours);
        (&batched).write_all(b"errno=0\n").unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut buf = [0; 64];
        assert_eq!(theirs.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        theirs.write_all(b"get=1\n").unwrap();
        assert_eq!((&batched).read(&mut buf).unwrap(), 6);
        assert_eq!(theirs.read(&mut buf).unwrap(), 8);
        assert_eq!(&buf[..8], b"errno=0\n");
    }
}
