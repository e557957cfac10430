//! Words of presentation format: quoted or not, with `\X` and `\DDD` (RFC 1035 section 5.1).

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Its bytes, escapes undone.
    pub(super) bytes: Vec<u8>,
    /// It stood in quotes.
    pub(super) quoted: bool,
}

impl Token {
    /// As text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// What ends a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// End of the text.
    End,
    /// End of a line.
    Line,
    /// `(`
    Open,
    /// `)`
    Close,
}

/// One step through a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Word(Token),
    Cut(Cut),
}

/// Walks over a text.
#[derive(Debug)]
pub(super) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    /// Line of the next byte, from 1.
    pub(super) line: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// Whether the next byte is a blank: in a zone file, a line that begins so has no owner.
    pub(super) fn at_blank(&self) -> bool {
        matches!(self.text.get(self.at), Some(b' ' | b'\t'))
    }

    /// Goes behind the end of the present line.
    pub(super) fn skip_line(&mut self) {
        while let Some(byte) = self.text.get(self.at) {
            self.at += 1;
            if *byte == b'\n' {
                self.line += 1;
                return;
            }
        }
    }

    /// The next word or cut.
    pub(super) fn next(&mut self) -> Result<Piece, &'static str> {
        loop {
            let Some(byte) = self.text.get(self.at) else { return Ok(Piece::Cut(Cut::End)) };
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => {
                    while self.text.get(self.at).is_some_and(|b| *b != b'\n') {
                        self.at += 1;
                    }
                }
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    return Ok(Piece::Cut(Cut::Line));
                }
                b'(' => return Ok(self.cut(Cut::Open)),
                b')' => return Ok(self.cut(Cut::Close)),
                b'"' => return self.quoted().map(Piece::Word),
                _ => return self.plain().map(Piece::Word),
            }
        }
    }

    fn cut(&mut self, cut: Cut) -> Piece {
        self.at += 1;
        Piece::Cut(cut)
    }

    fn quoted(&mut self) -> Result<Token, &'static str> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.text.get(self.at) {
                None | Some(b'\n') => return Err("a quote is not closed"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token { bytes, quoted: true });
                }
                Some(_) => bytes.push(self.byte()?),
            }
        }
    }

    fn plain(&mut self) -> Result<Token, &'static str> {
        let mut bytes = Vec::new();
        loop {
            match self.text.get(self.at) {
                None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')') => {
                    return Ok(Token { bytes, quoted: false });
                }
                // A value in quotes may follow a key, as in alpn="h2,h3".
                Some(b'"') => bytes.extend(self.quoted()?.bytes),
                Some(_) => bytes.push(self.byte()?),
            }
        }
    }

    /// One byte, its escape undone.
    fn byte(&mut self) -> Result<u8, &'static str> {
        const BAD: &str = "a backslash is followed by neither a character nor three digits up to 255";
        let byte = *self.text.get(self.at).ok_or(BAD)?;
        self.at += 1;
        if byte != b'\\' {
            return Ok(byte);
        }
        let next = *self.text.get(self.at).ok_or(BAD)?;
        if !next.is_ascii_digit() {
            self.at += 1;
            return if next == b'\n' { Err(BAD) } else { Ok(next) };
        }
        let digits = self.text.get(self.at..self.at + 3).and_then(|d| std::str::from_utf8(d).ok());
        let byte = digits.and_then(|d| d.parse().ok()).ok_or(BAD)?;
        self.at += 3;
        Ok(byte)
    }
}

/// The words of one value.
pub(super) fn words(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut scanner = Scanner::new(text);
    let mut words = Vec::new();
    loop {
        match scanner.next()? {
            Piece::Word(word) => words.push(word),
            Piece::Cut(Cut::End) => return Ok(words),
            Piece::Cut(Cut::Line | Cut::Open | Cut::Close) => {
                return Err("a value is one line without parentheses");
            }
        }
    }
}

/// Bytes as a quoted word.
pub(super) fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\{byte:03}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_escapes() {
        let words = words(r#"10 "a \"b\" \065" alpn="h2,h3" x\;y ; rest"#).unwrap();
        let texts: Vec<_> = words.iter().map(|w| (w.text().unwrap(), w.quoted)).collect();
        assert_eq!(texts, [("10", false), ("a \"b\" A", true), ("alpn=h2,h3", false), ("x;y", false)]);
    }

    #[test]
    fn bad_words() {
        for bad in ["\"open", "\\", "\\25", "\\999", "a (b)", "a\nb"] {
            assert!(words(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn quoting_is_undone_by_reading() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(words(&quote(&bytes)).unwrap()[0].bytes, bytes);
    }
}
