use pic_model::exit::proxy::Protocol;
use pic_model::snapshot::proxy::Login;

use super::dialogue::{Dialogue, MOST, Refusal, Step};

const V4: &str = "198.51.100.10:443";
const V6: &str = "[2001:db8:f::10]:443";

fn login() -> Login {
    Login { user: "ada".to_owned(), password: "secret".to_owned() }
}

/// What came by the connection; why there is none; or nothing, where more was waited for.
type End = Result<Vec<u8>, Option<Refusal>>;
/// What is spoken, with which login, what the proxy says, and what is told of it.
type Case<'c> = (Protocol, Option<&'c Login>, &'c [&'c [u8]], &'c str);

/// Lets a proxy say these things, one at each time that it is heard, and `by` bytes at a time; what it was told, and how it
/// ended.
fn talk(
    protocol: Protocol,
    target: &str,
    login: Option<&Login>,
    says: &[&[u8]],
    by: usize,
) -> (Vec<Vec<u8>>, End) {
    let mut dialogue = Dialogue::new(protocol, target.parse().unwrap(), login);
    let mut told = Vec::new();
    let mut says = says.iter().flat_map(|words| words.chunks(by));
    loop {
        match dialogue.step() {
            Ok(Step::Say(words)) => told.push(words),
            Ok(Step::Hear) => match says.next() {
                Some(words) => dialogue.hear(words),
                None => return (told, Err(None)),
            },
            Ok(Step::Done(mut rest)) => {
                rest.extend(says.flatten());
                return (told, Ok(rest));
            }
            Err(refusal) => return (told, Err(Some(refusal))),
        }
    }
}

#[test]
fn socks5_connects_by_addresses_with_and_without_a_login() {
    for by in [1, 2, 100] {
        let answer = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0, b'h', b'i'];
        let (told, end) = talk(Protocol::Socks5, V4, None, &[&[5, 0], &answer], by);
        assert_eq!(told, [vec![5, 1, 0], vec![5, 1, 0, 1, 198, 51, 100, 10, 1, 187]]);
        assert_eq!(end, Ok(b"hi".to_vec()));
        // A name in the answer, as some give it; a login; the other family.
        let answer = [&[5, 0, 0, 3, 2, b'x', b'y', 0, 80][..], b"hi"].concat();
        let (told, end) = talk(Protocol::Socks5, V6, Some(&login()), &[&[5, 2], &[1, 0], &answer], by);
        assert_eq!(told[0], [5, 2, 0, 2]);
        assert_eq!(told[1], b"\x01\x03ada\x06secret");
        assert_eq!(&told[2][..8], [5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8]);
        assert_eq!(end, Ok(b"hi".to_vec()));
    }
}

#[test]
fn http_connects_by_addresses_with_and_without_a_login() {
    for by in [1, 7, 1000] {
        let says: [&[u8]; 1] =
            [b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.0 200 Connection established\r\nVia: x\r\n\r\nhi"];
        let (told, end) = talk(Protocol::Http, V4, None, &says, by);
        assert_eq!(told, [format!("CONNECT {V4} HTTP/1.1\r\nHost: {V4}\r\n\r\n").into_bytes()]);
        assert_eq!(end, Ok(b"hi".to_vec()));
        let (told, end) = talk(Protocol::Http, V6, Some(&login()), &[b"HTTP/1.1 200\n\nhi"], by);
        let words = String::from_utf8(told.concat()).unwrap();
        assert!(words.starts_with("CONNECT [2001:db8:f::10]:443 HTTP/1.1\r\n"), "{words}");
        assert!(words.contains("\r\nProxy-Authorization: Basic YWRhOnNlY3JldA==\r\n"), "{words}");
        assert_eq!(end, Ok(b"hi".to_vec()));
    }
}

#[test]
fn what_a_proxy_refuses_is_told_in_words() {
    let (socks5, http, login) = (Protocol::Socks5, Protocol::Http, login());
    let with = Some(&login);
    let cases: [Case<'_>; 14] = [
        (socks5, None, &[&[5, 0xFF]], "wants a user and a password"),
        (socks5, with, &[&[5, 0xFF]], "refuses user and password"),
        (socks5, with, &[&[5, 2], &[1, 1]], "refuses user and password"),
        // A login that was not offered is not told.
        (socks5, None, &[&[5, 2]], "no proxy that speaks SOCKS5"),
        (socks5, None, &[&[4, 0]], "no proxy that speaks SOCKS5"),
        (socks5, None, &[b"HTTP/1.1 400 Bad Request\r\n\r\n"], "no proxy that speaks SOCKS5"),
        (socks5, None, &[&[5, 0], &[5, 2]], "its rules forbid it"),
        (socks5, None, &[&[5, 0], &[5, 200, 0, 1]], "answer 200"),
        (socks5, None, &[&[5, 0], &[5, 0, 0, 9, 0]], "no proxy that speaks SOCKS5"),
        (http, None, &[b"HTTP/1.1 407 Who?\r\n\r\n"], "wants a user and a password"),
        (http, with, &[b"HTTP/1.1 407 Who?\r\n\r\n"], "refuses user and password"),
        (http, None, &[b"HTTP/1.1 403 No\r\nX: y\r\n\r\n"], "its rules forbid it (answer 403)"),
        (http, None, &[b"SSH-2.0-OpenSSH_9.2\r\n"], "no proxy that speaks HTTP"),
        (http, None, &[b"HTTP/1.1 2000 Yes\r\n\r\n"], "no proxy that speaks HTTP"),
    ];
    for (protocol, login, says, words) in cases {
        for by in [1, 1000] {
            let (_, end) = talk(protocol, V4, login, says, by);
            let refusal = end.unwrap_err().unwrap_or_else(|| panic!("{words}: it waits")).to_string();
            assert!(refusal.contains(words) && !refusal.contains("secret"), "{refusal}, not {words}");
        }
    }
}

#[test]
fn a_proxy_that_talks_without_end_is_not_listened_to() {
    let endless = vec![b'x'; 2 * MOST];
    let head = [b"HTTP/1.1 200 OK\r\nX: ", endless.as_slice()].concat();
    let (_, end) = talk(Protocol::Http, V4, None, &[&head], 1000);
    assert_eq!(end, Err(Some(Refusal::Foreign("HTTP"))));
    let (_, end) = talk(Protocol::Http, V4, None, &[&b"HTTP/1.1 100 Wait\r\n\r\n".repeat(20)], 1000);
    assert_eq!(end, Err(Some(Refusal::Target("answer 100".to_owned()))));
}

#[test]
fn no_password_is_shown_by_debug() {
    for protocol in [Protocol::Socks5, Protocol::Http] {
        let shown = format!("{:?}", Dialogue::new(protocol, V4.parse().unwrap(), Some(&login())));
        assert!(
            !shown.contains("secret") && !shown.contains("115, 101, 99") && !shown.contains("YWRh"),
            "{shown}"
        );
    }
}
