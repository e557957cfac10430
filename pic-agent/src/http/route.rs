//! What a route is: one method on one path, with everything that router and document need to know.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use axum::routing::MethodFilter;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::call::Call;
use super::reply::Outcome;

/// Bodies of most routes.
const SMALL: usize = 4 << 20;
/// Bodies that hold a whole `cell.toml`: its escapes in JSON included.
const LARGE: usize = 64 << 20;

/// Does the work of a route.
pub(crate) type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One method on one path.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) verb: Verb,
    pub(crate) path: &'static str,
    /// Stable name.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// Parameters behind the question mark, with what they mean.
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<Taken>,
    pub(crate) answer: Answer,
    /// It changes the desired state: takes `plan` and `wait`, answers 202 when not waited for.
    pub(crate) changes: bool,
    /// Whether it looks at `If-Match`.
    pub(crate) if_match: Condition,
    /// Its answer is a list, which can be had whole, a value a line.
    pub(crate) lines: bool,
    /// Largest body.
    pub(crate) limit: usize,
    /// Works before the engine has looked at the host.
    pub(crate) early: bool,
    pub(crate) handler: Handler,
}

/// What `If-Match` is to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing: it is refused.
    None,
    /// Heeded where it is given.
    May,
    /// Obligatory, unless only the plan is asked for.
    Must,
}

/// A body that a route takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) shape: Shape,
    pub(crate) is_required: bool,
}

/// What a route answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// One value.
    One(u16, Shape),
    /// One value that nobody may keep, as it holds a key.
    Secret(Shape),
    /// A list of values.
    Many(Shape),
    /// Server-sent events with a value each.
    Events(Shape),
    /// Some JSON object.
    Object,
}

/// A type of `pic-api`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: fn() -> Cow<'static, str>,
    pub(crate) schema: fn() -> RefOr<Schema>,
    pub(crate) parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

pub(crate) const fn of<T: ToSchema>() -> Shape {
    Shape { name: T::name, schema: <T as PartialSchema>::schema, parts: T::schemas }
}

/// HTTP methods of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Parameters of every change.
pub(crate) const CHANGE_QUERY: [(&str, &str); 2] = [
    ("plan", "true: answer the plan and change nothing"),
    ("wait", "false: answer as soon as the change is under way"),
];

impl Route {
    pub(crate) const fn new(
        verb: Verb,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        answer: Answer,
        handler: Handler,
    ) -> Self {
        let (changes, early) = (false, false);
        Self {
            verb,
            path,
            id,
            summary,
            query: &[],
            body: None,
            answer,
            changes,
            if_match: Condition::None,
            lines: false,
            limit: SMALL,
            early,
            handler,
        }
    }

    pub(crate) const fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    pub(crate) const fn takes_body(self, shape: Shape) -> Self {
        Self { body: Some(Taken { shape, is_required: true }), ..self }
    }

    pub(crate) const fn may_take_body(self, shape: Shape) -> Self {
        Self { body: Some(Taken { shape, is_required: false }), ..self }
    }

    pub(crate) const fn changes(self) -> Self {
        Self { changes: true, if_match: Condition::May, ..self }
    }

    pub(crate) const fn matched(self) -> Self {
        Self { if_match: Condition::May, ..self }
    }

    /// Who changes this must say what was seen.
    pub(crate) const fn guarded(self) -> Self {
        Self { if_match: Condition::Must, ..self }
    }

    /// A list of `items`.
    pub(crate) const fn list(self) -> Self {
        Self { lines: true, ..self }
    }

    pub(crate) const fn large(self) -> Self {
        Self { limit: LARGE, ..self }
    }

    pub(crate) const fn early(self) -> Self {
        Self { early: true, ..self }
    }

    /// Whether its answers have tags.
    pub(crate) fn is_tagged(&self) -> bool {
        let is_kept = match self.answer {
            Answer::One(..) | Answer::Many(_) | Answer::Object => true,
            Answer::Secret(_) | Answer::Events(_) => false,
        };
        self.verb == Verb::Get && is_kept
    }

    /// Whether a parameter is known.
    pub(crate) fn takes(&self, name: &str) -> bool {
        let common = if self.changes { CHANGE_QUERY.as_slice() } else { &[] };
        self.query.iter().chain(common).any(|(known, _)| *known == name)
    }
}
