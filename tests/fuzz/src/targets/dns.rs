//! pic-dns: questions, frames, answers of upstreams, the snapshot.

use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use hickory_proto::op::Message;
use pic_dns::cache::{Entry, Proof};
use pic_dns::counters::Counters;
use pic_dns::dnssec::{Anchors, Asker, Judgement, Validator, authentic};
use pic_dns::doh;
use pic_dns::forward::stream::{frame, read_frame};
use pic_dns::limit::Limiter;
use pic_dns::policy::Client;
use pic_dns::server::{Outcome, Server, Transport};
use pic_dns::snapshot as file;
use pic_dns::tally::Clients;
use pic_dns::wire::answer::{Answer, Verdict, judge, of_wire};
use pic_dns::wire::query::Query;
use pic_dns::wire::reply::Age;
use pic_dns::wire::{name, reply, u16_at};
use pic_dns::world::World;
use pic_model::dns::{Origin, RData, zonefile};
use pic_model::snapshot::dns::DnsStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const ZONES: &str = r#"{"version":1,"generation":9,"listen":["10.77.0.1:53"],"clients":["10.77.0.0/16","fd00::/64"],
    "zones":[{"name":"home.cell","ttl":60,"hosts":[
        {"name":"","addresses":["10.77.0.1"]},{"name":"phone","addresses":["10.77.0.2","fd00::2"]}]}],
    "reverse":["77.10.in-addr.arpa"],"upstreams":[{"kind":"plain","address":"192.0.2.53:53"}]}"#;

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| serving(ZONES))
}

fn serving(zones: &str) -> Server {
    let world = file::KIND
        .parse(Path::new("zone.json"), zones.as_bytes())
        .map(|snapshot| World::compile(&snapshot, &World::empty()));
    let Ok(Ok(world)) = world else { panic!("the target's own zone is wrong: {world:?}") };
    Server {
        world: ArcSwap::from_pointee(world),
        counters: Counters::default(),
        clients: Clients::default(),
        limiter: Limiter::default(),
        teller: std::sync::Arc::default(),
        probes: pic_dns::probe::Probes::default(),
    }
}

/// A question from a client and from a stranger, by both ways.
pub(super) fn query(input: &[u8]) {
    for source in
        [IpAddr::from([10, 77, 0, 2]), IpAddr::from([192, 168, 1, 9]), IpAddr::from([198, 51, 100, 9])]
    {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut out = Vec::new();
            match server().handle(input, source, transport, Instant::now(), &mut out) {
                Outcome::Reply => check_reply(input, &out, transport),
                Outcome::Forward(_) | Outcome::Renew(_) => {
                    assert_eq!(source, IpAddr::from([10, 77, 0, 2]), "forwarded for a stranger")
                }
                Outcome::Drop => {}
            }
        }
    }
}

fn check_reply(asked: &[u8], out: &[u8], transport: Transport) {
    assert!(asked.get(2).is_some_and(|flags| flags & 0x80 == 0), "an answer was answered");
    assert_eq!(asked.get(..2), out.get(..2), "another id");
    assert!(out.get(2).is_some_and(|flags| flags & 0x80 != 0), "not an answer");
    let limit = if transport == Transport::Udp { 1232 } else { 65_535 };
    assert!(out.len() <= limit, "{} bytes", out.len());
    if let Err(error) = Message::from_vec(out) {
        panic!("an answer nobody can read: {error}");
    }
}

/// A zone file: what is accepted can be written into `cell.toml` and is the same when read from there.
pub(super) fn zone_file(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let file = match zonefile::parse(&text, "home.cell") {
        Ok(file) => file,
        Err(errors) => {
            assert!(
                !errors.is_empty() && errors.len() <= zonefile::MAX_PROBLEMS,
                "{} problems",
                errors.len()
            );
            return;
        }
    };
    for record in &file.records {
        let origin = Origin { zone: "home.cell", strict: false };
        let again = RData::parse(record.rtype, &record.data.text, origin);
        assert!(again.as_ref().is_ok_and(|again| *again == record.data), "{record:?} reads as {again:?}");
    }
}

/// A blocklist: what it blocks is bounded by its lines, and nothing in it breaks the reader.
pub(super) fn blocklist(input: &[u8]) {
    let Ok(parsed) = pic_dns::blocklist::read(input) else { panic!("memory cannot fail to be read") };
    assert!(parsed.blocked.len() + parsed.allowed.len() + parsed.skipped <= input.len());
}

/// The body of an answer by HTTPS is a message like any other; here with the id that such questions have.
pub(super) fn https(input: &[u8]) {
    let mut message = vec![0, 0];
    message.extend_from_slice(input.get(2..).unwrap_or_default());
    upstream(&message);
}

/// A trust anchor, an answer, and the answers to whatever is asked to prove it: what is found authentic can be read.
pub(super) fn dnssec(input: &[u8]) {
    let mut frames = Vec::new();
    let mut rest = input;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let Some((frame, behind)) = behind.split_at_checked(u16::from_be_bytes(*length).into()) else {
            break;
        };
        frames.push(frame);
        rest = behind;
    }
    let [anchors, answer, proofs @ ..] = &frames[..] else { return };
    let Ok(anchors) = Anchors::parse(Path::new("anchors"), &String::from_utf8_lossy(anchors)) else { return };
    let Some((asked, qtype, answer)) = taken(answer) else { return };
    let proofs = Proofs(proofs.iter().filter_map(|proof| taken(proof)).collect());
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let validator = Validator::trusting(anchors);
    match runtime.block_on(validator.judge(&proofs, &asked, qtype, &answer)) {
        Judgement::Secure { kept, .. } => {
            let wire = authentic(&answer.wire, &kept, qtype, true);
            assert!(wire.is_none_or(|wire| of_wire(wire, asked.len() + 4).is_some()), "unreadable");
        }
        Judgement::Insecure => {}
        Judgement::Bogus(fault) => assert!(!fault.text.is_empty(), "no reason"),
    }
}

/// A message as the answer to its own question.
fn taken(message: &[u8]) -> Option<(Vec<u8>, u16, Answer)> {
    let body = message.get(12..)?;
    let length = name::plain_len(body)?;
    let question = body.get(..length + 4)?;
    match judge(message, u16_at(message, 0)?, question) {
        Verdict::Good(answer) => {
            Some((question[..length].to_ascii_lowercase(), u16_at(question, length)?, answer))
        }
        Verdict::Truncated | Verdict::WrongCase | Verdict::Foreign => None,
    }
}

struct Proofs(Vec<(Vec<u8>, u16, Answer)>);

impl Asker for Proofs {
    fn ask<'a>(
        &'a self,
        name: &'a [u8],
        qtype: u16,
    ) -> Pin<Box<dyn Future<Output = Arc<Entry>> + Send + 'a>> {
        let found = self.0.iter().find(|(asked, rtype, _)| asked == name && *rtype == qtype);
        let nothing = Answer {
            wire: [].into(),
            ttls: [].into(),
            life: 0,
            rcode: 2,
            private: false,
            targets: [].into(),
        };
        let answer = found.map_or(nothing, |(_, _, answer)| answer.clone());
        let entry = Entry {
            answer,
            ede: None,
            detail: None,
            proof: Proof::Unchecked,
            stored: Instant::now(),
            renewing: AtomicBool::new(false),
            clean: AtomicU64::new(0),
        };
        Box::pin(std::future::ready(Arc::new(entry)))
    }

    fn forget(&self, _: &[u8], _: u16) {}
}

/// A server that asks nobody.
fn alone() -> Arc<Server> {
    static SERVER: OnceLock<Arc<Server>> = OnceLock::new();
    Arc::clone(SERVER.get_or_init(|| {
        let text = ZONES.replace(r#"{"kind":"plain","address":"192.0.2.53:53"}"#, "");
        Arc::new(serving(&text))
    }))
}

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 2));

/// Gives a server all of this at once, and the end; what it sends until it ends the connection.
fn talk<F: Future<Output = ()>>(input: &[u8], serve: impl FnOnce(DuplexStream) -> F) -> Vec<u8> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        return Vec::new();
    };
    runtime.block_on(async {
        let (client, server) = tokio::io::duplex(32 << 10);
        let (mut reader, mut writer) = tokio::io::split(client);
        let mut sent = Vec::new();
        let asking = async {
            // The server may well hang up before the end.
            let _ = writer.write_all(input).await;
            let _ = writer.shutdown().await;
        };
        let reading = async { reader.read_to_end(&mut sent).await };
        let _ = tokio::join!(serve(server), asking, reading);
        sent
    })
}

/// A client by TCP or TLS: whatever it sends, it gets whole messages, each of them an answer.
pub(super) fn stream(input: &[u8]) {
    let sent = talk(input, |stream| pic_dns::converse::converse(stream, CLIENT, alone(), Transport::Tls));
    let mut rest = &sent[..];
    while let Some((length, behind)) = rest.split_first_chunk() {
        let Some((message, behind)) = behind.split_at_checked(u16::from_be_bytes(*length).into()) else {
            panic!("an answer that is cut off")
        };
        assert!(message.get(2).is_some_and(|flags| flags & 0x80 != 0), "not an answer");
        if let Err(error) = Message::from_vec(message) {
            panic!("an answer nobody can read: {error}");
        }
        rest = behind;
    }
    assert!(rest.is_empty(), "half a length");
}

/// A client by HTTPS, as its bytes come out of TLS.
pub(super) fn doh(input: &[u8]) {
    let version = if input.starts_with(b"PRI ") { doh::Version::Http2 } else { doh::Version::Http1 };
    let sent = talk(input, |stream| doh::converse(stream, version, CLIENT, alone()));
    if version == doh::Version::Http1 {
        assert!(sent.is_empty() || sent.starts_with(b"HTTP/1."), "no HTTP");
    }
}

/// A stream, cut into messages and put together again.
pub(super) fn frames(input: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    runtime.block_on(async {
        let mut stream = input;
        let mut read = 0;
        while let Ok(message) = read_frame(&mut stream).await {
            let framed = frame(&message).unwrap_or_default();
            assert_eq!(input.get(read..read + framed.len()), Some(&framed[..]), "another message came out");
            read += framed.len();
        }
    });
}

/// A message of an upstream, taken as the answer to the very question it carries, and relayed.
pub(super) fn upstream(input: &[u8]) {
    let Some(id) = u16_at(input, 0) else { return };
    let Some(body) = input.get(12..) else { return };
    let Some(length) = name::plain_len(body) else { return };
    let Some(question) = body.get(..length + 4) else { return };
    assert_eq!(judge(input, id ^ 1, question), Verdict::Foreign, "taken for an answer with another id");
    if let Verdict::Good(answer) = judge(input, id, question) {
        for edns in [None, Some(512), Some(4096)] {
            for limit in [512, 65_535] {
                relay(input, question, edns, limit, &answer);
            }
        }
    }
}

fn relay(original: &[u8], question: &[u8], edns: Option<u16>, limit: usize, answer: &Answer) {
    let mut asked = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())];
    asked.extend_from_slice(question);
    if let Some(payload) = edns {
        asked.extend_from_slice(b"\0\0\x29");
        asked.extend_from_slice(&payload.to_be_bytes());
        asked.extend_from_slice(&[0; 6]);
    }
    let Ok(query) = Query::parse(&asked) else { panic!("the target's own question is wrong") };
    let mut out = Vec::new();
    reply::relay(&query, &answer.wire, &answer.ttls, false, Age::Seconds(10), limit, &mut out);
    assert!(out.len() <= limit, "{} bytes where {limit} were allowed", out.len());
    assert_eq!(u16_at(&out, 0), Some(0xABCD));
    // Names may be continued at bytes that relaying changes: in the header, and at TTLs, which age 0 leaves alone.
    let into_header = original.windows(2).any(|two| two[0] == 0xC0 && two[1] < 12);
    reply::relay(&query, &answer.wire, &answer.ttls, false, Age::Seconds(0), limit, &mut out);
    if !into_header
        && Message::from_vec(original).is_ok()
        && let Err(error) = Message::from_vec(&out)
    {
        panic!("readable before relaying, not after: {error}");
    }
}

/// What is accepted compiles or is refused; what compiles answers.
pub(super) fn snapshot(input: &[u8]) {
    let Ok(snapshot) = file::KIND.parse(Path::new("zone.json"), input) else { return };
    let Ok(world) = World::compile(&snapshot, &World::empty()) else { return };
    for zone in &snapshot.zones {
        let hosts = zone.hosts.iter().map(|host| format!("{}.{}", host.name, zone.name));
        for text in hosts.chain(zone.records.iter().map(|record| record.name.clone())) {
            if let Some(wire) = name::from_text(&text) {
                let _ = world.zones.lookup(&wire, 1, &Client::ANY);
            }
        }
    }
    let Ok(text) = serde_json::to_vec(&snapshot) else { panic!("a snapshot that cannot be written") };
    assert!(
        file::KIND.parse(Path::new("zone.json"), &text).is_ok_and(|again| again == snapshot),
        "changed by writing"
    );
}

/// What is understood can be written and means the same.
pub(super) fn status(input: &[u8]) {
    let Ok(status) = serde_json::from_slice::<DnsStatus>(input) else { return };
    let Ok(text) = serde_json::to_vec(&status) else { panic!("a status that cannot be written") };
    assert!(
        serde_json::from_slice(&text).is_ok_and(|again: DnsStatus| again == status),
        "changed by writing"
    );
}
