//! The OpenAPI document, made from the table of routes and the types of `pic-api`.

mod parameters;
mod responses;

use std::process::ExitCode;

use pic_api::problem::{Code, ProblemDetails};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{Components, ComponentsBuilder};
use utoipa::openapi::{Content, Info, License, OpenApi, OpenApiBuilder, PathsBuilder, Required};
use utoipa::{PartialSchema, ToSchema};

use super::call::Call;
use super::reply::{Outcome, Reply};
use super::route::{Answer, Route, Shape, Verb};
use super::routes;
use responses::{reference, responses};

const JSON: &str = "application/json";

/// `pic-agent openapi`.
#[expect(clippy::print_stdout, reason = "the output of a command line program")]
pub fn print() -> ExitCode {
    println!("{}", text());
    ExitCode::SUCCESS
}

/// The document as it is committed.
pub fn text() -> String {
    // Plain data with string keys always serialises.
    document().to_pretty_json().unwrap_or_default()
}

pub(super) fn answer(_: &Call) -> Outcome {
    Reply::json(&document())
}

fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for route in routes::all() {
        paths = paths.path(route.path, PathItem::new(method(route.verb), operation(route)));
    }
    let mut info = Info::new("PIC", pic_api::API_VERSION);
    info.description = Some(
        "The API of a cell, on the unix socket /run/pic/agent.sock. The author of a change is the user who connects, with the one \
         who logged in where that is another, as in `root (anna)`. \
         Every answer carries `PIC-API` and `X-Request-Id`; every error is a problem document (RFC 9457). A \
         condition (If-Match, If-None-Match) that a route does not take is refused and never ignored."
            .to_owned(),
    );
    info.license = Some(License::new("GPL-3.0-or-later"));
    OpenApiBuilder::new().info(info).paths(paths.build()).components(Some(components())).build()
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Patch => HttpMethod::Patch,
        Verb::Delete => HttpMethod::Delete,
    }
}

fn operation(route: &Route) -> OperationBuilder {
    let mut operation = OperationBuilder::new().operation_id(Some(route.id)).summary(Some(route.summary));
    for parameter in parameters::of(route) {
        operation = operation.parameter(parameter);
    }
    operation
        .request_body(route.body.map(|taken| request(taken.shape, taken.is_required)))
        .responses(responses(route))
}

fn request(shape: Shape, is_required: bool) -> RequestBody {
    let required = if is_required { Required::True } else { Required::False };
    RequestBodyBuilder::new()
        .content(JSON, Content::new(Some(reference(shape))))
        .required(Some(required))
        .build()
}

fn components() -> Components {
    let mut all = Vec::new();
    let mut add = |shape: Shape| {
        all.push(((shape.name)().into_owned(), (shape.schema)()));
        (shape.parts)(&mut all);
    };
    for route in routes::all() {
        route.body.iter().for_each(|taken| add(taken.shape));
        match route.answer {
            Answer::One(_, shape) | Answer::Secret(shape) | Answer::Many(shape) | Answer::Events(shape) => {
                add(shape)
            }
            Answer::Object => {}
        }
    }
    let mut problems = vec![(ProblemDetails::name().into_owned(), ProblemDetails::schema())];
    ProblemDetails::schemas(&mut problems);
    problems.push((Code::name().into_owned(), Code::schema()));
    all.extend(problems);
    all.into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
        .build()
}
