use super::*;

const FILE: &str = "\u{feff}# nl1\r\nclient\r\ndev tun\r\nproto udp\r\nremote NL1.example.org 1194\r\nremote 203.0.113.7 443 tcp\r\n\
    resolv-retry infinite\r\nremote-random\r\nnobind\r\npersist-key\r\ncipher AES-256-GCM\r\nauth SHA512\r\nredirect-gateway def1\r\n\
    dhcp-option DNS 10.8.0.1\r\nremote-cert-tls server\r\nauth-user-pass\r\ntls-auth [inline] 1\r\nverb 3\r\n<ca>\r\n\
    -----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n</ca>\r\n<tls-auth>\r\n# 2048 bit\r\nSECRETKEY\r\n</tls-auth>\r\n";

fn with(line: &str) -> Result<Profile, FileError> {
    read(&FILE.replace("verb 3", line))
}

#[test]
fn takes_what_providers_write() {
    let profile = read(FILE).unwrap();
    let [first, second] = profile.remotes.as_slice() else { panic!("{:?}", profile.remotes) };
    assert_eq!(
        (&first.host, first.port, first.tcp),
        (&EndpointHost::Name("nl1.example.org".parse().unwrap()), 1194, false)
    );
    assert_eq!((second.port, second.tcp), (443, true));
    let lines: Vec<_> = profile.options.iter().map(ToString::to_string).collect();
    let wanted = [
        "remote-random",
        "cipher \"AES-256-GCM\"",
        "auth \"SHA512\"",
        "remote-cert-tls \"server\"",
        "key-direction \"1\"",
    ];
    assert_eq!(lines, wanted);
    assert!(profile.asks && profile.credentials.is_none() && profile.mtu == MTU);
    assert_eq!(profile.notes.len(), 2, "{:?}", profile.notes);
    assert_eq!(profile.blocks[&Block::TlsAuth].expose(), "# 2048 bit\nSECRETKEY\n");
    assert!(!format!("{profile:?}").contains("SECRET"));
    assert_eq!(with("port 99\ntun-mtu 1300").unwrap().mtu, 1300);
    assert_eq!(with("setenv opt tls-cipher DEFAULT:@SECLEVEL=0").unwrap().options.len(), 6);
    assert_eq!(with("setenv opt block-outside-dns\nsetenv CLIENT_CERT 0").unwrap(), with("").unwrap());
    assert!(
        with("ncp-ciphers AES-128-GCM").unwrap().options.iter().any(|option| option.name() == "data-ciphers")
    );
}

#[test]
fn user_and_password_stand_in_the_file_itself() {
    let both = Credentials::new("me@example.org", "SECRET \"x\\").unwrap();
    let text = add_credentials(FILE, &both);
    assert_eq!(read(&text).unwrap().credentials.as_ref(), Some(&both));
    let other = Credentials::from_lines("you\r\n SECRET2\r\n").unwrap();
    let again = read(&add_credentials(&text, &other)).unwrap();
    assert_eq!(again.credentials.unwrap().password.expose(), " SECRET2");
    assert!(!format!("{both:?}").contains("SECRET") && !format!("{both:?}").contains("me@"));
    for (user, password) in [("", "x"), ("x", ""), ("x\n", "y"), ("x", &"y".repeat(128))] {
        assert!(Credentials::new(user, password).is_none());
    }
    assert!(Credentials::from_lines("alone").is_none());
}

#[test]
fn refuses_with_the_line_and_without_the_text() {
    for (line, part) in [
        ("up /tmp/SECRET", "run a program"),
        ("--route-up /tmp/SECRET", "run a program"),
        ("script-security 2", "run a program"),
        ("plugin SECRET.so", "run a program"),
        ("iproute /tmp/SECRET", "run a program"),
        ("management 127.0.0.1 7505", "reach into this host"),
        ("management-client", "reach into this host"),
        ("config SECRET", "reach into this host"),
        ("log SECRET", "reach into this host"),
        ("writepid SECRET", "reach into this host"),
        ("chroot SECRET", "reach into this host"),
        ("daemon", "reach into this host"),
        ("ca ca.crt", "between <ca> and </ca>"),
        ("secret SECRET", "ask the provider"),
        ("dev tap0", "tap"),
        ("http-proxy SECRET 8080", "proxy"),
        ("static-challenge \"SECRET\" 1", "a code each time"),
        ("remote vpn.example.org 0", "no remote"),
        ("remote vpn.example.org 1194 icmp", "no remote"),
        ("remote 127.0.0.1", "no remote"),
        ("proto SECRET", "neither udp nor tcp"),
        ("cipher /etc/SECRET", "makes no sense"),
        ("frobnicate\u{1b}[31m SECRET", "no directive that the cell knows"),
        ("x \"SECRET", "quote"),
        ("tun-mtu 99999", "tun-mtu"),
        ("<connection>\nremote a 1\n</connection>", "connection"),
        ("<cert>\nSECRET", "no end"),
        ("<key>\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n</key>", "passphrase"),
        ("<cert>\n<ca>\n</cert>", "no key or certificate"),
        ("<auth-user-pass>\nSECRET\n</auth-user-pass>", "two lines"),
    ] {
        let error = with(line).unwrap_err();
        assert_eq!(error.line, 18, "{line}: {error}");
        assert!(error.message.contains(part), "{line}: {error}");
        assert!(!error.to_string().contains("SECRET") && !error.message.contains('\u{1b}'), "{error}");
    }
    for (line, part) in [("remote", "no remote"), ("<cert>\nx\n</cert>", "one is missing")] {
        assert!(with(line).unwrap_err().message.contains(part), "{line}");
    }
    let without = |from: &str, to: &str| read(&FILE.replace(from, to)).unwrap_err().message;
    assert!(without("auth-user-pass\r\n", "").contains("would not know you"));
    assert!(without("ca>", "extra-certs>").contains("no <ca>"));
    assert!(read("client").unwrap_err().message.contains("no remote"));
    assert!(read(&"#".repeat(MAX_BYTES + 1)).is_err());
    assert!(
        read(&FILE.replace("remote-cert-tls server\r\n", ""))
            .unwrap()
            .notes
            .last()
            .unwrap()
            .contains("remote-cert-tls")
    );
}

#[test]
fn files_beside_it_are_named() {
    let named = named_files("ca ca.crt\ncert ../x\ntls-auth ta.key 1\n<key>\n</key>\nkey [inline]\n");
    assert_eq!(named, [(Block::Ca, "ca.crt".to_owned()), (Block::TlsAuth, "ta.key".to_owned())]);
    let there = with("").unwrap();
    let (block, rest) = FILE.split_once("<tls-auth>\r\n").unwrap();
    let text = block.replace("[inline]", "ta.key");
    let (key, _) = rest.split_once("</tls-auth>").unwrap();
    assert_eq!(*read(&put_in(&text, Block::TlsAuth, "ta.key", key)).as_ref().unwrap(), there);
}
