//! Entity tags in requests: `If-Match` and `If-None-Match` (RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2).

use axum::http::{HeaderMap, HeaderName};

use super::failure::Failure;
use super::reply::Outcome;

/// What a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tags {
    /// `*`: whatever there is.
    Any,
    /// These, as they stand: each with its quotes, a weak one with `W/`.
    These(Vec<String>),
}

impl Tags {
    /// The condition in a header, over all its lines; `None` where there is none.
    pub(crate) fn read(headers: &HeaderMap, name: &HeaderName) -> Outcome<Option<Self>> {
        let bad =
            || Failure::bad(format!("{name} is *, or tags in quotes with commas between, as \"5-cafe\""));
        let mut all = Vec::new();
        let mut any = false;
        for line in headers.get_all(name) {
            let line = line.to_str().map_err(|_| bad())?;
            match line.trim() {
                "*" => any = true,
                line => all.extend(list(line).ok_or_else(bad)?),
            }
        }
        match (any, all.is_empty()) {
            (true, true) => Ok(Some(Self::Any)),
            (true, false) => Err(bad()),
            (false, true) if headers.contains_key(name) => Err(bad()),
            (false, true) => Ok(None),
            (false, false) => Ok(Some(Self::These(all))),
        }
    }

    /// Strong comparison, as changes need it: a weak tag is like no other.
    pub(crate) fn include(&self, is_it: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().filter(|tag| !tag.starts_with("W/")).any(|tag| is_it(tag)),
        }
    }

    /// Weak comparison with a strong tag, as readers need it.
    pub(crate) fn resemble(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|known| known.trim_start_matches("W/") == tag),
        }
    }
}

/// The tags of one line. A comma may stand inside of quotes, and lists may have empty places.
fn list(mut line: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    loop {
        line = line.trim_start_matches([' ', '\t', ',']);
        if line.is_empty() {
            return Some(tags);
        }
        let open = if line.starts_with("W/") { 2 } else { 0 };
        let inside = line.get(open..)?.strip_prefix('"')?;
        let end = open + 1 + inside.find('"')? + 1;
        tags.push(line.get(..end)?.to_owned());
        line = line.get(end..)?.trim_start_matches([' ', '\t']);
        if !line.is_empty() && !line.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::IF_MATCH;

    fn read(lines: &[&str]) -> Outcome<Option<Tags>> {
        let lines = lines.iter().map(|line| (IF_MATCH, HeaderValue::from_str(line).unwrap()));
        Tags::read(&lines.collect(), &IF_MATCH)
    }

    #[test]
    fn lists_in_every_form() {
        let these = |tags: &[&str]| Some(Tags::These(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["*"]).unwrap(), Some(Tags::Any));
        assert_eq!(read(&["\"a\""]).unwrap(), these(&["\"a\""]));
        assert_eq!(read(&["\"a,b\" ,, W/\"c\"", "\"\""]).unwrap(), these(&["\"a,b\"", "W/\"c\"", "\"\""]));
        for bad in ["", ",", "a", "\"a", "\"a\"b", "\"a\" \"b\"", "w/\"a\"", "*, \"a\"", "W/"] {
            assert!(read(&[bad]).is_err(), "{bad}");
        }
        assert!(read(&["*", "\"a\""]).is_err());
    }

    #[test]
    fn weak_tags_are_for_readers_only() {
        let tags = read(&["W/\"a\", \"b\""]).unwrap().unwrap();
        assert!(tags.resemble("\"a\"") && tags.resemble("\"b\"") && !tags.resemble("\"c\""));
        assert!(tags.include(|tag| tag == "\"b\"") && !tags.include(|tag| tag.contains('a')));
        assert!(Tags::Any.include(|_| false) && Tags::Any.resemble("\"x\""));
    }
}
