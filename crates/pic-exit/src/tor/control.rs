//! The connection to tor's control socket. One for all questions: tor writes a line into its log for each that is opened.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::report::{self, MAX_BYTES, QUESTION};

/// The connection, while there is one.
#[derive(Debug, Default)]
pub(super) struct Control(Option<BufReader<UnixStream>>);

impl Control {
    /// One question and its answer. After a failure, or where the caller stops waiting, the next is asked anew.
    pub(super) async fn ask(&mut self, socket: &Path) -> io::Result<String> {
        let mut stream = match self.0.take() {
            Some(stream) => stream,
            None => BufReader::new(UnixStream::connect(socket).await?),
        };
        stream.write_all(QUESTION.as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            let left = MAX_BYTES.saturating_sub(answer.len()) as u64;
            if (&mut stream).take(left).read_until(b'\n', &mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&answer);
            if report::is_whole(&text) {
                let text = text.into_owned();
                self.0 = Some(stream);
                return Ok(text);
            }
        }
    }
}
