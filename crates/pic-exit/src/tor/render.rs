//! tor's configuration: a template with values that are typed, so that none of them can be a directive.

use std::path::Path;

use pic_model::snapshot::tor::TorSnapshot;
use pic_service::program::render::{Limits, RenderError, context, render};

/// The template that the package brings; the owner's own version takes its place.
pub const TEMPLATE: &str = include_str!("../../../../templates/torrc");

/// A few steps are taken; thousands of bridges are below this.
const LIMITS: Limits = Limits { steps: 50_000, bytes: 256 << 10 };

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
    render(template, values, LIMITS)
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

    #[test]
    fn each_value_has_its_line_and_nothing_is_open_to_others() {
        let text = config(TEMPLATE, &snapshot(), Path::new("/run/x"), Path::new("/var/lib/x")).unwrap();
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
    }
}
