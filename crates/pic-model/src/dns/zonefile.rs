//! Zone files (RFC 1035 section 5): what `picctl dns import` reads.
//!
//! `$ORIGIN` and `$TTL` are followed, `$INCLUDE` and `$GENERATE` refused. The SOA and the name servers of the zone
//! itself are left out: a cell has its own. All problems are told, at most [`MAX_PROBLEMS`].

use super::name::{Name, Origin};
use super::rdata::RData;
use super::rtype::RecordType;
use super::token::{Cut, Piece, Scanner, Token};

/// Longest file.
pub const MAX_BYTES: usize = 16 << 20;
/// Most records of one file.
pub const MAX_RECORDS: usize = 200_000;
/// Problems told at once.
pub const MAX_PROBLEMS: usize = 100;
/// Words of one record.
const MAX_WORDS: usize = 1_024;

/// A record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRecord {
    /// Line it begins at, from 1.
    pub line: usize,
    /// Absolute name.
    pub name: Name,
    /// Seconds, where the file says so.
    pub ttl: Option<u32>,
    /// Type.
    pub rtype: RecordType,
    /// Value.
    pub data: RData,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// Line, from 1.
    pub line: usize,
    /// In words.
    pub message: String,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneFile {
    /// Records in order.
    pub records: Vec<ZoneRecord>,
    /// SOA and apex NS records left out.
    pub left_out: usize,
}

/// Reads a file whose names are relative to `zone` until it says otherwise.
pub fn parse(text: &str, zone: &str) -> Result<ZoneFile, Vec<LineError>> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        return Err(vec![LineError { line: 1, message }]);
    }
    let mut reader = Reader {
        scanner: Scanner::new(text),
        zone,
        origin: zone.to_owned(),
        ttl: None,
        owner: None,
        out: ZoneFile::default(),
        problems: Vec::new(),
    };
    reader.run();
    if reader.problems.is_empty() { Ok(reader.out) } else { Err(reader.problems) }
}

struct Reader<'t> {
    scanner: Scanner<'t>,
    zone: &'t str,
    origin: String,
    ttl: Option<u32>,
    owner: Option<Name>,
    out: ZoneFile,
    problems: Vec<LineError>,
}

/// The words of one entry, over several lines where parentheses say so.
struct Entry {
    line: usize,
    has_owner: bool,
    words: Vec<Token>,
    is_last: bool,
}

impl Reader<'_> {
    fn run(&mut self) {
        while self.problems.len() < MAX_PROBLEMS {
            let line = self.scanner.line;
            let result = self.entry().and_then(|entry| {
                let is_last = entry.is_last;
                self.take(entry).map(|()| is_last)
            });
            match result {
                Ok(true) => return,
                Ok(false) if self.out.records.len() > MAX_RECORDS => {
                    let message = format!("there are more than {MAX_RECORDS} records");
                    return self.problems.push(LineError { line, message });
                }
                Ok(false) => {}
                Err(message) => {
                    self.problems.push(LineError { line, message });
                    if self.scanner.line == line {
                        self.scanner.skip_line();
                    }
                }
            }
        }
    }

    fn entry(&mut self) -> Result<Entry, String> {
        let mut entry = Entry {
            line: self.scanner.line,
            has_owner: !self.scanner.at_blank(),
            words: Vec::new(),
            is_last: false,
        };
        let mut depth = 0_u32;
        loop {
            match self.scanner.next()? {
                Piece::Word(word) if entry.words.len() < MAX_WORDS => entry.words.push(word),
                Piece::Word(_) => return Err(format!("there are more than {MAX_WORDS} words")),
                Piece::Cut(Cut::Open) => depth += 1,
                Piece::Cut(Cut::Close) => {
                    depth = depth.checked_sub(1).ok_or("a parenthesis is closed that was not opened")?;
                }
                Piece::Cut(Cut::Line) if depth > 0 => {}
                Piece::Cut(Cut::End) if depth > 0 => {
                    // Nothing follows that could be read.
                    self.problems.push(LineError {
                        line: entry.line,
                        message: "a parenthesis is not closed".to_owned(),
                    });
                    return Ok(Entry { words: Vec::new(), is_last: true, ..entry });
                }
                Piece::Cut(Cut::Line) => return Ok(entry),
                Piece::Cut(Cut::End) => return Ok(Entry { is_last: true, ..entry }),
            }
        }
    }

    fn take(&mut self, entry: Entry) -> Result<(), String> {
        let Entry { line, has_owner, words, .. } = entry;
        let mut rest = words.as_slice();
        let Some(first) = rest.first() else { return Ok(()) };
        if let Some(directive) = first.text().filter(|text| has_owner && text.starts_with('$')) {
            return self.directive(directive, rest.get(1..).unwrap_or_default());
        }
        if has_owner {
            let text = first.text().ok_or("the name is not a text")?;
            let origin = Origin { zone: &self.origin, strict: true };
            let name = origin
                .owner(text)
                .map_err(|error| format!("\"{}\" is no name: {error}", text.escape_debug()))?;
            self.owner = Some(name);
            rest = rest.get(1..).unwrap_or_default();
        }
        let name = self.owner.clone().ok_or("the first record has no name")?;
        self.record(line, name, rest)
    }

    fn record(&mut self, line: usize, name: Name, mut rest: &[Token]) -> Result<(), String> {
        let mut ttl = self.ttl;
        // TTL and class, in either order, each at most once.
        for _ in 0..2 {
            let Some(text) = rest.first().and_then(Token::text) else { break };
            if let Some(seconds) = seconds(text) {
                ttl = Some(seconds);
            } else if text.eq_ignore_ascii_case("IN") {
            } else if ["CH", "HS", "CS"].iter().any(|class| text.eq_ignore_ascii_case(class)) {
                return Err("only class IN is served".to_owned());
            } else {
                break;
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        let (word, values) = rest.split_first().ok_or("the type is missing")?;
        let word = word.text().unwrap_or_default();
        let is_apex = name.as_str() == self.zone;
        if word.eq_ignore_ascii_case("SOA") || (is_apex && word.eq_ignore_ascii_case("NS")) {
            self.out.left_out += 1;
            return Ok(());
        }
        let rtype: RecordType =
            word.parse().map_err(|error| format!("\"{}\" is no type: {error}", word.escape_debug()))?;
        let origin = Origin { zone: &self.origin, strict: true };
        let data = RData::from_words(rtype, values, origin)?;
        self.out.records.push(ZoneRecord { line, name, ttl, rtype, data });
        Ok(())
    }

    fn directive(&mut self, directive: &str, words: &[Token]) -> Result<(), String> {
        let value = match words {
            [one] => one.text(),
            _ => None,
        };
        match (directive.to_ascii_uppercase().as_str(), value) {
            ("$ORIGIN", Some(text)) => {
                let origin = Origin { zone: &self.origin, strict: true };
                let name = origin.target(text).map_err(|error| format!("$ORIGIN is no name: {error}"))?;
                self.origin = name.as_str().to_owned();
                Ok(())
            }
            ("$TTL", Some(text)) => {
                self.ttl = Some(seconds(text).ok_or("$TTL is no number of seconds")?);
                Ok(())
            }
            ("$ORIGIN" | "$TTL", None) => Err(format!("{directive} takes one value")),
            _ => Err(format!("{} is not understood; only $ORIGIN and $TTL are", directive.escape_debug())),
        }
    }
}

/// `3600`, `1h`, `1h30m`; more than a week counts as a week.
fn seconds(text: &str) -> Option<u32> {
    if !text.bytes().next()?.is_ascii_digit() || text.len() > 20 {
        return None;
    }
    let (mut total, mut number) = (0_u64, None::<u64>);
    for byte in text.bytes() {
        let unit = match byte.to_ascii_lowercase() {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    let total = total.checked_add(number.unwrap_or(0))?;
    Some(u32::try_from(total).unwrap_or(u32::MAX).min(super::MAX_TTL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_file() {
        let text = "$ORIGIN home.cell.\n$TTL 1h30m\n@ IN SOA ns hostmaster ( 1 ; serial\n 2 3 4 5 )\n  NS ns\n\
            printer 60 IN A 192.168.40.20\n        IN 60 AAAA fd00::20 ; the same\n\
            _ipp._tcp SRV 0 0 631 printer\nwww.example.org. CNAME printer\n$ORIGIN sub\nx TXT \"a;b\" c\n";
        let file = parse(text, "home.cell").unwrap();
        let lines: Vec<String> = file
            .records
            .iter()
            .map(|r| format!("{} {} {:?} {} {}", r.line, r.name, r.ttl, r.rtype, r.data.text))
            .collect();
        assert_eq!(
            lines,
            [
                "6 printer.home.cell Some(60) A 192.168.40.20",
                "7 printer.home.cell Some(60) AAAA fd00::20",
                "8 _ipp._tcp.home.cell Some(5400) SRV 0 0 631 printer.home.cell.",
                "9 www.example.org Some(5400) CNAME printer.home.cell.",
                "11 x.sub.home.cell Some(5400) TXT \"a;b\" \"c\"",
            ]
        );
        assert_eq!(file.left_out, 2);
    }

    #[test]
    fn every_problem_with_its_line() {
        let text =
            "  A 192.0.2.1\n$INCLUDE other\na A nowhere\nb A 192.0.2.1\nc NAPTR x\nd TXT \"open\ne TXT (x\n";
        let problems = parse(text, "home.cell").unwrap_err();
        assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 2, 3, 5, 6, 7]);
        let many = "x\n".repeat(1_000);
        assert_eq!(parse(&many, "home.cell").unwrap_err().len(), MAX_PROBLEMS);
    }
}
