//! Values of a peer's fields, from the words of a request.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pic_model::desired::{Allow, Endpoint};
use pic_model::exit::WayOut;
use pic_model::name::GroupName;
use pic_model::{Problem, ProblemCode};

use crate::http::failure::field;

/// Every problem of a request at once.
#[derive(Debug, Default)]
pub(super) struct Reader(pub(super) Vec<Problem>);

impl Reader {
    /// A value that says itself what is wrong with it.
    pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        path: &str,
        text: &str,
    ) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.bad(path, error.to_string(), "")).ok()
    }

    pub(super) fn allow(&mut self, words: &[String]) -> Option<BTreeSet<Allow>> {
        let known = [Allow::Internet, Allow::Cell];
        let mut all = BTreeSet::new();
        for (index, word) in words.iter().enumerate() {
            match known.into_iter().find(|allow| allow.as_str() == word) {
                Some(allow) => drop(all.insert(allow)),
                None => {
                    let shown: String = word.chars().take(40).collect();
                    let message = format!("\"{}\" is nothing that can be allowed", shown.escape_debug());
                    self.bad(&format!("allow[{index}]"), message, "write \"internet\" or \"cell\"");
                    return None;
                }
            }
        }
        Some(all)
    }

    /// Names of groups; whether they are there is told where the whole file is read.
    pub(super) fn groups(&mut self, words: &[String]) -> Vec<GroupName> {
        let one = |(index, word): (usize, &String)| self.parse(&format!("groups[{index}]"), word);
        words.iter().enumerate().filter_map(one).collect()
    }

    /// Ways out; whether there are such exits is told where the whole file is read.
    pub(super) fn ways(&mut self, words: &[String]) -> Vec<WayOut> {
        let one = |(index, word): (usize, &String)| match word.as_str() {
            "direct" => Some(WayOut::Direct),
            name => self.parse(&format!("exit[{index}]"), name).map(WayOut::Exit),
        };
        words.iter().enumerate().filter_map(one).collect()
    }

    /// A moment that lies ahead.
    pub(super) fn expires(&mut self, text: &str) -> Option<Timestamp> {
        let hint = "write a time that lies ahead, as \"2027-01-31T12:00:00Z\"";
        match text.parse::<Timestamp>() {
            Ok(at) if at.as_second() > crate::host::now() => {
                return Timestamp::from_second(at.as_second()).ok();
            }
            Ok(_) => self.bad("expires", "the time has passed already".to_owned(), hint),
            Err(_) => self.bad("expires", "this is no time as in RFC 3339".to_owned(), hint),
        }
        None
    }

    /// Where it is dialled.
    pub(super) fn endpoint(&mut self, text: &str) -> Option<Endpoint> {
        let endpoint = pic_model::config::endpoint(text);
        if endpoint.is_none() {
            let hint = "write \"vpn.example.org:51821\" or \"203.0.113.7:51821\"";
            self.bad("endpoint", "this is no host with a port".to_owned(), hint);
        }
        endpoint
    }

    fn bad(&mut self, path: &str, message: String, hint: &str) {
        self.0.push(field(path, ProblemCode::BadValue, message, hint));
    }
}
