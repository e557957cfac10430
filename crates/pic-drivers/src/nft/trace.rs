//! What the kernel tells of the way of a traced packet (`NFT_MSG_TRACE`). The packet's own bytes, which come along, are
//! not looked at.

use super::abi;
use super::attributes::{attributes, find, number, text};

/// One station of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Tells packets apart.
    pub id: u32,
    /// Table.
    pub table: String,
    /// Chain of it.
    pub chain: String,
    /// Handle of the rule that matched; `None`: the chain's end, and its policy.
    pub rule: Option<u64>,
    /// What it came to there.
    pub verdict: Verdict,
    /// Index of the interface that it came in by, where the chain knows it.
    pub iif: Option<u32>,
    /// Index of the interface that it leaves by, where the chain knows it.
    pub oif: Option<u32>,
    /// Its mark.
    pub mark: u32,
}

/// What came of a rule or of the end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The chain lets it pass.
    Accept,
    /// It ends here.
    Drop,
    /// The next rule is looked at, in this chain or another.
    On,
}

/// Reads the attributes of one message; `None` where one is missing or of another shape.
pub(super) fn read(body: &[u8]) -> Option<Event> {
    let mut mark = None;
    let mut rule = None;
    for (kind, content) in attributes(body) {
        match kind {
            abi::TRACE_MARK => mark = content.first_chunk().map(|four| u32::from_be_bytes(*four)),
            abi::TRACE_RULE => rule = content.first_chunk().map(|eight| u64::from_be_bytes(*eight)),
            _ => {}
        }
    }
    // A policy stands alone, where there was no rule.
    let code = match number(body, abi::TRACE_POLICY) {
        Some(policy) => policy,
        None => number(find(body, abi::TRACE_VERDICT)?, abi::VERDICT_CODE)?,
    };
    Some(Event {
        id: number(body, abi::TRACE_ID)?,
        table: text(body, abi::TRACE_TABLE)?.to_owned(),
        chain: text(body, abi::TRACE_CHAIN)?.to_owned(),
        rule,
        verdict: match code & abi::VERDICT_MASK {
            abi::VERDICT_DROP if code < 0x8000_0000 => Verdict::Drop,
            abi::VERDICT_ACCEPT if code < 0x8000_0000 => Verdict::Accept,
            _ => Verdict::On,
        },
        iif: number(body, abi::TRACE_IIF),
        oif: number(body, abi::TRACE_OIF),
        mark: mark.unwrap_or_default(),
    })
}

/// As [`read`], of the first message of a datagram; for fuzzing.
pub fn read_datagram(datagram: &[u8]) -> Vec<Event> {
    super::attributes::messages(datagram).filter_map(|message| read(message.body.get(4..)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One attribute.
    fn put(out: &mut Vec<u8>, kind: u16, content: &[u8]) {
        out.extend(u16::try_from(content.len() + 4).unwrap().to_ne_bytes());
        out.extend(kind.to_ne_bytes());
        out.extend(content);
        out.resize(out.len().next_multiple_of(4), 0);
    }

    #[test]
    fn reads_a_rule_and_a_policy_and_survives_cuts() {
        let mut body = Vec::new();
        put(&mut body, abi::TRACE_ID, &7_u32.to_be_bytes());
        put(&mut body, abi::TRACE_TABLE, b"pic\0");
        put(&mut body, abi::TRACE_CHAIN, b"forward\0");
        put(&mut body, abi::TRACE_RULE, &12_u64.to_be_bytes());
        let mut verdict = Vec::new();
        put(&mut verdict, abi::VERDICT_CODE, &0_u32.to_be_bytes());
        put(&mut body, abi::TRACE_VERDICT, &verdict);
        put(&mut body, abi::TRACE_MARK, &0x0100_0000_u32.to_be_bytes());
        put(&mut body, abi::TRACE_OIF, &3_u32.to_be_bytes());
        let event = read(&body).unwrap();
        assert_eq!((event.id, event.rule, event.verdict, event.oif), (7, Some(12), Verdict::Drop, Some(3)));
        assert_eq!((event.table.as_str(), event.chain.as_str(), event.mark), ("pic", "forward", 0x0100_0000));
        for end in 0..body.len() {
            let _ = read(&body[..end]);
        }
        let jump = |code: u32| {
            let mut body = Vec::new();
            put(&mut body, abi::TRACE_ID, &1_u32.to_be_bytes());
            put(&mut body, abi::TRACE_TABLE, b"x\0");
            put(&mut body, abi::TRACE_CHAIN, b"y\0");
            put(&mut body, abi::TRACE_POLICY, &code.to_be_bytes());
            read(&body).unwrap().verdict
        };
        assert_eq!(
            [jump(1), jump(0), jump(abi::VERDICT_JUMP)],
            [Verdict::Accept, Verdict::Drop, Verdict::On]
        );
    }
}
