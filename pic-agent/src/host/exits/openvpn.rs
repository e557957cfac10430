//! Signs of life of an exit by OpenVPN: what `pic-exit` says about it, and what its server gave.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pic_drivers::files;
use pic_model::name::DomainName;
use pic_model::snapshot::openvpn::{OpenvpnGiven, OpenvpnSnapshot, OpenvpnStatus, VERSION};
use pic_plan::marks::{OPENVPN, is_exit};

use super::State;
use crate::host::boot;
use crate::paths::Paths;

/// Bytes of a status.
const MAX_BYTES: u64 = 64 << 10;
/// Bytes of a snapshot.
const MAX_SNAPSHOT: u64 = 1 << 20;
/// How long what a status says of the tunnel counts. It is written several times a second.
const FRESH: Duration = Duration::from_secs(2);

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sign {
    /// Whether the tunnel stands.
    pub(super) connected: bool,
    /// How far it has come on its way to that, 0 to 100; `None` where something is wrong.
    pub(super) percent: Option<u8>,
    /// Why it does not work, in words.
    pub(super) words: String,
    /// Bytes received and sent.
    pub(super) bytes: (u64, u64),
}

/// Looks at the status of the exit of an interface.
pub(super) fn look(paths: &Paths, interface: &str) -> Sign {
    let silent =
        || Sign { words: "pic-exit, which runs openvpn, says nothing".to_owned(), ..Sign::default() };
    status(paths, interface).and_then(|status| read(status, boot())).unwrap_or_else(silent)
}

fn status(paths: &Paths, interface: &str) -> Option<OpenvpnStatus> {
    let bytes = files::read_bounded(&paths.exit_status(OPENVPN, interface), MAX_BYTES).ok()??;
    let status: OpenvpnStatus = serde_json::from_slice(&bytes).ok()?;
    (status.version == VERSION).then_some(status)
}

fn read(status: OpenvpnStatus, now: Duration) -> Option<Sign> {
    if now.saturating_sub(Duration::from_millis(status.at_ms)) > FRESH {
        return None;
    }
    let plain =
        |words: &str| words.chars().filter(|letter| !letter.is_control()).take(400).collect::<String>();
    let (percent, words) = match status.trouble {
        _ if status.connected => (Some(100), String::new()),
        Some(words) => (None, plain(&words)),
        None => {
            let percent = status.percent.min(99);
            (Some(percent), format!("openvpn is on its way, {percent} %: {}", plain(&status.doing)))
        }
    };
    Some(Sign { connected: status.connected, percent, words, bytes: (status.rx_bytes, status.tx_bytes) })
}

/// What servers gave last, by interface: of exits that have a snapshot, whatever becomes of their tunnels meanwhile.
pub(super) fn given(paths: &Paths) -> BTreeMap<String, OpenvpnGiven> {
    let one = |interface: String| Some((interface.clone(), status(paths, &interface)?.given?));
    interfaces(paths).filter_map(one).collect()
}

/// Learns again, after a start of the agent, where providers are that are told by name: what runs goes on as it is.
pub(super) fn remember(paths: &Paths, state: &mut State) {
    for interface in interfaces(paths) {
        let read = files::read_bounded(&paths.on_disk(&OPENVPN.file(&interface)), MAX_SNAPSHOT);
        let Some(bytes) = read.ok().flatten().map(zeroize::Zeroizing::new) else { continue };
        let Ok(snapshot) = serde_json::from_slice::<OpenvpnSnapshot>(&bytes) else { continue };
        for remote in snapshot.remotes {
            if let Some(Ok(name)) = remote.name.map(|name| name.parse::<DomainName>()) {
                state.endpoints.entry(name).or_insert(remote.at.ip());
            }
        }
    }
}

fn interfaces(paths: &Paths) -> impl Iterator<Item = String> {
    let folder = paths.on_disk(&OPENVPN.folder());
    let names = std::fs::read_dir(Path::new(&folder)).into_iter().flatten().flatten();
    names.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".json").filter(|name| is_exit(name)).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_counts_for_a_moment() {
        let status = OpenvpnStatus {
            version: VERSION,
            at_ms: 9_000,
            connected: true,
            percent: 100,
            ..OpenvpnStatus::default()
        };
        let at = |status: &OpenvpnStatus, now| read(status.clone(), Duration::from_secs(now));
        assert!(at(&status, 10).unwrap().connected);
        assert_eq!(at(&status, 12), None, "it is dead by now");
        let going =
            OpenvpnStatus { connected: false, percent: 40, doing: "proves\u{1b} who it is".into(), ..status };
        let sign = at(&going, 9).unwrap();
        assert_eq!(
            (sign.percent, sign.words.as_str()),
            (Some(40), "openvpn is on its way, 40 %: proves who it is")
        );
        let refused = OpenvpnStatus { trouble: Some("the server refuses it".into()), ..going };
        let sign = at(&refused, 9).unwrap();
        assert_eq!(
            (sign.connected, sign.percent, sign.words.as_str()),
            (false, None, "the server refuses it")
        );
    }
}
