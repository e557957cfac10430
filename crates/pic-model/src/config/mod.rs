//! `cell.toml`, version 1: from text to [`Desired`], or every [`Problem`] at once.
//!
//! Flow: `text` → [`toml`] syntax tree with spans → [`reader`] (typed fields, unknown ones refused) → [`sections`]
//! (one function per table) → [`check`] (what must hold between tables). [`fields`] is the one list of fields; the
//! reader refuses what is not in it and the man page is printed from it.

mod app;
mod blocks;
mod check;
mod dns;
mod egress;
mod exit;
mod extend;
pub mod fields;
mod group;
mod lan;
mod place;
mod policy;
pub mod proxy;
mod reader;
mod sections;
mod tests;
mod time;
mod unique;
mod values;

pub(crate) use blocks::{blocks, without};
pub(crate) use extend::has_tables;
pub use extend::{extend, shrink};

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::desired::{Desired, Endpoint};
use crate::name::PeerName;
use crate::problem::{Problem, ProblemCode, Problems};

/// The version of the file this release reads.
pub const VERSION: i64 = 1;

/// Larger texts are refused unread: 64 MiB is a hundred times a cell of 10,000 peers.
pub const MAX_BYTES: usize = 64 << 20;

/// Syntax errors told at once. Damage of one kind makes one for each byte, and nobody reads on after so many.
const MAX_SYNTAX: usize = 100;

/// A file that was read and is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What it means.
    pub desired: Desired,
    /// Addresses that it leaves to the cell. They follow from the other peers in it, so a file that is to be kept must
    /// be given them ([`crate::edit::give_addresses`]): else a device would move when another one goes.
    pub given: BTreeMap<PeerName, Ipv4Addr>,
}

/// Where somebody is dialled, as `vpn.example.org:51820` or `[2001:db8::7]:51820`; the port may be absent.
pub fn endpoint(text: &str) -> Option<Endpoint> {
    values::endpoint(text).ok()
}

/// Reads and validates a whole file.
pub fn parse(text: &str) -> Result<Desired, Problems> {
    read(text, None).map(|read| read.desired)
}

/// Reads and validates a whole file. Peers for which it says no address keep the one that they have in `before`.
pub fn read(text: &str, before: Option<&Desired>) -> Result<Read, Problems> {
    if text.len() > MAX_BYTES {
        return Err(Problems(vec![Problem {
            line: 0,
            column: 0,
            path: String::new(),
            code: ProblemCode::Syntax,
            message: format!("the file is larger than {} MiB", MAX_BYTES >> 20),
            hint: String::new(),
        }]));
    }
    let place = place::Places::new(text);
    let (root, syntax) = toml::de::DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        return Err(Problems(syntax.iter().take(MAX_SYNTAX).map(|error| place.syntax(error)).collect()));
    }
    let mut problems = Vec::new();
    let mut reader = reader::Reader::root(root.get_ref(), &place, &mut problems);
    let desired = sections::cell_file(&mut reader, before);
    if problems.is_empty()
        && let Some((desired, marks)) = desired
    {
        check::across(&desired, &marks, &place, &mut problems);
        egress::check(&marks.egress, &desired, &place, &mut problems);
        exit::lans(&marks.lans, &marks.reservations, &desired, &place, &mut problems);
        let mut seen = lan::check::Seen { place: &place, problems: &mut problems };
        lan::check::lans(&marks.lans, &desired, &mut seen);
        lan::check::subnets(&marks.subnets, &desired, &mut seen);
        lan::check::reservations(&marks.reservations, &desired, &mut seen);
        tests::check(&marks.tests, &desired, &place, &mut problems);
        policy::check::all(&marks.policy, &desired, &place, &mut problems);
        if problems.is_empty() {
            return Ok(Read { desired, given: marks.given });
        }
    }
    problems.sort();
    Err(Problems(problems))
}
