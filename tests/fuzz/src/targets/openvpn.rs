//! What the agent reads of a provider's OpenVPN file, and what `pic-exit` reads of openvpn.

use std::path::Path;

use pic_exit::openvpn::report::{Phase, Said};
use pic_exit::openvpn::{render, report};
use pic_model::exit::openvpn;
use pic_model::snapshot::openvpn::{OpenvpnRemote, OpenvpnSnapshot, VERSION};

/// Directives that would let openvpn reach out of what it is for, at the beginning of a line.
const NEVER: &[&str] = &[
    "up ",
    "down ",
    "plugin",
    "config",
    "log",
    "status",
    "writepid",
    "iproute",
    "cd ",
    "chroot",
    "daemon",
    "tls-verify",
];

pub(super) fn file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let profile = match openvpn::read(text) {
        Ok(profile) => profile,
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control), "words that cannot be printed");
            return;
        }
    };
    assert!(!profile.remotes.is_empty() && profile.remotes.len() <= openvpn::MOST_REMOTES);
    assert!(
        profile.notes.iter().all(|note| !note.contains(char::is_control)),
        "words that cannot be printed"
    );
    let at = std::net::SocketAddr::from(([203, 0, 113, 5], 1194));
    let snapshot = OpenvpnSnapshot {
        version: VERSION,
        interface: "pic5042".to_owned(),
        file: "x.ovpn".to_owned(),
        remotes: vec![OpenvpnRemote { name: None, at, tcp: false }],
        options: profile.options,
        blocks: profile.blocks,
        credentials: profile.credentials,
    };
    let written = serde_json::to_vec(&snapshot).unwrap_or_default();
    assert!(
        serde_json::from_slice::<OpenvpnSnapshot>(&written).is_ok_and(|read| read == snapshot),
        "it changes on disk"
    );
    let Ok(config) = render::config(render::TEMPLATE, &snapshot, Path::new("/run/x")) else { return };
    let (mut inside, mut security) = (None, 0);
    for line in config.lines() {
        match inside {
            Some(end) if line == end => inside = None,
            Some(_) => {}
            None if line.starts_with('<') => {
                let name = line.trim_matches(['<', '>']);
                inside = openvpn::Block::named(name).map(|block| match block {
                    openvpn::Block::Ca => "</ca>",
                    openvpn::Block::Cert => "</cert>",
                    openvpn::Block::Key => "</key>",
                    openvpn::Block::ExtraCerts => "</extra-certs>",
                    openvpn::Block::CrlVerify => "</crl-verify>",
                    openvpn::Block::PeerFingerprint => "</peer-fingerprint>",
                    openvpn::Block::TlsAuth => "</tls-auth>",
                    openvpn::Block::TlsCrypt => "</tls-crypt>",
                    openvpn::Block::TlsCryptV2 => "</tls-crypt-v2>",
                });
                assert!(inside.is_some(), "a block that nobody knows");
            }
            None if line.starts_with("script-security") => security += 1,
            // The cell's own: what openvpn says comes by its control socket.
            None if line == "log /dev/null" => {}
            None => assert!(!NEVER.iter().any(|never| line.starts_with(never)), "{line}"),
        }
    }
    assert!(inside.is_none(), "a block without an end");
    assert_eq!(security, 1, "who runs programs is said once");
}

pub(super) fn report(input: &[u8]) {
    for line in String::from_utf8_lossy(input).lines() {
        assert!(report::logged(line).is_none_or(|words| !words.contains(char::is_control)));
        match report::read(line) {
            Some(Said::Complaint(words) | Said::Reason(words) | Said::Fatal(words)) => {
                assert!(
                    words.len() <= 640 && !words.contains(char::is_control),
                    "words that cannot be printed"
                );
            }
            Some(Said::Gives(resolvers)) => assert!(resolvers.len() <= 8, "resolvers without end"),
            Some(Said::Is(phase)) => {
                assert!(phase.percent() <= 100, "more than all");
                if let Phase::Connected { addresses } = phase {
                    assert!(addresses.len() <= 2, "addresses without end");
                }
            }
            Some(Said::AsksCredentials | Said::AsksMore | Said::Refused | Said::Bytes(..)) | None => {}
        }
    }
}
