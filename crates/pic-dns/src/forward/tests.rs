use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use super::*;
use crate::policy::View;
use crate::wire::query::Query;

fn packet() -> Vec<u8> {
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01".to_vec()
}

fn task(forwarder: &Arc<Forwarder>) -> Task {
    let packet = packet();
    let query = Query::parse(&packet).unwrap();
    Task::new(Arc::clone(forwarder), &KeyBuf::new(View(0), &query), &query, Vec::new(), 0)
}

/// An upstream on loopback that answers every question as `answer` says; `None` is silence.
async fn upstream(
    answer: fn(Message) -> Option<Message>,
) -> (UpstreamConfig, Arc<std::sync::atomic::AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let reply = answer(Message::from_vec(&buffer[..length]).unwrap().into_response());
            if let Some(reply) = reply {
                socket.send_to(&reply.to_vec().unwrap(), client).await.unwrap();
            }
        }
    });
    (UpstreamConfig::Plain { address }, asked)
}

fn yes(mut reply: Message) -> Option<Message> {
    let name = reply.queries[0].name().clone();
    reply.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 1))));
    Some(reply)
}

fn servfail(mut reply: Message) -> Option<Message> {
    reply.metadata.response_code = ResponseCode::ServFail;
    Some(reply)
}

fn silence(_: Message) -> Option<Message> {
    None
}

#[tokio::test]
async fn the_next_upstream_answers_for_one_that_cannot() {
    let (complaining, _) = upstream(servfail).await;
    let (silent, _) = upstream(silence).await;
    let (good, asked) = upstream(yes).await;
    let forwarder = Arc::new(Forwarder::new(vec![complaining, silent, good], 1 << 20, Guard::Trusted, None));
    let entry = task(&forwarder).run().await.entry;
    assert_eq!((entry.answer.rcode, entry.answer.life), (rcode::NOERROR, 60));
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(entry.stored.elapsed() < Duration::from_secs(1), "nobody waits for the silent one");
    let health = || forwarder.status(Instant::now()).iter().map(|u| u.healthy).collect::<Vec<_>>();
    let deadline = Instant::now() + Duration::from_secs(5);
    while health() != [true, false, true] {
        assert!(Instant::now() < deadline, "the silent one is found out all the same: {:?}", health());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn equal_questions_are_asked_once() {
    let (good, asked) = upstream(yes).await;
    let forwarder = Arc::new(Forwarder::new(vec![good], 1 << 20, Guard::Trusted, None));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let task = task(&forwarder);
        tasks.spawn(async move { task.run().await.entry });
    }
    assert!(tasks.join_all().await.iter().all(|entry| entry.answer.rcode == rcode::NOERROR));
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(forwarder.cache_entries(), 1);
}

#[tokio::test]
async fn failures_come_in_time_and_say_why() {
    let none = Arc::new(Forwarder::new(vec![], 1 << 20, Guard::Trusted, None));
    assert_eq!(task(&none).run().await.entry.ede, Some(NOT_CONFIGURED));
    let (silent, asked) = upstream(silence).await;
    let started = Instant::now();
    let entry =
        task(&Arc::new(Forwarder::new(vec![silent], 1 << 20, Guard::Trusted, None))).run().await.entry;
    assert_eq!((entry.answer.rcode, entry.ede), (rcode::SERVFAIL, Some(UNREACHABLE)));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(asked.load(std::sync::atomic::Ordering::Relaxed) > 1, "packets get lost, so it is asked again");
}

#[tokio::test]
async fn the_only_upstream_may_say_no() {
    let (complaining, _) = upstream(servfail).await;
    let entry =
        task(&Arc::new(Forwarder::new(vec![complaining], 1 << 20, Guard::Trusted, None))).run().await.entry;
    assert_eq!((entry.answer.rcode, entry.ede), (rcode::SERVFAIL, None));
}

#[tokio::test]
async fn a_slow_upstream_is_overtaken() {
    let (silent, _) = upstream(silence).await;
    let (good, _) = upstream(yes).await;
    let started = Instant::now();
    let forwarder = Arc::new(Forwarder::new(vec![silent, good], 1 << 20, Guard::Trusted, None));
    assert_eq!(task(&forwarder).run().await.entry.answer.rcode, rcode::NOERROR);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

fn inside(mut reply: Message) -> Option<Message> {
    let name = reply.queries[0].name().clone();
    reply.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 168, 1, 1))));
    Some(reply)
}

#[tokio::test]
async fn private_addresses_do_not_come_from_outside() {
    let (lying, _) = upstream(inside).await;
    let ask = async |guard| {
        let forwarder = Arc::new(Forwarder::new(vec![lying.clone()], 1 << 20, guard, None));
        task(&forwarder).run().await.entry
    };
    let refused = ask(Guard::Outside(vec![])).await;
    assert_eq!((refused.answer.rcode, refused.ede), (rcode::NOERROR, Some(REBINDING)));
    let forwarder = Arc::new(Forwarder::new(vec![lying.clone()], 1 << 20, Guard::Outside(vec![]), None));
    assert_eq!(task(&forwarder).with_private(true).run().await.entry.ede, None, "the host itself");
    assert_eq!(ask(Guard::Trusted).await.ede, None);
    let excepted = name::from_text("example").unwrap().into();
    assert_eq!(ask(Guard::Outside(vec![excepted])).await.ede, None);
}

/// Answers once with a life of a second, then never again.
fn once(mut reply: Message) -> Option<Message> {
    static ASKED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let name = reply.queries[0].name().clone();
    reply.add_answer(Record::from_rdata(name, 1, RData::A(A::new(192, 0, 2, 1))));
    (!ASKED.swap(true, std::sync::atomic::Ordering::Relaxed)).then_some(reply)
}

#[tokio::test]
async fn an_expired_answer_stands_in_for_none() {
    let (dying, _) = upstream(once).await;
    let forwarder = Arc::new(Forwarder::new(vec![dying], 1 << 20, Guard::Trusted, None));
    assert!(!task(&forwarder).run().await.is_stale);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let packet = packet();
    let key = KeyBuf::new(View(0), &Query::parse(&packet).unwrap());
    assert!(forwarder.cached(&key, Instant::now()).is_none(), "a fresh one is tried for");
    let started = Instant::now();
    let served = task(&forwarder).run().await;
    assert!(served.is_stale && served.entry.answer.rcode == rcode::NOERROR);
    assert!(started.elapsed() < Duration::from_millis(2_500), "{:?}", started.elapsed());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !forwarder.cached(&key, Instant::now()).is_some_and(|cached| cached.served.is_stale) {
        assert!(Instant::now() < deadline, "once known to be dead nobody waits");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(forwarder.flush(b"\x07example\x00"), 2);
}
