//! Words of a line as openvpn splits them: by spaces, in quotes, with a backslash before what is meant as it stands.

/// Words of one line at the most; openvpn takes 16.
const MOST: usize = 16;

/// The words of a line; `None` where a quote is open at its end, or there are too many.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        match letters.peek() {
            None | Some('#' | ';') => return Some(words),
            Some(_) if words.len() == MOST => return None,
            Some(_) => words.push(word(&mut letters)?),
        }
    }
}

fn word(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    let quote = letters.next_if(|letter| matches!(letter, '"' | '\''));
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('\''), '\'') | (Some('"'), '"') => return Some(word),
            // Within single quotes a backslash is a letter as any other.
            (Some('"') | None, '\\') => word.push(letters.next()?),
            (None, letter) if letter.is_whitespace() => return Some(word),
            (_, letter) => word.push(letter),
        }
    }
    quote.is_none().then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_openvpn_does() {
        let words = |line: &str| split(line).map(|words| words.join("|"));
        assert_eq!(
            words("remote  vpn.example.org\t1194 # here").as_deref(),
            Some("remote|vpn.example.org|1194")
        );
        assert_eq!(
            words("x \"C=NL, CN=a \\\"b\" 'c \\ d' e\\ f").as_deref(),
            Some("x|C=NL, CN=a \"b|c \\ d|e f")
        );
        assert_eq!(words("; nothing").as_deref(), Some(""));
        assert_eq!(words("x \"open"), None);
        assert_eq!(words("x \\"), None);
        assert_eq!(split(&"a ".repeat(17)), None);
    }
}
