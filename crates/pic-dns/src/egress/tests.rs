use tokio::io::{AsyncBufReadExt as _, BufReader, split};

use super::*;

fn lines() -> Lines {
    let line = |name: &str, set: &str| DnsEgress {
        names: vec![name.to_owned()],
        set: set.to_owned(),
        exit: None,
        open: false,
    };
    Lines::new(&[line("*.video.example", "a"), line("cdn.example", "b")]).unwrap()
}

fn wire(text: &str) -> Vec<u8> {
    name::from_text(text).unwrap()
}

#[test]
fn names_mean_lines() {
    let lines = lines();
    assert_eq!(lines.meaning(3, &wire("www.video.example")), 1);
    assert_eq!(lines.meaning(3, &wire("video.example")), 0);
    assert_eq!(lines.meaning(3, &wire("cdn.example")), 2);
    assert_eq!(lines.meaning(1, &wire("cdn.example")), 0, "a line that is for others");
    assert_eq!(lines.meaning(3, &wire("x.cdn.example")), 0);
    assert_eq!((lines.exit(2), lines.exit(0)), (Some(None), None));
}

#[tokio::test]
async fn an_answer_waits_for_the_agent() {
    let teller = Arc::new(Teller::default());
    let meant = Meant { lines: Arc::new(lines()), among: 3, teller: Arc::clone(&teller) };
    let asked = wire("www.video.example");
    let entry = entry();
    assert!(!meant.is_known(&asked, &entry));
    assert!(!meant.tell(&asked, &entry).await, "nobody is there");
    assert!(meant.tell(&wire("other.example"), &entry).await, "nobody need be told");

    let (ours, theirs) = tokio::io::duplex(4096);
    let served = Arc::clone(&teller);
    let serving = tokio::spawn(async move {
        let (reader, writer) = split(ours);
        served.serve(BufReader::new(reader), writer).await
    });
    while teller.lock().sender.is_none() {
        tokio::task::yield_now().await;
    }
    let (reader, mut writer) = split(theirs);
    let mut reader = BufReader::new(reader);
    for done in [false, true] {
        let (meant, entry, asked) = (meant.clone(), self::entry(), asked.clone());
        let telling = tokio::spawn(async move { meant.tell(&asked, &entry).await });
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        let learned: DnsLearned = serde_json::from_str(&line).unwrap();
        assert_eq!((learned.sets.as_slice(), learned.addresses.len()), (&["a".to_owned()][..], 1));
        let noted = serde_json::to_string(&DnsNoted { id: learned.id, done }).unwrap() + "\n";
        writer.write_all(noted.as_bytes()).await.unwrap();
        assert_eq!(telling.await.unwrap(), done);
    }
    assert!(meant.is_known(&asked, &entry));
    drop((reader, writer));
    serving.await.unwrap().unwrap();
    assert!(teller.lock().sender.is_none());
    assert!(meant.tell(&asked, &entry).await, "what it knows may be given while it is away");
    assert_eq!(teller.lock().begin(mpsc::channel(1).0).len(), 1, "and is told to the next one");
}

fn entry() -> Entry {
    let mut message =
        Message::new(1, hickory_proto::op::MessageType::Response, hickory_proto::op::OpCode::Query);
    let name: hickory_proto::rr::Name = "www.video.example.".parse().unwrap();
    let data = RData::A(hickory_proto::rr::rdata::A::new(203, 0, 113, 9));
    message.add_answer(Record::from_rdata(name, 60, data));
    Entry {
        answer: crate::wire::answer::Answer {
            wire: message.to_vec().unwrap().into(),
            ttls: Box::default(),
            life: 60,
            rcode: 0,
            private: false,
            targets: Box::default(),
        },
        ede: None,
        detail: None,
        proof: crate::cache::Proof::Unchecked,
        stored: Instant::now(),
        renewing: std::sync::atomic::AtomicBool::new(false),
        clean: AtomicU64::new(0),
    }
}
