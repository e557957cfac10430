//! What happens to a cell, as `GET /api/events` tells it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operation::State;
use crate::status::Health3;

/// Something that happened. More kinds may come: pass over those that are not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// Another state is in force.
    Generation {
        /// When, RFC 3339, UTC.
        at: String,
        /// Its number.
        generation: u64,
        /// Its tag.
        etag: String,
    },
    /// A change went on.
    Operation {
        /// When, RFC 3339, UTC.
        at: String,
        /// Id, for `GET /api/operations/{id}`.
        id: String,
        /// Where it is.
        state: State,
        /// How far it is, in hundredths; null where nobody knows.
        percent: Option<u8>,
        /// What it is doing or how it ended.
        words: String,
    },
    /// Something on the host was not as wanted, and was put right.
    Repair {
        /// When, RFC 3339, UTC.
        at: String,
        /// Part of the host.
        domain: String,
        /// Steps made since the agent started.
        repairs: u64,
    },
    /// The cell became better or worse. Also the first event of a stream that does not go on from an earlier one.
    Status {
        /// When, RFC 3339, UTC.
        at: String,
        /// How it is.
        state: Health3,
        /// What is wrong; empty when nothing is.
        words: String,
        /// Generation in force.
        generation: u64,
    },
    /// A test for leaks of an exit came out otherwise than the one before it.
    Leaks {
        /// When, RFC 3339, UTC.
        at: String,
        /// The exit.
        exit: String,
        /// `ok`, `leak`, or `unproven` where something could not be looked at.
        result: String,
        /// What is not as it should be; empty when nothing is.
        words: String,
    },
    /// The stream cannot go on where `Last-Event-ID` left it: the agent was restarted, or too much happened since. Read
    /// everything again.
    Reset {
        /// When, RFC 3339, UTC.
        at: String,
        /// Why.
        words: String,
    },
}
