//! What a delegating server says.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use pic_model::address;

use crate::prefixes::Life;
use crate::v6::{Options, option, status};

/// Prefixes of one answer that are looked at.
const MOST: usize = 8;

/// A server's message, as far as we asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'p> {
    /// One of [`crate::v6::kind`].
    pub kind: u8,
    /// Transaction.
    pub xid: [u8; 3],
    /// The server's DUID.
    pub server: &'p [u8],
    /// Which server goes first.
    pub preference: u8,
    /// Whether it has gone to the end at once.
    pub rapid: bool,
    /// Longest seconds between two solicitations, if it says so.
    pub max_pause: Option<u32>,
    /// Status of the whole message or of our request.
    pub status: u16,
    /// Seconds after which to ask again, the same server and any server; 0 leaves it to us.
    pub times: [u32; 2],
    /// Prefixes with their lifetimes; one of no more use has none.
    pub prefixes: Vec<(Ipv6Net, Life)>,
}

/// Reads an answer to the client with this DUID about its identity association of this number; `None` for anything
/// else.
pub fn read<'p>(packet: &'p [u8], client: &[u8], iaid: [u8; 4]) -> Option<Answer<'p>> {
    let ([kind, xid @ ..], rest) = packet.split_first_chunk::<4>()?;
    let options = Options::new(rest);
    let is_ours = options.clone().find(option::CLIENT_ID).is_some_and(|duid| duid == client);
    let server =
        options.clone().find(option::SERVER_ID).filter(|duid| is_ours && crate::v6::duid::is_sound(duid))?;
    let mut answer = Answer {
        kind: *kind,
        xid: *xid,
        server,
        preference: options
            .clone()
            .find(option::PREFERENCE)
            .and_then(|value| value.first().copied())
            .unwrap_or(0),
        rapid: options.clone().find(option::RAPID_COMMIT).is_some(),
        max_pause: options.clone().find(option::SOL_MAX_RT).and_then(number),
        status: status_of(options.clone()),
        times: [0, 0],
        prefixes: Vec::new(),
    };
    let mut all = options;
    let ours = all.find_map(|(code, value)| {
        let (id, rest) = value.split_first_chunk::<4>()?;
        (code == option::IA_PD && *id == iaid).then_some(rest)
    });
    let Some((times, inner)) = ours.and_then(|ia| ia.split_first_chunk::<8>()) else { return Some(answer) };
    answer.times = [number(&times[..4])?, number(&times[4..])?];
    let inner = Options::new(inner);
    if answer.status == status::SUCCESS {
        answer.status = status_of(inner.clone());
    }
    let prefixes =
        inner.filter(|(code, _)| *code == option::IA_PREFIX).filter_map(|(_, value)| prefix(value));
    answer.prefixes = prefixes.take(MOST).collect();
    Some(answer)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

fn status_of(options: Options<'_>) -> u16 {
    let value = options.find(option::STATUS).and_then(|value| value.first_chunk::<2>());
    value.map_or(status::SUCCESS, |bytes| u16::from_be_bytes(*bytes))
}

/// One that can be a cell's; of others we want to know nothing.
fn prefix(value: &[u8]) -> Option<(Ipv6Net, Life)> {
    let (times, rest) = value.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first()?;
    let net = Ipv6Net::new(Ipv6Addr::from(*rest.first_chunk::<16>()?), *length).ok()?;
    let life = Life { preferred: number(&times[..4])?, valid: number(&times[4..])? };
    // RFC 8415 section 21.22: such a pair is to be passed over.
    (address::is_delegable(net) && life.preferred <= life.valid).then_some((net.trunc(), life))
}
