//! openvpn's configuration: a template with values that are typed, so that none of them can be a directive.

use std::path::Path;

use pic_model::snapshot::openvpn::OpenvpnSnapshot;
use pic_service::program::render::{self, Limits, RenderError, context};

/// The template that the package brings; the owner's own version takes its place.
pub const TEMPLATE: &str = include_str!("../../../../templates/openvpn.conf");

const LIMITS: Limits = Limits { steps: 50_000, bytes: 512 << 10 };

/// The whole configuration. `run` is the folder of openvpn's control socket.
///
/// # Errors
/// The template's.
pub fn config(template: &str, snapshot: &OpenvpnSnapshot, run: &Path) -> Result<String, RenderError> {
    let remotes: Vec<_> = snapshot
        .remotes
        .iter()
        .map(|remote| {
            let protocol = match (remote.tcp, remote.at.is_ipv4()) {
                (false, true) => "udp4",
                (false, false) => "udp6",
                (true, true) => "tcp4-client",
                (true, false) => "tcp6-client",
            };
            context! { address => remote.at.ip().to_string(), port => remote.at.port(), protocol }
        })
        .collect();
    let blocks: Vec<_> = snapshot
        .blocks
        .iter()
        .map(|(block, text)| context! { name => block.as_str(), text => text.expose().trim_end() })
        .collect();
    let values = context! {
        interface => snapshot.interface.as_str(),
        run => run.display().to_string(),
        remotes,
        options => snapshot.options.iter().map(ToString::to_string).collect::<Vec<_>>(),
        blocks,
        asks => snapshot.credentials.is_some(),
    };
    render::render(template, values, LIMITS)
}

#[cfg(test)]
mod tests {
    use pic_model::exit::openvpn;
    use pic_model::snapshot::openvpn::{OpenvpnRemote, VERSION};

    use super::*;

    #[test]
    fn each_value_has_its_line_and_the_password_none() {
        let text = "client\nremote nl.example.org\nremote-cert-tls server\nauth-user-pass\n<ca>\nAAA\n</ca>\n\
            <auth-user-pass>\nme\nSECRET\n</auth-user-pass>\nverify-x509-name 'CN=a b' subject\n";
        let profile = openvpn::read(text).unwrap();
        let remote = |at: &str, tcp| OpenvpnRemote { name: None, at: at.parse().unwrap(), tcp };
        let snapshot = OpenvpnSnapshot {
            version: VERSION,
            interface: "pic5042".into(),
            file: "nl.ovpn".into(),
            remotes: vec![remote("203.0.113.5:1194", false), remote("[2001:db8::5]:443", true)],
            options: profile.options,
            blocks: profile.blocks,
            credentials: profile.credentials,
        };
        let text = config(TEMPLATE, &snapshot, Path::new("/run/x")).unwrap();
        for line in [
            "dev pic5042",
            "remote 203.0.113.5 1194 udp4",
            "remote 2001:db8::5 443 tcp6-client",
            "remote-cert-tls \"server\"",
            "verify-x509-name \"CN=a b\" \"subject\"",
            "<ca>",
            "AAA",
            "</ca>",
            "auth-user-pass",
            "script-security 0",
            "ifconfig-noexec",
            "route-noexec",
            "management /run/x/control unix",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing:\n{text}");
        }
        assert!(!text.contains("SECRET"));
        let again = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<OpenvpnSnapshot>(&again).unwrap(), snapshot);
        let forged = again.replace("[\"remote-cert-tls\",\"server\"]", "[\"up\",\"/bin/sh\"]");
        assert!(forged != again && serde_json::from_str::<OpenvpnSnapshot>(&forged).is_err());
    }
}
