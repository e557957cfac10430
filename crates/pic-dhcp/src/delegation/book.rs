//! Which prefixes were delegated, and until when they count. One that goes is remembered until no host has an address of
//! it any more, also across a restart: hosts are told that it is over (RFC 9096 section 3.4).

use ipnet::Ipv6Net;
pub use pic_model::snapshot::dhcp::HeldPrefix as Held;

use crate::prefixes::Life;

/// Prefixes that are remembered at once.
const MOST: usize = 8;
/// Seconds that addresses of a prefix that has gone stay valid: as long as a host that was told less may keep them
/// (RFC 4862 section 5.5.3).
const GOING: u64 = 7200;

/// Whether a prefix is more than a memory.
fn is_current(held: &Held, now: u64) -> bool {
    held.preferred_until > now
}

/// All of them, in the order in which they were first given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    held: Vec<Held>,
}

impl Book {
    /// As written down at a time. A clock that was set meanwhile makes nothing last longer than it was given for; what is
    /// over by it may still be known to hosts, and is let go in good order.
    pub fn read_at(held: Vec<Held>, written: u64, now: u64) -> Self {
        let one = |held: Held| {
            let until = |at: u64| at.min(now.saturating_add(at.saturating_sub(written)));
            let valid_until = until(held.valid_until);
            let valid_until = if valid_until > now { valid_until } else { now + GOING };
            Held { prefix: held.prefix, preferred_until: until(held.preferred_until), valid_until }
        };
        Self { held: held.into_iter().take(MOST).map(one).collect() }
    }

    /// How long addresses in a network last that lies in one of the prefixes.
    pub fn life(&self, net: Ipv6Net, now: u64) -> Life {
        let seconds = |until: u64| u32::try_from(until.saturating_sub(now)).unwrap_or(u32::MAX);
        let held = self.held.iter().find(|held| held.prefix.contains(&net));
        held.map_or(Life::OVER, |held| Life {
            preferred: seconds(held.preferred_until),
            valid: seconds(held.valid_until),
        })
    }

    /// What the uplink gives now; everything else is over. Whether anything but times has changed.
    pub fn take(&mut self, given: &[(Ipv6Net, Life)], now: u64) -> bool {
        let before = self.shape(now);
        self.held.iter_mut().filter(|held| !given.iter().any(|(net, _)| *net == held.prefix)).for_each(
            |held| {
                held.preferred_until = held.preferred_until.min(now);
                held.valid_until = held.valid_until.min(now + GOING);
            },
        );
        for (prefix, life) in given {
            let until = |seconds: u32| now.saturating_add(u64::from(seconds));
            let new = Held {
                prefix: *prefix,
                preferred_until: until(life.preferred),
                valid_until: until(life.valid),
            };
            match self.held.iter_mut().find(|held| held.prefix == *prefix) {
                Some(held) => *held = new,
                None => self.held.push(new),
            }
        }
        // What is over longest goes first.
        while self.held.len() > MOST
            && let Some(at) =
                self.held.iter().enumerate().min_by_key(|(_, held)| held.valid_until).map(|(at, _)| at)
        {
            self.held.remove(at);
        }
        self.shape(now) != before
    }

    /// Forgets what no host can have an address of any more. Whether anything was.
    pub fn expire(&mut self, now: u64) -> bool {
        let before = self.held.len();
        self.held.retain(|held| held.valid_until > now);
        self.held.len() != before
    }

    /// The prefixes, and which of them are current.
    pub fn shape(&self, now: u64) -> Vec<(Ipv6Net, bool)> {
        self.held.iter().map(|held| (held.prefix, is_current(held, now))).collect()
    }

    /// All.
    pub fn held(&self) -> &[Held] {
        &self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv6Net {
        text.parse().unwrap()
    }

    #[test]
    fn an_old_prefix_goes_in_good_order() {
        let (old, new) = (net("2001:db8:1::/56"), net("2001:db8:2::/56"));
        let day = Life { preferred: 43_200, valid: 86_400 };
        let mut book = Book::default();
        assert!(book.take(&[(old, day)], 1000));
        assert!(!book.take(&[(old, day)], 2000), "only its times");
        assert_eq!(book.life(net("2001:db8:1:7::/64"), 2100), Life { preferred: 43_100, valid: 86_300 });
        assert!(book.take(&[(new, day)], 3000));
        assert_eq!(book.life(net("2001:db8:1:7::/64"), 3000), Life { preferred: 0, valid: 7200 });
        assert_eq!(book.shape(3000), [(old, false), (new, true)]);
        assert!(book.expire(10_200) && book.shape(10_200) == [(new, true)]);
        assert_eq!(book.life(old, 10_200), Life::OVER);
        // Read again by a clock that is years ahead, or years behind.
        let kept = book.held().to_vec();
        let ahead = Book::read_at(kept.clone(), 10_200, 900_000_000);
        assert_eq!(ahead.life(new, 900_000_000), Life { preferred: 0, valid: 7200 });
        let behind = Book::read_at(kept, 10_200, 50);
        assert_eq!(behind.life(new, 50), Life { preferred: 36_000, valid: 79_200 });
        for n in 0..20_u16 {
            book.take(&[(net(&format!("2001:db8:{:x}::/56", 100 + n)), day)], 20_000);
        }
        assert_eq!(book.shape(20_000).len(), MOST);
        assert_eq!(book.life(net("2001:db8:77::/56"), 20_000).preferred, 43_200, "the last is there");
    }
}
