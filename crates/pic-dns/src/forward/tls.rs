//! DNS over TLS (RFC 7858): one connection, kept open between questions, many questions at once on it.
//!
//! The certificate is always checked, against the system's certificate store and the configured name; there is no
//! fallback to plain DNS.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::path::Path;
use super::stream::{frame, read_frame};
use super::udp::{accept, judge, random_id};
use super::upstream::{Carrier, Question};
use crate::wire::answer::Answer;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Servers close idle connections after some seconds; closing first avoids losing a question to that race.
const IDLE: Duration = Duration::from_secs(8);
const QUEUE: usize = 64;

pub(crate) type Stream = TlsStream<TcpStream>;

/// A question on its way to the connection, and where its answer goes.
struct Job {
    message: Vec<u8>,
    id: u16,
    reply: oneshot::Sender<Vec<u8>>,
}

/// One DNS-over-TLS server.
#[derive(Debug)]
pub(super) struct TlsUpstream {
    address: SocketAddr,
    name: String,
    path: Path,
    connection: Mutex<Option<mpsc::Sender<Job>>>,
}

impl TlsUpstream {
    pub(super) fn new(address: SocketAddr, name: &str, path: Path) -> Self {
        Self { address, name: name.to_owned(), path, connection: Mutex::new(None) }
    }

    /// Asks over the open connection, or a new one.
    pub(super) async fn ask(&self, question: &Question) -> io::Result<Answer> {
        // The server may close an old connection just as we write: that says nothing about the server, so once more.
        match self.ask_once(question, false).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
                self.ask_once(question, true).await
            }
            result => result,
        }
    }

    async fn ask_once(&self, question: &Question, fresh: bool) -> io::Result<Answer> {
        let id = random_id()?;
        let message = question.message(id, Carrier::Encrypted)?;
        let (reply, answer) = oneshot::channel();
        let jobs = timeout(CONNECT_TIMEOUT, self.jobs(fresh)).await??;
        let aborted = || io::Error::from(io::ErrorKind::ConnectionAborted);
        jobs.send(Job { message: message.clone(), id, reply }).await.map_err(|_| aborted())?;
        let answer = timeout(ANSWER_TIMEOUT, answer).await?.map_err(|_| aborted())?;
        accept(judge(&answer, &message, question))
    }

    async fn jobs(&self, fresh: bool) -> io::Result<mpsc::Sender<Job>> {
        let mut connection = self.connection.lock().await;
        if let Some(jobs) = connection.as_ref().filter(|jobs| !fresh && !jobs.is_closed()) {
            return Ok(jobs.clone());
        }
        let stream = connect(&self.path, self.address, &self.name, &[]).await?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(drive(stream, receiver));
        *connection = Some(sender.clone());
        Ok(sender)
    }
}

/// A connection to a server whose certificate carries `name`.
pub(crate) async fn connect_plain(address: SocketAddr, name: &str) -> io::Result<Stream> {
    connect(&Path::default(), address, name, &[]).await
}

/// A connection to a server whose certificate carries `name`, offering these application protocols.
pub(super) async fn connect(
    path: &Path,
    address: SocketAddr,
    name: &str,
    protocols: &[&[u8]],
) -> io::Result<Stream> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut config = client_config()?;
    if !protocols.is_empty() {
        Arc::make_mut(&mut config).alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
    }
    let stream = path.tcp(address).await?;
    stream.set_nodelay(true)?;
    TlsConnector::from(config).connect(name, stream).await
}

/// Settings of all TLS connections; the certificate store is read once.
fn client_config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let text = "no certificate authorities on this system; install the package ca-certificates";
        return Err(io::Error::other(text));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

/// Serves a connection until it fails or nobody has asked for a while. Dropping the queue tells everybody.
async fn drive(stream: Stream, mut jobs: mpsc::Receiver<Job>) {
    let (reader, mut writer) = split(stream);
    let (sender, mut replies) = mpsc::channel(QUEUE);
    let reading = tokio::spawn(read_all(reader, sender));
    let mut waiting: BTreeMap<u16, oneshot::Sender<Vec<u8>>> = BTreeMap::new();
    loop {
        // Both branches only receive from channels, so nothing is lost when the other one wins.
        tokio::select! {
            job = jobs.recv() => {
                let Some(job) = job else { break };
                // Clients that gave up leave their id behind.
                waiting.retain(|_, reply| !reply.is_closed());
                // Two equal random ids at once: the later question is turned away and asked anew.
                if waiting.contains_key(&job.id) {
                    continue;
                }
                if write(&mut writer, &job.message).await.is_err() {
                    break;
                }
                waiting.insert(job.id, job.reply);
            }
            reply = replies.recv() => {
                let Some(reply) = reply else { break };
                if let Some(waiter) = id_of(&reply).and_then(|id| waiting.remove(&id)) {
                    let _ = waiter.send(reply);
                }
            }
            () = tokio::time::sleep(IDLE) => break,
        }
    }
    reading.abort();
    let _ = writer.shutdown().await;
}

async fn write(writer: &mut WriteHalf<Stream>, message: &[u8]) -> io::Result<()> {
    writer.write_all(&frame(message)?).await?;
    writer.flush().await
}

async fn read_all(mut reader: ReadHalf<Stream>, replies: mpsc::Sender<Vec<u8>>) {
    while let Ok(reply) = read_frame(&mut reader).await {
        if replies.send(reply).await.is_err() {
            break;
        }
    }
}

fn id_of(message: &[u8]) -> Option<u16> {
    crate::wire::u16_at(message, 0)
}
