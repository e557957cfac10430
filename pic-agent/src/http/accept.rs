//! Which form of an answer a caller wants: `Accept` (RFC 9110 section 12.5.1).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use pic_api::problem::Code;

use super::failure::Failure;
use super::reply::Outcome;
use super::route::{Answer, Route};

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One document.
    Json,
    /// A list, one document a line.
    Lines,
    /// Server-sent events.
    Events,
}

impl Form {
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }
}

/// Forms a route has, the usual one first.
fn forms(route: &Route) -> &'static [Form] {
    match route.answer {
        Answer::Events(_) => &[Form::Events],
        _ if route.lines => &[Form::Json, Form::Lines],
        _ => &[Form::Json],
    }
}

/// The form that is wanted most; of several wanted alike, the usual one.
pub(crate) fn choose(route: &Route, headers: &HeaderMap) -> Outcome<Form> {
    let forms = forms(route);
    let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = lines.flat_map(|line| line.split(',')).filter_map(Range::read).collect();
    let usual = forms.first().copied().unwrap_or(Form::Json);
    if ranges.is_empty() {
        return Ok(usual);
    }
    let wish = |form: &Form| quality(&ranges, form.kind());
    let best =
        forms.iter().copied().fold(usual, |best, form| if wish(&form) > wish(&best) { form } else { best });
    if wish(&best) > 0 {
        return Ok(best);
    }
    let all: Vec<_> = forms.iter().map(|form| form.kind()).collect();
    Err(Failure::new(Code::NotAcceptable, format!("this is answered as {}", all.join(" or "))))
}

/// A media range, with its weight in thousandths.
struct Range<'a> {
    kind: &'a str,
    weight: u16,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().filter(|kind| kind.contains('/'))?;
        let q = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        Some(Self { kind, weight: q.map_or(1000, weight) })
    }

    /// How exactly it names a kind; `None` when it does not.
    fn names(&self, kind: &str) -> Option<u8> {
        let main = kind.split('/').next().unwrap_or_default();
        if self.kind.eq_ignore_ascii_case(kind) {
            Some(2)
        } else if self.kind.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(main)) {
            Some(1)
        } else {
            (self.kind == "*/*").then_some(0)
        }
    }
}

/// `0`, `1`, and up to three places between them; nonsense counts as full weight.
fn weight(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    match whole {
        "0" => format!("{part:0<3}").get(..3).and_then(|part| part.parse().ok()).unwrap_or(1000),
        _ => 1000,
    }
}

/// The weight of the range that names a kind most exactly; 0 when none does.
fn quality(ranges: &[Range<'_>], kind: &str) -> u16 {
    let named = ranges.iter().filter_map(|range| Some((range.names(kind)?, range.weight)));
    named.max_by_key(|(exactness, _)| *exactness).map_or(0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str, kind: &str) -> u16 {
        let ranges: Vec<_> = accept.split(',').filter_map(Range::read).collect();
        quality(&ranges, kind)
    }

    #[test]
    fn the_most_exact_range_decides() {
        assert_eq!(of("*/*", "application/json"), 1000);
        assert_eq!(of("text/html, */*;q=0.8", "application/json"), 800);
        assert_eq!(of("application/json;q=0, */*", "application/json"), 0);
        assert_eq!(of("application/*;q=0.25, */*", "application/x-ndjson"), 250);
        assert_eq!(of("Application/JSON; charset=utf-8; Q=0.1", "application/json"), 100);
        assert_eq!(of("text/html", "application/json"), 0);
        assert_eq!(of("nonsense", "application/json"), 0);
    }
}
