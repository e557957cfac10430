//! Whom the host itself asks for names, as a finding of the doctor.

use pic_api::status::{Check, Health3};
use pic_engine::Report;
use pic_model::Desired;
use pic_plan::plan::Domain;
use pic_plan::target::resolver::{Hold, ResolverState, Way};

use super::doctor::{check, good};

const NAME: &str = "resolver";

pub(super) fn check_host(report: &Report, desired: &Desired) -> Check {
    if desired.dns.host == Some(false) {
        return good(NAME, "this host asks its own resolvers (dns.host = false)");
    }
    let wrong = report.domains.get(&Domain::Resolver).map(|found| found.words.as_str());
    if let Some(words) = wrong.filter(|words| !words.is_empty()) {
        let fix = "see `journalctl -u pic-resolver`; names of other hosts are found all the same";
        return check(NAME, Health3::Degraded, words, fix);
    }
    match &report.resolver {
        Some(state) => judge(state),
        None => good(NAME, "not looked at: the agent runs without systemd"),
    }
}

fn judge(state: &ResolverState) -> Check {
    let by = match &state.way {
        Way::File => "in /etc/resolv.conf, its own resolvers second",
        Way::Resolved => "by systemd-resolved",
        Way::Resolvconf => "by resolvconf, its own resolvers second",
        Way::Refused(words) => {
            let words = format!("this host keeps its own resolvers: {words}");
            return check(NAME, Health3::Ok, words, "dns.host = false says that this is meant");
        }
    };
    match state.hold {
        Hold::Ours(server) => good(NAME, format!("this host asks {server} first, {by}")),
        Hold::Owner => good(NAME, "this host asks the cell, as its owner has set it"),
        Hold::None | Hold::Theirs => good(NAME, "this host asks its own resolvers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_words() {
        let state = |way, hold| ResolverState { way, hold, recorded: true, guarded: true, answers: true };
        let words = |way, hold| judge(&state(way, hold)).words;
        let cell = Hold::Ours([10, 77, 0, 1].into());
        assert_eq!(words(Way::Resolved, cell), "this host asks 10.77.0.1 first, by systemd-resolved");
        assert!(words(Way::Refused("no".to_owned()), Hold::None).ends_with("resolvers: no"));
        assert!(words(Way::File, Hold::Owner).contains("as its owner"));
        assert!(words(Way::File, Hold::None).contains("its own resolvers"));
    }
}
