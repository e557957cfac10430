//! Bans: addresses that reach nothing here for a while, whatever is granted. Kept beside `cell.toml`, since they come and
//! go by themselves.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The version of the file.
pub const VERSION: u32 = 1;
/// Most bans at one time; the list is held by whoever feeds it.
pub const MAX_BANS: usize = 20_000;
/// Longest ban, in seconds: a year.
pub const MAX_SECONDS: u64 = 366 * 86_400;
/// Longest reason, in bytes.
pub const MAX_REASON: usize = 200;

/// One ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Whom; one address is a network, too.
    pub network: IpNet,
    /// Unix seconds at which it began.
    pub since: i64,
    /// Unix seconds at which it ends.
    pub until: i64,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// All bans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bans {
    /// [`VERSION`].
    pub version: u32,
    /// By network, each once.
    pub bans: Vec<Ban>,
}

impl Default for Bans {
    fn default() -> Self {
        Self { version: VERSION, bans: Vec::new() }
    }
}

/// What is wrong with a file of bans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BansError {
    /// Not what this release writes.
    #[error("is no list of bans of version {VERSION}")]
    Unreadable,
    /// One more would be too many.
    #[error("holds {MAX_BANS} bans, which is the most there can be")]
    Full,
}

impl Bans {
    /// Reads the file; at most [`MAX_BANS`] of it count.
    pub fn parse(bytes: &[u8]) -> Result<Self, BansError> {
        let mut read: Self = serde_json::from_slice(bytes).map_err(|_| BansError::Unreadable)?;
        if read.version != VERSION {
            return Err(BansError::Unreadable);
        }
        read.bans.truncate(MAX_BANS);
        for ban in &mut read.bans {
            ban.network = ban.network.trunc();
        }
        Ok(read)
    }

    /// Adds one, in the place of one of the same network, and forgets those that are over.
    pub fn add(&mut self, ban: Ban, now: i64) -> Result<(), BansError> {
        self.bans.retain(|old| old.network != ban.network && old.until > now);
        if self.bans.len() >= MAX_BANS {
            return Err(BansError::Full);
        }
        let at = self.bans.partition_point(|old| old.network < ban.network);
        self.bans.insert(at, ban);
        Ok(())
    }

    /// Takes back the ban of exactly this network. Whether there was one that still counted.
    pub fn remove(&mut self, network: IpNet, now: i64) -> bool {
        let before = self.bans.iter().any(|ban| ban.network == network && ban.until > now);
        self.bans.retain(|ban| ban.network != network && ban.until > now);
        before
    }

    /// Those that count at a Unix second.
    pub fn in_force(&self, now: i64) -> impl Iterator<Item = &Ban> {
        self.bans.iter().filter(move |ban| ban.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(network: &str, until: i64) -> Ban {
        Ban { network: network.parse().unwrap(), since: 0, until, reason: String::new() }
    }

    #[test]
    fn bans_come_go_and_end() {
        let mut bans = Bans::default();
        for (network, until) in [("198.51.100.0/24", 10), ("192.0.2.7/32", 20), ("192.0.2.7/32", 30)] {
            bans.add(ban(network, until), 5).unwrap();
        }
        assert_eq!(bans.bans, [ban("192.0.2.7/32", 30), ban("198.51.100.0/24", 10)]);
        assert_eq!(bans.in_force(10).count(), 1);
        let bytes = serde_json::to_vec(&bans).unwrap();
        assert_eq!(Bans::parse(&bytes), Ok(bans.clone()));
        assert!(!bans.remove("198.51.100.0/24".parse().unwrap(), 15), "it was over");
        assert!(bans.remove("192.0.2.7/32".parse().unwrap(), 15));
        assert_eq!(bans.bans, []);
        assert_eq!(Bans::parse(b"{}"), Err(BansError::Unreadable));
    }
}
