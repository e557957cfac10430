//! Reads the table back. The generation number that the kernel raises with every transaction is compared before and
//! after, so that what is returned stood in the kernel at one moment.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pic_plan::marks::NFT_TABLE;
use pic_plan::target::nft::{
    Base, ChainKind, Count, Counted, Elements, Hook, ObservedChain, ObservedTable, Tallies,
};

use super::abi;
use super::attributes::{attributes, find, number, number64, text};
use super::elements::{Effect, Key, SetType, Typed, typed};
use super::error::Error;
use super::query::{Interrupted, Query};

/// One reading, with the number of the ruleset.
pub(super) fn read_once(query: &mut Query) -> Result<(u32, Option<ObservedTable>), Interrupted> {
    let before = generation(query)?;
    let table = match table_flags(query)? {
        None => None,
        Some(flags) if flags & abi::TABLE_DORMANT != 0 => Some(ObservedTable::default()),
        Some(_) => Some(read_content(query)?),
    };
    if generation(query)? == before { Ok((before, table)) } else { Err(Interrupted::ByChange) }
}

/// The number of the ruleset, which the kernel raises with every transaction.
pub(super) fn read_generation(query: &mut Query) -> Result<u32, Interrupted> {
    generation(query)
}

fn read_content(query: &mut Query) -> Result<ObservedTable, Interrupted> {
    let mut chains = read_chains(query)?;
    read_comments(query, &mut chains)?;
    let frames = read_sets(query)?;
    let (mut sets, mut rooms) = (BTreeMap::new(), BTreeMap::new());
    for (name, Frame { kind, room }) in frames {
        let elements = read_elements(query, &name, kind)?;
        rooms.extend(room.map(|room| (name.clone(), room)));
        sets.insert(name, elements);
    }
    Ok(ObservedTable { chains, sets, rooms })
}

fn generation(query: &mut Query) -> Result<u32, Interrupted> {
    let answer = query.one("the generation", abi::MSG_GETGEN, abi::FAMILY_UNSPEC, &[])?;
    let malformed = Error::Malformed { object: "the generation" };
    Ok(answer.and_then(|answer| number(&answer, abi::GEN_ID)).ok_or(malformed)?)
}

fn table_flags(query: &mut Query) -> Result<Option<u32>, Interrupted> {
    let name = [(abi::TABLE_NAME, NFT_TABLE)];
    let answer = query.one("the table inet pic", abi::MSG_GETTABLE, abi::FAMILY_INET, &name)?;
    Ok(answer.map(|answer| number(&answer, abi::TABLE_FLAGS).unwrap_or_default()))
}

fn read_chains(query: &mut Query) -> Result<BTreeMap<String, ObservedChain>, Interrupted> {
    let mut chains = BTreeMap::new();
    // Not every kernel lets chains be asked for by table.
    query.dump("chains", abi::MSG_GETCHAIN, &[(abi::CHAIN_TABLE, NFT_TABLE)], |chain| {
        if text(chain, abi::CHAIN_TABLE)? == NFT_TABLE {
            let frame = ObservedChain { base: base(chain), comments: Vec::new() };
            chains.insert(text(chain, abi::CHAIN_NAME)?.to_owned(), frame);
        }
        Some(())
    })?;
    Ok(chains)
}

/// Hook of a chain; `None` too for one that none of ours is like.
fn base(chain: &[u8]) -> Option<Base> {
    let hook = find(chain, abi::CHAIN_HOOK)?;
    let kind = match text(chain, abi::CHAIN_TYPE)? {
        "filter" => ChainKind::Filter,
        "nat" => ChainKind::Nat,
        "route" => ChainKind::Route,
        _ => return None,
    };
    let priority = number(hook, abi::HOOK_PRIORITY)?.cast_signed();
    let accept = number(chain, abi::CHAIN_POLICY)? == abi::VERDICT_ACCEPT;
    let hook = match number(hook, abi::HOOK_NUMBER)? {
        0 => Hook::Prerouting,
        1 => Hook::Input,
        2 => Hook::Forward,
        3 => Hook::Output,
        4 => Hook::Postrouting,
        _ => return None,
    };
    Some(Base { kind, hook, priority, accept })
}

fn read_comments(query: &mut Query, chains: &mut BTreeMap<String, ObservedChain>) -> Result<(), Interrupted> {
    query.dump("rules", abi::MSG_GETRULE, &[(abi::RULE_TABLE, NFT_TABLE)], |rule| {
        if text(rule, abi::RULE_TABLE)? == NFT_TABLE {
            let comment = find(rule, abi::RULE_USERDATA).and_then(comment).unwrap_or_default();
            // A chain made meanwhile is no matter: the generation tells.
            if let Some(chain) = chains.get_mut(text(rule, abi::RULE_CHAIN)?) {
                chain.comments.push(comment);
            }
        }
        Some(())
    })
}

/// What rules have counted, by what they are for ([`pic_plan::target::nft::Rule::why`]); those of one reason together.
pub(super) fn read_counts(query: &mut Query) -> Result<BTreeMap<String, Count>, Interrupted> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    query.dump("rules", abi::MSG_GETRULE, &[(abi::RULE_TABLE, NFT_TABLE)], |rule| {
        if text(rule, abi::RULE_TABLE)? == NFT_TABLE {
            let comment = find(rule, abi::RULE_USERDATA).and_then(comment).unwrap_or_default();
            if let (Some((why, _tag)), Some(count)) = (comment.rsplit_once(" ["), counted(rule)) {
                counts.entry(why.to_owned()).or_default().add(count);
            }
        }
        Some(())
    })?;
    Ok(counts)
}

/// What the counter of a rule says, if it has one.
pub(super) fn counted(rule: &[u8]) -> Option<Count> {
    let items = attributes(find(rule, abi::RULE_EXPRESSIONS)?);
    let mut counters = items.filter(|(kind, _)| *kind == abi::LIST_ITEM).filter_map(|(_, item)| count(item));
    counters.next()
}

/// What an expression says that is a counter.
fn count(expression: &[u8]) -> Option<Count> {
    let data =
        find(expression, abi::EXPR_DATA).filter(|_| text(expression, abi::EXPR_NAME) == Some("counter"))?;
    Some(Count { packets: number64(data, abi::COUNTER_PACKETS)?, bytes: number64(data, abi::COUNTER_BYTES)? })
}

/// The comment in a rule's user data, which is a row of type, length and content, a byte each for the first two.
pub(super) fn comment(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let content = rest.get(..usize::from(*length))?;
        if *kind == abi::USERDATA_COMMENT {
            let content = content.strip_suffix(&[0]).unwrap_or(content);
            return Some(String::from_utf8_lossy(content).into_owned());
        }
        data = rest.get(usize::from(*length)..)?;
    }
    None
}

/// A set without its elements.
struct Frame {
    kind: SetType,
    /// Most elements, where limited.
    room: Option<u32>,
}

fn read_sets(query: &mut Query) -> Result<BTreeMap<String, Frame>, Interrupted> {
    let mut frames = BTreeMap::new();
    query.dump("sets", abi::MSG_GETSET, &[(abi::SET_TABLE, NFT_TABLE)], |set| {
        if text(set, abi::SET_TABLE)? == NFT_TABLE {
            let kind = SetType {
                key_type: number(set, abi::SET_KEY_TYPE)?,
                key_length: number(set, abi::SET_KEY_LEN)?,
                flags: number(set, abi::SET_FLAGS).unwrap_or_default(),
                data_type: number(set, abi::SET_DATA_TYPE).unwrap_or_default(),
                data_length: number(set, abi::SET_DATA_LEN).unwrap_or_default(),
                timeout: number64(set, abi::SET_TIME).unwrap_or_default(),
                effect: effect(set),
            };
            let room = find(set, abi::SET_DESC).and_then(|desc| number(desc, abi::SET_DESC_SIZE));
            frames.insert(text(set, abi::SET_NAME)?.to_owned(), Frame { kind, room });
        }
        Some(())
    })?;
    Ok(frames)
}

fn effect(set: &[u8]) -> Effect {
    match find(set, abi::SET_EXPRESSION) {
        None => Effect::None,
        Some(one) if text(one, abi::EXPR_NAME) == Some("counter") => Effect::Count,
        Some(one) if text(one, abi::EXPR_NAME) == Some("limit") => Effect::Limit,
        Some(_) => Effect::Foreign,
    }
}

/// What the sets that count say; `None` where there is no table of ours.
pub(super) fn read_tallies(query: &mut Query) -> Result<Option<Tallies>, Interrupted> {
    let name = [(abi::TABLE_NAME, NFT_TABLE)];
    let Some(table) = query.one("the table inet pic", abi::MSG_GETTABLE, abi::FAMILY_INET, &name)? else {
        return Ok(None);
    };
    let malformed = Error::Malformed { object: "the table inet pic" };
    let mut tallies =
        Tallies { table: number64(&table, abi::TABLE_HANDLE).ok_or(malformed)?, ..Tallies::default() };
    let before = generation(query)?;
    for (name, frame) in read_sets(query)? {
        if frame.kind.effect == Effect::Count {
            let counts = read_tally(query, &name, frame.kind)?;
            tallies.counts.insert(name, counts);
        }
    }
    if generation(query)? != before {
        return Err(Interrupted::ByChange);
    }
    Ok(Some(tallies))
}

fn read_tally(query: &mut Query, name: &str, kind: SetType) -> Result<Vec<(Counted, Count)>, Interrupted> {
    let mut counts = Vec::new();
    let wanted = [(abi::LIST_TABLE, NFT_TABLE), (abi::LIST_SET, name)];
    query.dump("set elements", abi::MSG_GETSETELEM, &wanted, |part| {
        for (_, element) in attributes(find(part, abi::LIST_ELEMENTS).unwrap_or_default()) {
            let key = key(element).and_then(|key| key.counted(kind));
            let count = find(element, abi::ELEM_EXPRESSION).and_then(count);
            counts.extend(key.zip(count));
        }
        Some(())
    })?;
    Ok(counts)
}

/// What the sets hold whose elements come while the host runs.
pub(super) fn read_learned(query: &mut Query) -> Result<BTreeMap<String, Vec<(IpAddr, u64)>>, Interrupted> {
    let name = [(abi::TABLE_NAME, NFT_TABLE)];
    let table = query.one("the table inet pic", abi::MSG_GETTABLE, abi::FAMILY_INET, &name)?;
    let mut learned = BTreeMap::new();
    let frames = if table.is_some() { read_sets(query)? } else { BTreeMap::new() };
    let is_one = |kind: SetType| [SetType::LEARNED4, SetType::LEARNED6].contains(&kind);
    for (name, frame) in frames.into_iter().filter(|(_, frame)| is_one(frame.kind)) {
        let mut all = Vec::new();
        let wanted = [(abi::LIST_TABLE, NFT_TABLE), (abi::LIST_SET, name.as_str())];
        query.dump("set elements", abi::MSG_GETSETELEM, &wanted, |part| {
            for (_, element) in attributes(find(part, abi::LIST_ELEMENTS).unwrap_or_default()) {
                let address = key(element).and_then(|key| key.learned(frame.kind));
                let left = number64(element, abi::ELEM_EXPIRATION).map(|left| left / MILLISECONDS);
                all.extend(address.zip(left));
            }
            Some(())
        })?;
        learned.insert(name, all);
    }
    Ok(learned)
}

/// Of a second.
const MILLISECONDS: u64 = 1000;

fn read_elements(query: &mut Query, name: &str, kind: SetType) -> Result<Option<Elements>, Interrupted> {
    let mut keys = Vec::new();
    let mut is_foreign = false;
    if kind.is_filled_by_kernel() {
        // Who has sent something lately changes with every packet and is nobody's to compare.
        return Ok(match typed(kind, keys) {
            Typed::Elements(elements) => Some(elements),
            Typed::Foreign | Typed::Repeated => None,
        });
    }
    let wanted = [(abi::LIST_TABLE, NFT_TABLE), (abi::LIST_SET, name)];
    query.dump("set elements", abi::MSG_GETSETELEM, &wanted, |part| {
        for (_, element) in attributes(find(part, abi::LIST_ELEMENTS).unwrap_or_default()) {
            match key(element) {
                Some(key) => keys.push(key),
                None => is_foreign = true,
            }
        }
        Some(())
    })?;
    if is_foreign {
        return Ok(None);
    }
    match typed(kind, keys) {
        Typed::Elements(elements) => Ok(Some(elements)),
        Typed::Foreign => Ok(None),
        Typed::Repeated => Err(Interrupted::ByChange),
    }
}

/// `None` for an element without a key of ours, as the one that stands for all others.
fn key(element: &[u8]) -> Option<Key> {
    let (mut value, mut data, mut flags) = (None, None, 0);
    let limit = |ex: &'_ [u8]| text(ex, abi::EXPR_NAME) == Some("limit");
    for (kind, content) in attributes(element) {
        match kind {
            abi::ELEM_KEY => value = find(content, abi::DATA_VALUE),
            abi::ELEM_DATA => data = find(content, abi::DATA_VALUE),
            abi::ELEM_EXPRESSION if limit(content) => {
                data = find(content, abi::EXPR_DATA).and_then(|limit| find(limit, abi::LIMIT_RATE));
            }
            abi::ELEM_FLAGS => flags = u32::from_be_bytes(*content.first_chunk()?),
            _ => {}
        }
    }
    let key = Key::read(value?, flags & abi::ELEM_INTERVAL_END == 0)?;
    key.with(data.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::comment;

    #[test]
    fn the_comment_is_found_among_other_user_data() {
        assert_eq!(comment(&[7, 2, 9, 9, 0, 3, b'h', b'i', 0]).as_deref(), Some("hi"));
        assert_eq!(comment(&[7, 2, 9, 9]), None);
        assert_eq!(comment(&[0, 200, b'x']), None);
        assert_eq!(comment(&[]), None);
    }
}
