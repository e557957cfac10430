//! tor's configuration: a template with values that are typed, so that none of them can be a directive.

use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, context};
use pic_model::snapshot::tor::TorSnapshot;

/// The template that the package brings; the owner's own version takes its place.
pub const TEMPLATE: &str = include_str!("../../../../templates/torrc");

/// Steps a template may take; ends one that loops.
const FUEL: u64 = 50_000;
/// Bytes of a rendered configuration: thousands of bridges are below this.
const MAX_BYTES: usize = 256 << 10;

/// Why a template gives no configuration.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template is wrong.
    #[error("line {line}: {words}")]
    Template {
        /// In the template, 0 if unknown.
        line: usize,
        /// What, in the template engine's words.
        words: String,
    },
    /// It grew without end.
    #[error("it makes more than {} KiB", MAX_BYTES >> 10)]
    Large,
}

/// The whole configuration. `run` and `state` are the folders of tor's control socket and of what it keeps.
///
/// # Errors
/// The template's.
pub fn config(
    template: &str,
    snapshot: &TorSnapshot,
    run: &Path,
    state: &Path,
) -> Result<String, RenderError> {
    let values = context! {
        transparent => snapshot.transparent.iter().map(ToString::to_string).collect::<Vec<_>>(),
        names => snapshot.names.to_string(),
        run => run.display().to_string(),
        state => state.display().to_string(),
    };
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let text = environment.render_str(template, values).map_err(|error| RenderError::Template {
        line: error.line().unwrap_or(0),
        words: error.kind().to_string(),
    })?;
    // The engine drops the last newline of a template.
    if text.len() < MAX_BYTES { Ok(text + "\n") } else { Err(RenderError::Large) }
}

#[cfg(test)]
mod tests {
    use pic_model::snapshot::tor::VERSION;

    use super::*;

    fn snapshot() -> TorSnapshot {
        TorSnapshot {
            version: VERSION,
            transparent: vec!["10.77.0.1:27042".parse().unwrap(), "[fd12::1]:27042".parse().unwrap()],
            names: "127.0.0.1:27342".parse().unwrap(),
        }
    }

    fn rendered(template: &str) -> Result<String, RenderError> {
        config(template, &snapshot(), Path::new("/run/x"), Path::new("/var/lib/x"))
    }

    #[test]
    fn each_value_has_its_line_and_nothing_is_open_to_others() {
        let text = rendered(TEMPLATE).unwrap();
        for line in [
            "TransPort 10.77.0.1:27042",
            "TransPort [fd12::1]:27042",
            "DNSPort 127.0.0.1:27342",
            "DataDirectory /var/lib/x",
            "ControlSocket /run/x/control",
            "SocksPort 0",
            "ClientOnly 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing:\n{text}");
        }
        assert!(rendered("a\n{{ nonsense }}").unwrap_err().to_string().starts_with("line 2: "));
        assert!(matches!(
            rendered("{% for a in transparent %}{{ a }}{% endfor %}{{ loop }}"),
            Err(RenderError::Template { .. })
        ));
    }
}
