//! What openvpn says at its control socket (its `management-notes.txt`). It hears strangers: its words are taken for words.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Letters of openvpn's words that are passed on.
const WORDS: usize = 160;
/// Resolvers that a server may give.
const MOST_DNS: usize = 8;

/// One thing that it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It asks for user name and password.
    AsksCredentials,
    /// It asks for something that we have not: a passphrase, a code.
    AsksMore,
    /// The server refused user name and password.
    Refused,
    /// Why it did, in its words.
    Reason(String),
    /// Something that may be why it does not work, in its own words.
    Complaint(String),
    /// It ends for good, in its own words.
    Fatal(String),
    /// Resolvers that the server gives.
    Gives(Vec<IpAddr>),
    /// Bytes that came by the tunnel, and that were sent.
    Bytes(u64, u64),
    /// How far it is.
    Is(Phase),
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// On its way, so far.
    OnItsWay {
        /// 0 to 99.
        percent: u8,
        /// What it is at.
        words: &'static str,
        /// Whether it is at its beginning, so that what went wrong before counts no more.
        is_first: bool,
    },
    /// The tunnel stands, with these addresses: one of a family at the most.
    Connected {
        /// Ours.
        addresses: BTreeSet<IpAddr>,
    },
    /// It begins again, because of this.
    Again(&'static str),
    /// It ends.
    Ends,
}

impl Phase {
    /// How far it is, 0 to 100.
    pub fn percent(&self) -> u8 {
        match self {
            Self::OnItsWay { percent, .. } => *percent,
            Self::Connected { .. } => 100,
            Self::Again(_) | Self::Ends => 0,
        }
    }

    /// What it is at, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::OnItsWay { words, .. } => words,
            Self::Connected { .. } => "connected",
            Self::Again(_) => "begins again",
            Self::Ends => "ends",
        }
    }
}

/// What a line says, if it says anything to us.
pub fn read(line: &str) -> Option<Said> {
    let (kind, rest) = line.trim_end().strip_prefix('>')?.split_once(':')?;
    match kind {
        "PASSWORD" => password(rest),
        "STATE" => state(rest).map(Said::Is),
        "FATAL" => Some(Said::Fatal(plain(rest))),
        "BYTECOUNT" => {
            let (received, sent) = rest.split_once(',')?;
            Some(Said::Bytes(received.parse().ok()?, sent.parse().ok()?))
        }
        "LOG" => log(rest),
        _ => None,
    }
}

/// What a line is for the journal. What openvpn was told is not: it repeats the user's name.
pub fn logged(line: &str) -> Option<String> {
    let words = line.trim_end().strip_prefix(">LOG:")?.splitn(3, ',').nth(2)?;
    (!words.starts_with("MANAGEMENT: ")).then(|| plain(words))
}

fn password(rest: &str) -> Option<Said> {
    if rest.starts_with("Verification Failed") {
        return Some(Said::Refused);
    }
    let asked = rest.strip_prefix("Need ")?;
    // "SC:": a code besides.
    let is_plain = asked.starts_with("'Auth' username/password") && !asked.contains(" SC:");
    Some(if is_plain { Said::AsksCredentials } else { Said::AsksMore })
}

/// `TIME,NAME,WHY,V4,REMOTE,PORT,LOCAL,PORT,V6`
fn state(rest: &str) -> Option<Phase> {
    let fields: Vec<&str> = rest.split(',').collect();
    let field = |at: usize| fields.get(at).copied().unwrap_or_default();
    let way = |percent, words| Some(Phase::OnItsWay { percent, words, is_first: percent <= 20 });
    match field(1) {
        "CONNECTING" => way(5, "begins"),
        "RESOLVE" => way(10, "looks for the server"),
        "TCP_CONNECT" => way(15, "connects to the server"),
        "WAIT" => way(20, "waits for the server's first answer"),
        "AUTH" | "AUTH_PENDING" => way(40, "proves who it is"),
        "GET_CONFIG" => way(60, "asks for addresses"),
        "ASSIGN_IP" => way(80, "got addresses"),
        "ADD_ROUTES" => way(90, "got routes"),
        "CONNECTED" => {
            let addresses = [field(3).parse::<std::net::Ipv4Addr>().ok().map(IpAddr::from)]
                .into_iter()
                .chain([field(8).parse::<std::net::Ipv6Addr>().ok().map(IpAddr::from)]);
            Some(Phase::Connected { addresses: addresses.flatten().collect() })
        }
        "RECONNECTING" => Some(Phase::Again(match field(2) {
            "tls-error" => {
                "the handshake with the server fails: it is away, or its keys are not those of the file"
            }
            "ping-restart" | "inactive" => "the server fell silent",
            "connection-reset" => "the server closed the connection",
            "server_poll" | "connection-failed" | "init_instance" | "connection-timeout" => {
                "the server does not answer"
            }
            "auth-failure" => "the server refuses the user name or the password",
            _ => "the connection to the server broke",
        })),
        "EXITING" => Some(Phase::Ends),
        _ => None,
    }
}

/// `TIME,FLAGS,WORDS`
fn log(rest: &str) -> Option<Said> {
    let mut fields = rest.splitn(3, ',');
    let (_, flags, words) = (fields.next()?, fields.next()?, fields.next()?);
    if let Some((_, options)) = words.split_once("PUSH_REPLY") {
        return Some(Said::Gives(resolvers(options)));
    }
    if let Some((_, why)) = words.split_once("AUTH_FAILED,") {
        return Some(Said::Reason(plain(why.trim_end_matches('\''))));
    }
    let is_one = flags.contains(['W', 'N', 'F'])
        || [
            "VERIFY ERROR",
            "VERIFY KU ERROR",
            "VERIFY X509NAME ERROR",
            "VERIFY EKU ERROR",
            "TLS Error",
            "TLS_ERROR",
            "OpenSSL: error",
        ]
        .iter()
        .any(|begin| words.starts_with(begin));
    // Warnings at the start are about the configuration, which is ours.
    let is_noise = ["WARNING:", "DEPRECATED", "NOTE:", "Note:"].iter().any(|begin| words.starts_with(begin));
    (is_one && !is_noise).then(|| Said::Complaint(plain(words)))
}

/// `dhcp-option DNS ADDRESS`, `dhcp-option DNS6 ADDRESS`, `dns server N address ADDRESS…`
fn resolvers(options: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for option in options.split(',') {
        let words: Vec<&str> = option.trim_end_matches('\'').split_whitespace().collect();
        let addresses = match words.as_slice() {
            ["dhcp-option", "DNS" | "DNS6", rest @ ..] => rest,
            ["dns", "server", _, "address", rest @ ..] => rest,
            _ => continue,
        };
        for address in addresses.iter().filter_map(|word| word.parse::<IpAddr>().ok()) {
            let is_usable = !address.is_unspecified() && !address.is_loopback() && !address.is_multicast();
            if is_usable && found.len() < MOST_DNS && !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

/// Words, made safe to print.
fn plain(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openvpn_says_is_understood() {
        assert_eq!(read(">PASSWORD:Need 'Auth' username/password\r"), Some(Said::AsksCredentials));
        for more in ["'Private Key' password", "'Auth' username/password SC:1,Code"] {
            assert_eq!(read(&format!(">PASSWORD:Need {more}")), Some(Said::AsksMore));
        }
        assert_eq!(read(">PASSWORD:Verification Failed: 'Auth'"), Some(Said::Refused));
        assert_eq!(read(">BYTECOUNT:12,34"), Some(Said::Bytes(12, 34)));
        let connected = read(">STATE:1767000000,CONNECTED,SUCCESS,10.8.0.2,203.0.113.5,1194,,,fd00::2");
        let Some(Said::Is(Phase::Connected { addresses })) = connected else { panic!("{connected:?}") };
        assert_eq!(addresses, ["10.8.0.2".parse().unwrap(), "fd00::2".parse().unwrap()].into());
        let alone = read(">STATE:1,CONNECTED,SUCCESS,10.8.0.2,203.0.113.5,1194,,").unwrap();
        assert!(matches!(alone, Said::Is(Phase::Connected { addresses }) if addresses.len() == 1));
        assert!(matches!(read(">STATE:1,WAIT,,,,,,"), Some(Said::Is(Phase::OnItsWay { percent: 20, .. }))));
        assert!(
            matches!(read(">STATE:1,RECONNECTING,tls-error,,,,,"), Some(Said::Is(Phase::Again(why))) if why.contains("handshake"))
        );
        let pushed = ">LOG:1,I,PUSH: Received control message: 'PUSH_REPLY,dhcp-option DNS 10.8.0.1,dhcp-option DNS6 fd00::1,\
            dns server 0 address 9.9.9.9 127.0.0.1,route 10.0.0.0,dhcp-option DNS x,ifconfig 10.8.0.2 255.255.255.0'";
        let wanted = ["10.8.0.1", "fd00::1", "9.9.9.9"].map(|ip| ip.parse().unwrap()).to_vec();
        assert_eq!(read(pushed), Some(Said::Gives(wanted)));
        let refused = ">LOG:1,I,AUTH: Received control message: AUTH_FAILED,no such customer\u{1b}";
        assert_eq!(read(refused), Some(Said::Reason("no such customer".into())));
        let verify = ">LOG:1,,VERIFY ERROR: depth=0, error=certificate has expired: CN=x";
        assert!(matches!(read(verify), Some(Said::Complaint(words)) if words.contains("expired")));
        assert_eq!(logged(">LOG:1,I,Closing, now\u{1b}"), Some("Closing, now".into()));
        assert_eq!(logged(">LOG:1,D,MANAGEMENT: CMD 'username \"Auth\" \"me\"'"), None);
        for nothing in [
            ">LOG:1,W,WARNING: x",
            ">LOG:1,I,Peer Connection",
            "SUCCESS: x",
            ">INFO:x",
            ">",
            "",
            ">STATE:",
            ">LOG:1",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
