//! Directives that are not handed on, by what becomes of them. Words between spaces.

/// What the cell says itself, with the same meaning: not worth a note.
pub(super) const SAME: &str = "auth-nocache auth-retry client dev-type disable-dco mute nobind persist-key persist-tun pull \
    resolv-retry tls-client verb";
/// What the cell decides otherwise.
pub(super) const OURS: &str = "block-ipv6 block-outside-dns connect-retry-max dhcp-option dhcp-release dhcp-renew dns group \
    ifconfig-nowarn ignore-unknown-option inactive ip-win32 max-routes mtu-disc mtu-test nice ping-exit \
    ping-timer-rem port-share pull-filter push-peer-info redirect-gateway redirect-private register-dns \
    route route-delay route-gateway route-ipv6 route-ipv6-gateway route-method route-metric route-noexec \
    route-nopull service session-timeout show-net-up tap-sleep topology txqueuelen user win-sys \
    windows-driver";
/// What runs a program, or loads one.
pub(super) const RUNS: &str = "auth-user-pass-verify client-connect client-crresponse client-disconnect dns-updown down down-pre engine \
    ipchange iproute learn-address pkcs11-providers plugin route-pre-down route-up script-security \
    tls-crypt-v2-verify tls-verify up up-delay up-restart";
/// What reads or writes files and sockets of the host, or changes how it or openvpn itself runs.
pub(super) const TAKES: &str = "askpass bind bind-dev capath cd chroot config daemon dev-node dh ifconfig ifconfig-ipv6 inetd iroute \
    lladdr local log log-append lport machine-readable-output mark mktun mlock mode multihome pkcs11-id push \
    remap-usr1 replay-persist rmtun server server-ipv6 setcon socket-flags status syslog tls-export-cert \
    tls-server tmp-dir writepid";

/// Whether a list has a name.
pub(super) fn has(list: &str, name: &str) -> bool {
    list.split(' ').any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_directive_is_in_one_list() {
        let all = [SAME, OURS, RUNS, TAKES].map(|list| list.split(' ').collect::<Vec<_>>()).concat();
        let count = all.len();
        let one: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(one.len(), count);
        for name in one {
            assert!(!name.is_empty());
            assert!(super::super::Directive::new(vec![name.to_owned()]).is_err(), "{name}");
        }
    }
}
