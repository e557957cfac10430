//! What `pic-exit` reads of proxies, and of resolvers behind them.

use std::net::SocketAddr;

use pic_exit::proxy::dialogue::{Dialogue, MOST, Step};
use pic_exit::proxy::message;
use pic_model::exit::proxy::Protocol;
use pic_model::snapshot::proxy::Login;

/// The first byte says what is spoken, the rest is the proxy's.
pub(super) fn dialogue(input: &[u8]) {
    let Some((choice, says)) = input.split_first() else { return };
    let protocol = if choice & 1 == 0 { Protocol::Socks5 } else { Protocol::Http };
    let login = Login { user: "ada".to_owned(), password: "hunter2hunter2".to_owned() };
    let login = Some(&login).filter(|_| choice & 2 != 0);
    let ways = [1, 7, 4096].map(|by| talk(protocol, login, says, by));
    let [by_bytes, by_some, at_once] = &ways;
    assert!(by_bytes == by_some && by_some == at_once, "pieces change what is understood: {ways:?}");
}

/// How it ends: what came by the connection, words, or nothing where it waits for more.
fn talk(protocol: Protocol, login: Option<&Login>, says: &[u8], by: usize) -> Result<Vec<u8>, String> {
    let mut dialogue = Dialogue::new(protocol, SocketAddr::from(([192, 0, 2, 1], 443)), login);
    let (mut left, mut said) = (says, 0);
    loop {
        match dialogue.step() {
            Ok(Step::Say(words)) => {
                said += 1;
                assert!(said <= 3 && words.len() <= 1024, "it says too much");
            }
            Ok(Step::Hear) => {
                let room = dialogue.room();
                assert!((1..=MOST).contains(&room), "it listens without a place for it");
                let (now, later) = left.split_at(left.len().min(by).min(room));
                if now.is_empty() {
                    return Err(String::new());
                }
                dialogue.hear(now);
                left = later;
            }
            Ok(Step::Done(mut rest)) => {
                assert!(rest.len() <= MOST, "it keeps too much");
                rest.extend_from_slice(left);
                return Ok(rest);
            }
            Err(refusal) => {
                let words = refusal.to_string();
                assert!(
                    words.len() < 200 && !words.contains(char::is_control),
                    "words that cannot be printed"
                );
                assert!(!words.contains("hunter2"), "a password in words");
                return Err(words);
            }
        }
    }
}

/// A question, a byte of its length before it, and an answer.
pub(super) fn answer(input: &[u8]) {
    let Some((length, rest)) = input.split_first() else { return };
    let (question, answer) = rest.split_at(rest.len().min(usize::from(*length)));
    let is_answer = message::answers(question, answer);
    assert!(!is_answer || answer.len() >= 12, "an answer without a head");
    if message::is_question(question) {
        let fits = message::fitting(question, answer.to_vec());
        assert!(fits.len() <= 1232, "more than goes by UDP");
        assert!(
            fits == answer
                || (fits.get(2).is_some_and(|flags| flags & 0x82 == 0x82) && fits.len() <= question.len())
        );
    }
}
