use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use super::*;
use crate::policy::View;

fn packet() -> Vec<u8> {
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01".to_vec()
}

fn task(forwarder: &Arc<Forwarder>) -> Task {
    let packet = packet();
    let query = Query::parse(&packet).unwrap();
    Task::new(Arc::clone(forwarder), &KeyBuf::new(View(0), &query), &query)
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
    let forwarder = Arc::new(Forwarder::new(vec![complaining, silent, good]));
    let entry = task(&forwarder).run().await;
    assert_eq!((entry.answer.rcode, entry.answer.life), (rcode::NOERROR, 60));
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
    let health: Vec<_> = forwarder.status(Instant::now()).iter().map(|u| u.healthy).collect();
    assert_eq!(health, [true, false, true]);
}

#[tokio::test]
async fn equal_questions_are_asked_once() {
    let (good, asked) = upstream(yes).await;
    let forwarder = Arc::new(Forwarder::new(vec![good]));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        tasks.spawn(task(&forwarder).run());
    }
    assert!(tasks.join_all().await.iter().all(|entry| entry.answer.rcode == rcode::NOERROR));
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(forwarder.cache_entries(), 1);
}

#[tokio::test]
async fn failures_come_in_time_and_say_why() {
    let none = Arc::new(Forwarder::new(vec![]));
    assert_eq!(task(&none).run().await.ede, Some(NOT_CONFIGURED));
    let (silent, asked) = upstream(silence).await;
    let started = Instant::now();
    let entry = task(&Arc::new(Forwarder::new(vec![silent]))).run().await;
    assert_eq!((entry.answer.rcode, entry.ede), (rcode::SERVFAIL, Some(UNREACHABLE)));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(asked.load(std::sync::atomic::Ordering::Relaxed) > 1, "packets get lost, so it is asked again");
}

#[tokio::test]
async fn the_only_upstream_may_say_no() {
    let (complaining, _) = upstream(servfail).await;
    let entry = task(&Arc::new(Forwarder::new(vec![complaining]))).run().await;
    assert_eq!((entry.answer.rcode, entry.ede), (rcode::SERVFAIL, None));
}
