//! The OpenAPI document, made from the table of routes and the types of `pic-api`.

use std::process::ExitCode;

use pic_api::problem::{Code, ProblemDetails};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{Array, Components, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    Content, Info, License, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder, ResponsesBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::call::Call;
use super::reply::{Outcome, Reply};
use super::route::{Answer, CHANGE_QUERY, Route, Shape, Verb};
use super::routes::ROUTES;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

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
    for route in ROUTES {
        paths = paths.path(route.path, PathItem::new(method(route.verb), operation(route)));
    }
    let mut info = Info::new("PIC", pic_api::API_VERSION);
    info.description = Some(
        "The API of a cell, on the unix socket /run/pic/agent.sock. The author of a change is the user who connects. \
         Every answer carries `PIC-API` and `X-Request-Id`; every error is a problem document (RFC 9457)."
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
    for name in path_parameters(route.path) {
        operation = operation.parameter(parameter(name, ParameterIn::Path, None));
    }
    let common = if route.changes { CHANGE_QUERY.as_slice() } else { &[] };
    for (name, meaning) in route.query.iter().chain(common) {
        operation = operation.parameter(parameter(name, ParameterIn::Query, Some(meaning)));
    }
    if route.verb == Verb::Post {
        let meaning = "the same key and body again within a day: the first answer again";
        operation = operation.parameter(parameter("Idempotency-Key", ParameterIn::Header, Some(meaning)));
    }
    operation
        .request_body(route.body.map(|taken| request(taken.shape, taken.is_required)))
        .responses(responses(route))
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str, place: ParameterIn, meaning: Option<&str>) -> Parameter {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(meaning)
        .schema(Some(text))
        .build()
}

fn reference(shape: Shape) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name((shape.name)()))
}

fn request(shape: Shape, is_required: bool) -> RequestBody {
    let required = if is_required { Required::True } else { Required::False };
    RequestBodyBuilder::new()
        .content(JSON, Content::new(Some(reference(shape))))
        .required(Some(required))
        .build()
}

fn responses(route: &Route) -> utoipa::openapi::Responses {
    let (status, content) = match route.answer {
        Answer::One(status, shape) => (status, (JSON, Content::new(Some(reference(shape))))),
        Answer::Many(shape) => (200, (JSON, Content::new(Some(Array::new(reference(shape)))))),
        Answer::Events(shape) => (200, ("text/event-stream", Content::new(Some(reference(shape))))),
        Answer::Object => (200, (JSON, Content::new(Some(ObjectBuilder::new().build())))),
    };
    let answer = ResponseBuilder::new().description("Done").content(content.0, content.1.clone()).build();
    let mut responses =
        ResponsesBuilder::new().response(status.to_string(), answer).response("default", problem());
    if route.changes {
        let under_way = "Under way; Location is the operation";
        let accepted = ResponseBuilder::new().description(under_way).content(content.0, content.1).build();
        responses = responses.response("202", accepted);
        if status != 200 {
            let plan = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name("Plan"))));
            responses = responses
                .response("200", ResponseBuilder::new().description("The plan").content(JSON, plan).build());
        }
    }
    responses.build()
}

fn problem() -> Response {
    let schema: RefOr<Schema> = RefOr::Ref(Ref::from_schema_name(ProblemDetails::name()));
    ResponseBuilder::new().description("A problem").content(PROBLEM, Content::new(Some(schema))).build()
}

fn components() -> Components {
    let mut all = Vec::new();
    let mut add = |shape: Shape| {
        all.push(((shape.name)().into_owned(), (shape.schema)()));
        (shape.parts)(&mut all);
    };
    for route in ROUTES {
        route.body.iter().for_each(|taken| add(taken.shape));
        match route.answer {
            Answer::One(_, shape) | Answer::Many(shape) | Answer::Events(shape) => add(shape),
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
