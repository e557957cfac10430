//! What a caller is told who saw another state than the one in force: that state, and the change on top of it.

use std::sync::Arc;
use std::time::Duration;

use pic_api::problem::{Merged, Needs};
use pic_engine::Current;
use pic_model::config;

use super::call::Call;
use super::failure::{Failure, Stale};
use super::handlers::config::shown;
use super::merge::merge;
use super::tags::Tags;
use super::view;

/// Lines of a diff shown at the most.
const DIFF_MAX: usize = 400;

/// How a change is made on top of another state than its maker saw.
#[derive(Debug)]
pub(crate) enum Merging {
    /// As it is: it speaks of one thing and takes the rest as it stands.
    Edit,
    /// It is a whole text, made from the one that `If-Match` names.
    Text,
    /// It is a whole text, made from this one.
    From(Arc<str>),
}

/// A change that came too late.
#[derive(Debug)]
pub(crate) struct Late {
    pub(crate) current: Current,
    /// The text it would have made.
    pub(crate) mine: Option<String>,
    pub(crate) merging: Merging,
    pub(crate) tags: Option<Tags>,
}

impl Late {
    /// The refusal with everything needed to go on.
    pub(crate) async fn told(self, call: &Call, mut failure: Failure) -> Failure {
        let current = self.current.clone();
        if let Merging::From(_) = self.merging {
            failure.needs = Some(Needs::Plan);
        }
        let merged = self.merged(call).await;
        failure.stale = Some(Box::new(Stale {
            // Plain data with string keys always serialises.
            current: serde_json::to_value(shown(call, &current)).unwrap_or_default(),
            etag: current.etag,
            merged,
        }));
        failure
    }

    async fn merged(self, call: &Call) -> Option<Merged> {
        let Self { current, mine, merging, tags } = self;
        let mine = mine?;
        let base = match merging {
            Merging::Edit => None,
            Merging::Text => Some(seen(call, tags.as_ref()?).await?),
            Merging::From(text) => Some(text),
        };
        // Large texts take their time, which other requests need not wait for.
        let work = move || {
            let toml = match base {
                Some(base) => merge(&base, &current.text, &mine)?,
                None => mine,
            };
            config::read(&toml, current.desired.as_deref()).ok()?;
            let diff = diff(&current.text, &toml);
            Some(Merged { toml, diff })
        };
        tokio::task::spawn_blocking(work).await.ok()?
    }
}

/// The text that a caller saw, by the tag it had.
async fn seen(call: &Call, tags: &Tags) -> Option<Arc<str>> {
    let Tags::These(tags) = tags else { return None };
    for tag in tags {
        let number = tag.strip_prefix('"').and_then(|tag| tag.split('-').next()?.parse().ok());
        let Some(number) = number else { continue };
        if let Ok(Ok(text)) = call.api.handle.text(number).await
            && *tag == format!("\"{number}-{}\"", view::digest(text.as_bytes()))
        {
            return Some(text.into());
        }
    }
    None
}

fn diff(old: &str, new: &str) -> String {
    let diff = similar::TextDiff::configure().timeout(Duration::from_millis(200)).diff_lines(old, new);
    let text = diff.unified_diff().context_radius(2).to_string();
    text.split_inclusive('\n').take(DIFF_MAX).collect()
}
