//! One request, as handlers see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use pic_api::problem::Code;
use pic_engine::{Author, Report};
use pic_model::Desired;
use pic_model::name::PeerName;
use pic_plan::Facts;
use pic_plan::way_in::Session;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use super::Api;
use super::failure::{Failure, no_peer};
use super::reply::Outcome;
use super::route::{Condition, Route, Verb};
use super::tags::Tags;

/// Longest time an answer is kept waiting for a change.
const PATIENCE: Duration = Duration::from_secs(100);

/// A request that came through the gate.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) api: Arc<Api>,
    /// Who asks, which is whose requests they are.
    pub(crate) user: String,
    /// Whom the history names.
    pub(crate) author: Author,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The answer's body is not wanted.
    pub(crate) is_head: bool,
    /// What the body takes of the room that all share, given back with the call.
    #[expect(dead_code, reason = "held, not read")]
    pub(crate) room: Arc<Vec<OwnedSemaphorePermit>>,
}

impl Call {
    /// The body, which must be there.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Outcome<T> {
        if self.body.is_empty() {
            return Err(Failure::bad("this route needs a body in JSON"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::bad(format!("the body is not understood: {error}")))
    }

    /// The body, or nothing.
    pub(crate) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Outcome<T> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// A part of the path.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A part of the path that is a generation.
    pub(crate) fn number(&self, name: &str) -> Outcome<u64> {
        let text = self.parameter(name);
        let missing = || Failure::not_found(format!("there is no generation {text}; see `picctl history`"));
        text.parse().map_err(|_| missing())
    }

    /// The part of the path that is a peer's name. What cannot be one is the name of no peer.
    pub(crate) fn peer_name(&self) -> Outcome<PeerName> {
        let text = self.parameter("name");
        text.parse().map_err(|_| Failure::not_found(no_peer(&text.chars().take(80).collect::<String>())))
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether a preference (RFC 7240) was stated; its value, if it has one.
    fn preference(&self, wanted: &str) -> Option<Option<&str>> {
        let lines = self.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split([',', ';'])).find_map(|token| {
            let (name, value) =
                token.split_once('=').map_or((token, None), |(name, value)| (name, Some(value)));
            name.trim()
                .eq_ignore_ascii_case(wanted)
                .then(|| value.map(|value| value.trim().trim_matches('"')))
        })
    }

    /// A yes-or-no parameter.
    pub(crate) fn choice(&self, name: &str) -> Outcome<Option<bool>> {
        match self.query.get(name).map(String::as_str) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Failure::bad(format!("{name} is true or false"))),
        }
    }

    fn flag(&self, name: &str, default: bool) -> Outcome<bool> {
        Ok(self.choice(name)?.unwrap_or(default))
    }

    /// Whether only the plan is wanted.
    pub(crate) fn wants_plan(&self) -> Outcome<bool> {
        Ok(self.flag("plan", false)? || self.preference("return").flatten() == Some("plan"))
    }

    /// How long to wait for the end of a change.
    pub(crate) fn patience(&self) -> Outcome<Duration> {
        if !self.flag("wait", true)? || self.preference("respond-async").is_some() {
            return Ok(Duration::ZERO);
        }
        match self.preference("wait").flatten() {
            Some(seconds) => {
                let seconds = seconds.parse().map_err(|_| Failure::bad("Prefer: wait= takes seconds"))?;
                Ok(Duration::from_secs(seconds).min(PATIENCE))
            }
            None => Ok(PATIENCE),
        }
    }

    /// How long a reader of something under way waits for its end: not at all, unless it says so.
    pub(crate) fn wait(&self) -> Outcome<Duration> {
        if self.preference("wait").is_some() { self.patience() } else { Ok(Duration::ZERO) }
    }

    /// The states of which the caller says that a change may be made.
    pub(crate) fn if_match(&self) -> Outcome<Option<Tags>> {
        Tags::read(&self.headers, &IF_MATCH)
    }

    /// The answers that the caller has already.
    pub(crate) fn if_none_match(&self) -> Outcome<Option<Tags>> {
        Tags::read(&self.headers, &IF_NONE_MATCH)
    }

    /// Refuses conditions that this route would not look at: whoever states one relies on it.
    pub(crate) fn check_conditions(&self, route: &Route) -> Outcome<()> {
        match route.if_match {
            Condition::None if self.headers.contains_key(IF_MATCH) => {
                return Err(Failure::bad(format!("If-Match means nothing to {} here", route.verb.as_str())));
            }
            Condition::Must => self.must_match()?,
            Condition::None | Condition::May => {}
        }
        if route.verb != Verb::Get && self.headers.contains_key(IF_NONE_MATCH) {
            return Err(Failure::bad("If-None-Match is for GET only"));
        }
        Ok(())
    }

    /// Refuses a change whose maker does not say what was seen: somebody else's could be undone unseen. A plan undoes
    /// nothing.
    pub(crate) fn must_match(&self) -> Outcome<()> {
        if self.headers.contains_key(IF_MATCH) || self.wants_plan()? {
            return Ok(());
        }
        let words = "send If-Match with the tag of what you saw (GET /api/config tells it), or * for whatever there is";
        Err(Failure::new(Code::IfMatchRequired, words))
    }

    /// The cell in force with the facts it was compiled with.
    pub(crate) fn cell(&self) -> Outcome<Cell> {
        Cell::of(self.api.handle.report())
    }

    /// Looks at the host again if the last look is old, but waits only a moment: lists must stay quick.
    pub(crate) async fn freshen(&self) {
        const OLD: i64 = 3;
        let report = self.api.handle.report();
        let is_old = report.reconciled.as_ref().is_none_or(|last| crate::host::now() - last.at >= OLD);
        if is_old {
            self.api.operations.look(&self.api.handle).await;
        }
    }

    /// How whoever asks is logged in to this host, if they say so: four words, as sshd tells them.
    pub(crate) fn session(&self) -> Outcome<Option<Session>> {
        let name = HeaderName::from_static(pic_api::session::HEADER);
        if !self.headers.contains_key(&name) {
            return Ok(None);
        }
        let read = self.header(name).and_then(pic_api::session::read);
        let words = "PIC-Session is the address and port that you come from, and those that you came to, as SSH_CONNECTION has them";
        let pic_api::session::Session { from, from_port, to, port } =
            read.ok_or_else(|| Failure::bad(words))?;
        Ok(Some(Session { from, from_port, to, port }))
    }

    /// Refuses a request of another version.
    pub(crate) fn check_version(&self) -> Outcome<()> {
        match self.header(HeaderName::from_static("pic-api")) {
            Some(version) if version.trim() != pic_api::API_VERSION => Err(Failure::new(
                Code::BadRequest,
                format!("this agent speaks version {} of the API", pic_api::API_VERSION),
            )),
            _ => Ok(()),
        }
    }
}

/// The cell in force.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) report: Arc<Report>,
    pub(crate) desired: Arc<Desired>,
    pub(crate) facts: Arc<Facts>,
}

impl Cell {
    pub(crate) fn of(report: Arc<Report>) -> Outcome<Self> {
        match (report.current.desired.clone(), report.facts.clone()) {
            (Some(desired), Some(facts)) => Ok(Self { report, desired, facts }),
            (Some(_), None) => {
                Err(Failure::unavailable("the host has not been read yet; see `picctl status`"))
            }
            (None, _) => Err(Failure::no_cell()),
        }
    }
}
