//! What is in a log, also in one that a power cut or a bad disk has been at.

use std::net::IpAddr;

use super::{BATCH, MAGIC, record};
use crate::lease::Lease;

/// Bytes looked at for the next right batch after one whose length is damaged: as many as a batch may have.
const SEARCH: usize = BATCH * 2;
/// Bytes read in all such searches together, for each byte of the log: a log made to be slow is not.
const EFFORT: usize = 4;

/// A log that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Records in their order.
    pub leases: Vec<(IpAddr, Lease)>,
    /// Where the last right batch ends.
    pub end: usize,
    /// Bytes before that which are no right batch.
    pub damaged: usize,
}

/// Reads a log; `None` where it is none.
pub fn contents(bytes: &[u8]) -> Option<Contents> {
    bytes.strip_prefix(MAGIC)?;
    let mut found = Contents { end: MAGIC.len(), ..Contents::default() };
    let mut effort = bytes.len().saturating_mul(EFFORT);
    let mut at = MAGIC.len();
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((records, length)) = batch(rest) {
            found.leases.extend(records);
            at += length;
            found.damaged += at - length - found.end;
            found.end = at;
            continue;
        }
        match next(rest, &mut effort) {
            Some(skip) => at += skip,
            None => break,
        }
    }
    Some(found)
}

/// Bytes to the next right batch: behind the damaged one, or wherever there is one if its length is damaged, too.
fn next(bytes: &[u8], effort: &mut usize) -> Option<usize> {
    let is_right =
        |at: &usize| bytes.get(*at..).and_then(batch).is_some_and(|(records, _)| !records.is_empty());
    let behind = bytes.first_chunk().and_then(|length| usize::try_from(u32::from_le_bytes(*length)).ok());
    let behind = behind.and_then(|length| length.checked_add(8)).filter(is_right);
    behind.or_else(|| {
        let mut may = |at: &usize| {
            let costs = bytes.get(*at..).map_or(0, plausible);
            *effort = effort.saturating_sub(costs + 1);
            *effort > 0 && costs > 0
        };
        (1..bytes.len().min(SEARCH)).find(|at| may(at) && is_right(at))
    })
}

/// Bytes that reading a batch here would take; 0 where there cannot be one.
fn plausible(bytes: &[u8]) -> usize {
    let length = bytes.first_chunk().and_then(|length| usize::try_from(u32::from_le_bytes(*length)).ok());
    length.filter(|length| (1..=SEARCH).contains(length) && length + 8 <= bytes.len()).unwrap_or(0)
}

type Records = Vec<(IpAddr, Lease)>;

/// The batch that these bytes begin with, and its length.
fn batch(bytes: &[u8]) -> Option<(Records, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let mut body = rest.get(..length)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return None;
    }
    let mut records = Vec::new();
    while !body.is_empty() {
        let (record, next) = record::read(body)?;
        records.push(record);
        body = next;
    }
    Some((records, length + 8))
}
