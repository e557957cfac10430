//! Every route, once: the router and the OpenAPI document are both made from these tables, one for each area.

use utoipa::ToSchema;

use super::route::{Answer, Route, of};

/// A handler that answers from memory.
macro_rules! now {
    ($handler:path) => {
        |call| Box::pin(async move { $handler(&call) })
    };
}

/// A handler that waits for the engine.
macro_rules! later {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

const fn one<T: ToSchema>() -> Answer {
    Answer::One(200, of::<T>())
}

mod devices;
mod names;
mod policy;
mod state;

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    [state::ROUTES, devices::ROUTES, names::ROUTES, policy::ROUTES].into_iter().flatten()
}
