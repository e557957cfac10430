//! The API's client against an agent that says anything.

use std::time::Duration;

use pic_api::client::Client;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

/// Nobody of this target waits: what is to be said is said at once.
const LIMIT: Duration = Duration::from_millis(20);

/// The input is the agent's whole answer, to a plain question and to one for a stream of events.
pub(super) fn exchange(input: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("s");
    runtime.block_on(async {
        let Ok(listener) = UnixListener::bind(&path) else { return };
        let answer = input.to_vec();
        let agent = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        let client = Client::new(&path).with_timeout(LIMIT);
        let _ = client.status().await;
        let mut seen = 0;
        let _ = client.follow("1", Duration::ZERO, |_| seen += 1).await;
        assert!(seen <= input.len() + 1, "more events than bytes");
        agent.abort();
    });
}
