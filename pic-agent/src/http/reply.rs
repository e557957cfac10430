//! Answers.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use pic_api::operation::Operation;
use serde::Serialize;
use zeroize::Zeroizing;

use super::accept::Form;
use super::failure::Failure;
use super::view;

/// What a handler answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Content,
    /// What is kept for a repetition of the request, where the answer itself may be given only once.
    pub(crate) again: Option<Bytes>,
}

/// Body of a [`Reply`].
#[derive(Debug)]
pub(crate) enum Content {
    Json(Bytes),
    /// As it comes, with its media type.
    Stream(Body, &'static str),
    Nothing,
}

/// What a handler returns.
pub(crate) type Outcome<T = Reply> = Result<T, Failure>;

impl Reply {
    pub(crate) fn json(value: &impl Serialize) -> Outcome {
        Ok(Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            body: Content::Json(bytes(value)?),
            again: None,
        })
    }

    /// Server-sent events as they come.
    pub(crate) fn events(body: Body) -> Self {
        Self { body: Content::Stream(body, Form::Events.kind()), ..Self::nothing(StatusCode::OK) }
    }

    /// One document a line, as they come.
    pub(crate) fn lines(body: Body) -> Self {
        Self { body: Content::Stream(body, Form::Lines.kind()), ..Self::nothing(StatusCode::OK) }
    }

    pub(crate) fn nothing(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Content::Nothing, again: None }
    }

    /// For a body that holds a secret: the memory it is in is wiped.
    pub(crate) fn secret_json(value: &impl Serialize, again: &impl Serialize) -> Outcome {
        // Large enough not to grow, which would leave a copy behind.
        let mut body = Zeroizing::new(Vec::with_capacity(64 << 10));
        serde_json::to_writer(&mut *body, value).map_err(|error| Failure::internal(error.to_string()))?;
        let body = Content::Json(Bytes::from_owner(body));
        Ok(Self { status: StatusCode::OK, headers: Vec::new(), body, again: Some(bytes(again)?) })
    }

    /// An operation: done, or under way.
    pub(crate) fn operation(operation: &Operation, is_done: bool) -> Outcome {
        let reply = Self::json(operation)?.location(&format!("/api/operations/{}", operation.id));
        Ok(if is_done { reply } else { reply.with_status(StatusCode::ACCEPTED) })
    }

    pub(crate) fn not_modified(etag: &str) -> Self {
        Self::nothing(StatusCode::NOT_MODIFIED).etag(etag)
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn location(self, path: &str) -> Self {
        self.header(LOCATION, path)
    }

    pub(crate) fn etag(self, tag: &str) -> Self {
        self.header(ETAG, tag)
    }

    /// A whole answer without a tag gets one of its content. One with a secret in it stays without: it is not to be kept.
    pub(crate) fn tagged(self) -> Self {
        match &self.body {
            Content::Json(body)
                if self.status == StatusCode::OK && self.again.is_none() && self.tag().is_none() =>
            {
                let tag = format!("\"{}\"", view::digest(body));
                self.etag(&tag)
            }
            Content::Json(_) | Content::Stream(..) | Content::Nothing => self,
        }
    }

    pub(crate) fn tag(&self) -> Option<&str> {
        let tag = self.headers.iter().find(|(name, _)| *name == ETAG);
        tag.and_then(|(_, tag)| tag.to_str().ok())
    }

    /// Leaves out what cannot stand in a header; ours all can.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let (body, kind) = match self.body {
            Content::Json(bytes) => (Body::from(bytes), Some(Form::Json.kind())),
            Content::Stream(body, kind) => (body, Some(kind)),
            Content::Nothing => (Body::empty(), None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let kind = kind.map(|kind| (CONTENT_TYPE, HeaderValue::from_static(kind)));
        response.headers_mut().extend(kind.into_iter().chain(self.headers));
        response
    }
}

fn bytes(value: &impl Serialize) -> Outcome<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| Failure::internal(error.to_string()))
}
