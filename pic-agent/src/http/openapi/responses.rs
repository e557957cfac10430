//! What a route answers: each status with its headers and its body.

use pic_api::operation::Plan;
use pic_api::problem::ProblemDetails;
use utoipa::ToSchema;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{Array, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder, Responses, ResponsesBuilder};

use super::JSON;
use crate::http::accept::Form;
use crate::http::route::{Answer, Route, Shape, Verb, of};

const PROBLEM: &str = "application/problem+json";

pub(super) fn reference(shape: Shape) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name((shape.name)()))
}

/// Every answer of a route.
pub(super) fn responses(route: &Route) -> Responses {
    let all = ResponsesBuilder::new().response("default", problem());
    let (status, kind, schema) = match route.answer {
        Answer::One(status, shape) => (status, JSON, reference(shape)),
        Answer::Secret(shape) => (200, JSON, reference(shape)),
        Answer::Many(shape) => (200, JSON, Array::new(reference(shape)).into()),
        Answer::Events(shape) => (200, "text/event-stream", reference(shape)),
        Answer::Object => (200, JSON, ObjectBuilder::new().build().into()),
    };
    if route.changes {
        return changed(all, status, &schema).build();
    }
    let mut done = answer("Done", kind, schema);
    if route.lines {
        let words = "each value of the whole list on a line of its own; with limit, so many";
        let lines = ObjectBuilder::new().schema_type(Type::String).description(Some(words)).build();
        done = done.content(Form::Lines.kind(), Content::new(Some(lines)));
    }
    let done = headers(done, route);
    let all = all.response(status.to_string(), done);
    if route.is_tagged() { all.response("304", not_modified()).build() } else { all.build() }
}

/// A change is made, is under way, or was only planned.
fn changed(all: ResponsesBuilder, status: u16, schema: &RefOr<Schema>) -> ResponsesBuilder {
    let location = || header("Where it is to be seen: the operation, or what was added");
    let under_way = answer("Under way; Location is the operation", JSON, schema.clone());
    let all = all.response("202", under_way.header("Location", location()).build());
    let plan = reference(of::<Plan>());
    if status == 200 {
        let either: RefOr<Schema> = OneOfBuilder::new().item(schema.clone()).item(plan).into();
        let words = "Done; or the plan, where only that was asked for";
        return all.response("200", answer(words, JSON, either).header("Location", location()).build());
    }
    let done = answer("Done", JSON, schema.clone()).header("Location", location()).header("ETag", etag());
    let all = all.response(status.to_string(), done.build());
    all.response("200", answer("The plan, where only that was asked for", JSON, plan).build())
}

fn headers(mut answer: ResponseBuilder, route: &Route) -> Response {
    if route.is_tagged() {
        answer = answer.header("ETag", etag());
    }
    if route.query.iter().any(|(name, _)| *name == "cursor") {
        answer = answer.header("Link", header("The next page, rel=\"next\" (RFC 8288), where there is one"));
    }
    if route.verb != Verb::Get
        && matches!(route.answer, Answer::One(_, shape) if (shape.name)() == "Operation")
    {
        answer = answer.header("Location", header("The operation"));
    }
    answer.build()
}

fn answer(words: &str, kind: &str, schema: RefOr<Schema>) -> ResponseBuilder {
    ResponseBuilder::new().description(words).content(kind, Content::new(Some(schema)))
}

fn etag() -> Header {
    header("Strong tag of this answer")
}

fn header(words: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    HeaderBuilder::new().schema(Some(text)).description(Some(words)).build()
}

fn not_modified() -> Response {
    let words = "One of the answers in If-None-Match";
    ResponseBuilder::new().description(words).header("ETag", etag()).build()
}

fn problem() -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name(ProblemDetails::name()));
    let retry = header("Seconds after which to try again, with 503 and some 409");
    answer("A problem", PROBLEM, schema).header("Retry-After", retry).build()
}
