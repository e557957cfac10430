//! Random messages against the wire rules: nothing panics, and what we compose hickory-proto can read.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use hickory_proto::op::Message;
use pic_dns::wire::answer::{self, Verdict};
use pic_dns::wire::query::Query;
use pic_dns::wire::reply::{self, Reply, Section};
use pic_dns::wire::{name, rtype};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that look like a message often enough to get deep into the parser.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let header = (any::<u16>(), prop_oneof![Just(0x0100_u16), Just(0x8180), any::<u16>()], vec(0u16..3, 4));
    let label = prop_oneof![vec(any::<u8>(), 0..70), Just(b"home".to_vec()), Just(b"cell".to_vec())];
    let body = vec((label, prop_oneof![Just(0xC00C_u16), Just(1), Just(41), any::<u16>()]), 0..12);
    (header, body).prop_map(|((id, flags, counts), body)| {
        let mut bytes: Vec<u8> = [id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect();
        for (label, word) in body {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label);
            bytes.extend(word.to_be_bytes());
        }
        bytes
    })
}

fn dns_name() -> impl Strategy<Value = Vec<u8>> {
    vec(vec(any::<u8>(), 1..20), 0..8).prop_map(|labels| {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend(label);
        }
        wire.push(0);
        wire
    })
}

fn packet(name: &[u8], edns: bool) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        [7, 0x0100, 1, 0, 0, u16::from(edns)].into_iter().flat_map(u16::to_be_bytes).collect();
    bytes.extend(name);
    bytes.extend([0, 1, 0, 1]);
    if edns {
        bytes.extend(b"\x00\x00\x29\x04\xD0\x00\x00\x00\x00\x00\x00");
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(bytes in prop_oneof![message(), vec(any::<u8>(), 0..600)], at in 0usize..700) {
        let _ = Query::parse(&bytes);
        let _ = name::skip(&bytes, at);
        let _ = name::plain_len(&bytes);
        let question = bytes.get(12..bytes.len().min(40)).unwrap_or_default();
        let id = bytes.get(..2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        let _ = answer::judge(&bytes, id, question);
    }

    #[test]
    fn readable_questions_are_readable_to_others(bytes in message()) {
        if let Ok(query) = Query::parse(&bytes) {
            let theirs = Message::from_vec(&bytes);
            // hickory also reads inside options and additional records, which we skip.
            if let Ok(theirs) = theirs {
                prop_assert_eq!(theirs.metadata.id, query.id);
                prop_assert_eq!(theirs.queries.len(), 1);
                prop_assert_eq!(u16::from(theirs.queries[0].query_type()), query.qtype);
            }
        }
    }

    #[test]
    fn replies_parse_back(name in dns_name(), edns: bool, count in 0usize..80, limit in 512usize..2_000) {
        let packet = packet(&name, edns);
        let query = Query::parse(&packet).unwrap();
        let mut out = Vec::new();
        let mut composed = Reply::new(&query, 0, limit, &mut out).authoritative();
        for _ in 0..count {
            composed.record(Section::Answer, 0, rtype::A, 60, &[10, 0, 0, 1]);
        }
        composed.finish();
        prop_assert!(out.len() <= limit);
        let back = Message::from_vec(&out).unwrap();
        prop_assert_eq!(back.edns.is_some(), edns);
        prop_assert!(back.metadata.truncation || back.answers.len() == count);

        // As if an upstream had sent it: judged good, and relayed to a client with its own id and limit.
        if let Verdict::Good(answer) = answer::judge(&out, 7, query.question) {
            prop_assert_eq!(answer.ttls.len(), count);
            let mut relayed = Vec::new();
            reply::relay(&query, &answer.wire, &answer.ttls, false, reply::Age::Seconds(25), limit, &mut relayed);
            prop_assert!(relayed.len() <= limit);
            let back = Message::from_vec(&relayed).unwrap();
            prop_assert!(back.answers.iter().all(|record| record.ttl == 35));
            prop_assert_eq!(back.edns.is_some(), edns);
        } else {
            prop_assert!(back.metadata.truncation);
        }
    }
}
