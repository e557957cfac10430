//! Small changes to known inputs. The same seed makes the same inputs.

/// Longest input made.
const MAX: usize = 64 << 10;
/// Bytes that readers are known to stumble over.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"%",
    b"$",
    b"..",
    b"/",
    b"\\",
    b"\\u0000",
    b"#",
    b"=",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"\xff",
    b"\xc0\x0c",
    b"\xef\xbb\xbf",
    b"-1",
    b"0",
    b"4294967296",
    b"18446744073709551615",
    b"9223372036854775808",
    b"1e999",
    b"null",
    b"true",
    b"::",
    b"0.0.0.0",
    b"255.255.255.255/32",
    b"\x00\x00\x29",
    b"\xff\xff\xff\xff",
    b"\x7f\xff",
];

/// A random number generator with a seed (xorshift64*; quality is no matter here, repeatability is).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        // Any state but zero will do, and near seeds should lead far apart.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `limit`, or 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let high = usize::try_from(self.next() >> 33).unwrap_or(0);
        if limit == 0 { 0 } else { high % limit }
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// A place and a length within `length`, short more often than long.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = if self.below(4) > 0 { 16 } else { length };
        start..(start + self.below(most + 1)).min(length)
    }
}

/// Makes inputs out of a corpus.
#[derive(Debug)]
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    random: Random,
}

impl Mutator {
    /// From inputs and a seed.
    pub fn new(corpus: Vec<Vec<u8>>, seed: u64) -> Self {
        Self { corpus, random: Random::new(seed) }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.random.pick(&self.corpus).cloned().unwrap_or_default();
        for _ in 0..=self.random.below(6) {
            self.change(&mut input);
            input.truncate(MAX);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.range(input.len());
        match random.below(9) {
            0 | 1 => flip(input, random),
            2 => drop(input.drain(at)),
            3 => input.truncate(at.start),
            4 => {
                let again = input[at.clone()].repeat(1 + random.below(40));
                input.splice(at.end..at.end, again.into_iter().take(MAX));
            }
            5 => {
                let word: &[u8] = random.pick(WORDS).copied().unwrap_or_default();
                let end = if random.below(2) == 0 { at.start } else { at.end };
                input.splice(at.start..end, word.iter().copied());
            }
            6 => nudge(input, random),
            7 => input[at].fill([0, 0xFF, b'A', b'9'][random.below(4)]),
            _ => {
                // A piece of another input: what is a keyword there may be one here.
                let other = random.pick(&self.corpus).cloned().unwrap_or_default();
                let piece = random.range(other.len());
                let end = if random.below(2) == 0 { at.start } else { at.end };
                input.splice(at.start..end, other[piece].iter().copied());
            }
        }
    }
}

fn flip(input: &mut [u8], random: &mut Random) {
    let at = random.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

/// Moves a byte or a 16-bit number by a little: lengths and counts become slightly wrong.
fn nudge(input: &mut [u8], random: &mut Random) {
    let at = random.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte = byte.wrapping_add([1, 2, 0xFF, 0xFE, 0x80][random.below(5)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let make = |seed| {
            let mut mutator = Mutator::new(vec![b"hello".to_vec(), b"[cell]\n".to_vec(), Vec::new()], seed);
            (0..500).map(|_| mutator.next_input()).collect::<Vec<_>>()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        assert!(make(3).iter().all(|input| input.len() <= MAX));
    }
}
