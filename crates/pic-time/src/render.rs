//! chronyd's configuration: a template with values that are typed, so that none of them can be a directive.

use std::path::Path;

use pic_model::snapshot::time::TimeSnapshot;
use pic_service::program::render::{Limits, RenderError, context, render};

/// The template that the package brings; the owner's own version takes its place.
pub const TEMPLATE: &str = include_str!("../../../templates/chrony.conf");

/// The packaged one takes a few steps for each source and network.
const LIMITS: Limits = Limits { steps: 200_000, bytes: 1 << 20 };

/// The whole configuration. `run` and `state` are the folders of chronyd's socket and of what it keeps.
pub fn config(
    template: &str,
    snapshot: &TimeSnapshot,
    run: &Path,
    state: &Path,
) -> Result<String, RenderError> {
    let sources: Vec<_> = snapshot
        .sources
        .iter()
        .map(|source| context! { host => source.host.to_string(), port => source.port, nts => source.nts })
        .collect();
    let values = context! {
        sources => sources,
        clients => snapshot.clients.iter().map(ToString::to_string).collect::<Vec<_>>(),
        run => run.display().to_string(),
        state => state.display().to_string(),
    };
    render(template, values, LIMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(sources: &[&str]) -> String {
        let snapshot = TimeSnapshot {
            version: 1,
            sources: sources.iter().map(|text| text.parse().unwrap()).collect(),
            clients: vec!["10.77.0.0/16".parse().unwrap(), "fd12::/64".parse().unwrap()],
        };
        config(TEMPLATE, &snapshot, Path::new("/run/chrony"), Path::new("/var/lib/chrony")).unwrap()
    }

    fn has_line(text: &str, line: &str) -> bool {
        text.lines().any(|one| one == line)
    }

    #[test]
    fn each_value_has_its_line() {
        let text = rendered(&[
            "nts://time.example.org",
            "nts://b.example.org:4461",
            "ntp://fd12::1",
            "ntp://192.0.2.1:1123",
        ]);
        for line in [
            "server time.example.org iburst nts",
            "server b.example.org iburst nts ntsport 4461",
            "server fd12::1 iburst",
            "server 192.0.2.1 iburst port 1123",
            "minsources 2",
            "allow 10.77.0.0/16",
            "allow fd12::/64",
            "bindcmdaddress /run/chrony/chronyd.sock",
        ] {
            assert!(has_line(&text, line), "{line} is missing:\n{text}");
        }
    }

    #[test]
    fn one_or_two_sources_are_believed() {
        assert!(!has_line(&rendered(&["ntp://192.0.2.1"]), "minsources 2"));
        assert!(!has_line(&rendered(&["ntp://192.0.2.1", "ntp://192.0.2.2"]), "minsources 2"));
    }
}
