//! Blocklists that are fetched: once a day by HTTPS, by this unprivileged process and nobody else.
//!
//! The certificate is always checked. Bounded: bytes, time, redirects. What came is taken only if it is a list
//! ([`judge`]); else, and whenever it cannot be had, the copy on disk stays in force, also over restarts ([`store`]).
//! Nothing here touches the answering of questions: a new file is found as any other new file of a list is.

mod http;
mod judge;
mod store;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pic_model::https_url::HttpsUrl;

use crate::blocklist::Download;
use crate::clock;
use crate::server::Server;
use http::Got;
use store::Copy;

pub use store::path;

/// How often a list is fetched.
const DAY: Duration = Duration::from_secs(86_400);
/// First wait after a failure; it doubles each time.
const RETRY: Duration = Duration::from_secs(15);
const RETRY_MAX: Duration = Duration::from_secs(6 * 3_600);
const TICK: Duration = Duration::from_secs(1);

/// When a list is due, by a clock that nobody sets.
#[derive(Debug)]
struct Turn {
    due: Instant,
    failures: u32,
}

/// Keeps the lists of whatever is served up to date, one after the other, for ever.
pub async fn run(server: Arc<Server>) {
    let mut turns: BTreeMap<HttpsUrl, Turn> = BTreeMap::new();
    loop {
        let lists = Arc::clone(&server.world.load().blocklists);
        let wanted = lists.downloads();
        turns.retain(|url, _| wanted.iter().any(|download| download.url == *url));
        for download in wanted {
            let copy = || Copy::open(lists.folder(), &download.url);
            let turn = turns.entry(download.url.clone()).or_insert_with(|| first(&copy(), &download));
            if turn.due <= Instant::now() {
                *turn = fetch(&server, lists.folder(), copy(), &download, turn.failures).await;
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// At the start a list is due a day after it was fetched last, as far as the clock on the wall can be believed.
fn first(copy: &Copy, download: &Download) -> Turn {
    download.checked(copy.checked());
    let age = copy.checked().map(|at| clock::now().as_second() - at.as_second());
    let age = age.and_then(|age| u64::try_from(age).ok()).map(Duration::from_secs);
    let wait = age.map_or(Duration::ZERO, |age| DAY.saturating_sub(age));
    Turn { due: Instant::now() + wait, failures: 0 }
}

async fn fetch(server: &Arc<Server>, folder: &Path, copy: Copy, download: &Download, failures: u32) -> Turn {
    let url = &download.url;
    match renew(server, folder, copy, url).await {
        Ok(checked) => {
            tracing::info!(%url, "blocklist fetched");
            download.checked(Some(checked));
            download.failed(None);
            Turn { due: Instant::now() + jittered(DAY), failures: 0 }
        }
        Err(error) => {
            let text = format!("{url}: {error}");
            tracing::warn!(error = text, "blocklist not fetched, the last good copy stays");
            download.failed(Some(text));
            let wait = RETRY.saturating_mul(1 << failures.min(20)).min(RETRY_MAX);
            Turn { due: Instant::now() + jittered(wait), failures: failures.saturating_add(1) }
        }
    }
}

/// Fetches one list, unless it is as it was.
async fn renew(server: &Arc<Server>, folder: &Path, mut copy: Copy, url: &HttpsUrl) -> io::Result<Timestamp> {
    let new = store::New::create(folder, url)?;
    match http::get(server, url, copy.tags(), new.file()?).await? {
        Got::Same => {}
        Got::New(tags) => {
            let old = copy.entries();
            // A million names take a second; the other thread answers meanwhile.
            let judged =
                tokio::task::spawn_blocking(move || judge::judge(new.path(), old).map(|names| (new, names)));
            let (new, names) = judged.await.map_err(io::Error::other)??;
            new.keep()?;
            copy.replaced(tags, names);
        }
    }
    let now = clock::now();
    copy.write(folder, now)?;
    Ok(now)
}

/// Up to a tenth more or less, so that all the cells of the world do not ask at once.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness there is no jitter.
    let _ = getrandom::fill(&mut byte);
    wait * (231 + u32::from(byte[0]) / 5) / 256
}
