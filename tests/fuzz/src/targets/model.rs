//! `cell.toml`: reading it whole, reading it by its end, changing it by machine.

use pic_model::config::{extend, parse};
use pic_model::desired::Allow;
use pic_model::edit::{self, NewPeer};
use pic_model::egress::{Book, To};
use pic_model::exit::provider;
use pic_model::key::PublicKey;
use pic_model::name::PeerName;
use pic_model::schedule::{Schedule, WEEK, WeekMinute};
use pic_model::snapshot::dns::DnsLearned;
use toml::{Table, Value};

/// Problems point into the text; the short way of reading agrees with the long one.
pub(super) fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let whole = parse(&text);
    if let Err(problems) = &whole {
        assert!(!problems.0.is_empty(), "refused without a reason");
        let lines = text.lines().count() + 1;
        assert!(
            problems.0.iter().all(|problem| problem.line <= lines),
            "a problem behind the end: {problems}"
        );
        assert!(problems.0.iter().all(|problem| !problem.message.is_empty()), "a problem without words");
    }
    // Where an old text could have ended.
    for (at, _) in text.rmatch_indices("[[peer]]").take(3) {
        for at in [at, at.saturating_sub(1)].into_iter().filter(|at| text.is_char_boundary(*at)) {
            let (old, tail) = text.split_at(at);
            let Ok(before) = parse(old) else { continue };
            if let Some(short) = extend(&before, old, tail) {
                assert_eq!(
                    Some(&short),
                    whole.as_ref().ok(),
                    "extend and parse disagree; the new part:\n{tail}"
                );
            }
        }
    }
}

/// A schedule's text: what it means is told again by its own text, and its next change is one.
pub(super) fn schedule(input: &[u8]) {
    let Ok(schedule) = String::from_utf8_lossy(input).parse::<Schedule>() else { return };
    assert_eq!(schedule.to_string().parse().as_ref(), Ok(&schedule), "another schedule came out");
    assert!(!schedule.words().is_empty(), "a schedule without words");
    for minute in [0, 1, 719, 1_439] {
        let Some(at) = WeekMinute::new(6, minute) else { continue };
        assert!(
            schedule.next_change(at).is_none_or(|wait| (1..=WEEK).contains(&wait)),
            "no minute of a week"
        );
    }
}

/// A provider's file: what is taken can be used, and what is refused is told without a word of the file that could be a key.
pub(super) fn provider(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match provider::read(&text) {
        Ok(provider) => {
            assert!(
                !provider.addresses.is_empty() && provider.carried().next().is_some(),
                "it carries nothing"
            );
            assert!(provider.endpoint.is_some() != provider.listen.is_some() && provider.mtu >= 576);
            assert!(provider.notes.iter().all(|note| note.len() < 200 && !note.contains(char::is_control)));
        }
        Err(error) => {
            assert!(error.line <= text.lines().count() && !error.message.is_empty());
            assert!(error.message.len() < 200 && !error.message.contains(char::is_control), "{error:?}");
            let secret = text.lines().find_map(|line| line.split_once('=')).map(|(_, value)| value.trim());
            assert!(
                secret.is_none_or(|value| value.len() < 44 || !error.message.contains(value)),
                "a value is told"
            );
        }
    }
}

/// First line: a word of [`change`] with up to two arguments, each up to the next tab. Rest: the text.
pub(super) fn edit(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (order, text) = input.split_once('\n').unwrap_or((&input, ""));
    let mut words = order.splitn(3, '\t');
    let mut word = || words.next().unwrap_or_default();
    change(text, word(), word(), word());
}

fn change(text: &str, verb: &str, first: &str, second: &str) {
    let Ok(before) = text.parse::<Table>() else {
        // Adding only appends: what it makes of such a text is for `parse` to refuse.
        if let Ok(name) = first.parse() {
            let refused = edit::remove_peer(text, &name).and(edit::enable_peer(text, &name, true));
            assert!(refused.is_err(), "an edit of what is not TOML");
        }
        assert!(edit::set(text, first, Some(second)).is_err(), "a setting in what is not TOML");
        return;
    };
    let name: Result<PeerName, _> = first.parse();
    let after = match (verb, name) {
        ("set", _) => return setting(&before, first, edit::set(text, first, Some(second)).ok()),
        ("unset", _) => return setting(&before, first, edit::set(text, first, None).ok()),
        ("add", Ok(name)) => return add(text, name),
        ("rename", Ok(name)) => {
            let Ok(new) = second.parse() else { return };
            edit::rename_peer(text, &name, &new)
        }
        ("enable", Ok(name)) => edit::enable_peer(text, &name, second == "yes"),
        ("remove", Ok(name)) => edit::remove_peer(text, &name),
        _ => return,
    };
    if let Ok(after) = after {
        let after = read_back(&after);
        assert_eq!(others(&before, "peer"), others(&after, "peer"), "other tables changed");
        let gone = usize::from(verb == "remove");
        assert_eq!(peers(&before), peers(&after) + gone, "a number of peers");
    }
}

fn read_back(text: &str) -> Table {
    match text.parse() {
        Ok(table) => table,
        Err(error) => panic!("the edited text is not TOML: {error}\n{text}"),
    }
}

fn setting(before: &Table, path: &str, after: Option<String>) {
    if let Some(after) = after {
        let first = path.split('.').next().unwrap_or_default();
        assert_eq!(others(before, first), others(&read_back(&after), first), "other tables changed");
    }
}

fn add(text: &str, name: PeerName) {
    let was_right = parse(text);
    let peer = NewPeer {
        name,
        public_key: PublicKey::from_bytes([5; 32]),
        address: [10, 77, 99, 99].into(),
        allow: Some(vec![Allow::Internet, Allow::Cell]),
        expires: None,
        groups: Vec::new(),
        no_preshared: true,
        endpoint: None,
        offer: false,
    };
    let Ok(added) = edit::add_peer(text, &peer) else { return };
    if let (Ok(before), Ok(after)) = (was_right, parse(&added)) {
        assert_eq!(before.peers.len() + 1, after.peers.len(), "not one peer more");
        assert_eq!((before.cell, before.dns, before.firewall), (after.cell, after.dns, after.firewall));
    }
}

fn others<'t>(table: &'t Table, but: &str) -> Vec<(&'t String, String)> {
    // As text, because NaN is unequal to itself.
    table.iter().filter(|(name, _)| *name != but).map(|(name, value)| (name, format!("{value:?}"))).collect()
}

fn peers(table: &Table) -> usize {
    table.get("peer").and_then(Value::as_array).map_or(0, Vec::len)
}

/// Destinations, what the name server tells, and the book of it.
pub(super) fn egress(input: &[u8]) {
    if let Ok(To::Name(pattern)) = String::from_utf8_lossy(input).parse() {
        assert_eq!(
            pattern.to_string().parse(),
            Ok(To::Name(pattern)),
            "a name that is not read as it is written"
        );
    }
    if let Ok(told) = serde_json::from_slice::<DnsLearned>(input) {
        let mut book = Book::default();
        for set in &told.sets {
            book.learn(set, told.addresses.iter().copied(), 9);
        }
        let distinct = told.addresses.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(book.now(8).values().all(|known| known.len() <= distinct), "more than was told");
    }
    let Ok(mut book) = Book::parse(input) else { return };
    let known = book.now(0);
    book.forget(0);
    assert_eq!(book.now(0).len(), known.values().filter(|all| !all.is_empty()).count());
    book.forget(i64::MAX);
    assert!(book.sets.is_empty(), "kept for ever");
}
