//! `[[exit]]` of a proxy: what belongs to `kind = "socks5"` and `kind = "http"`.

use super::reader::Reader;
use super::values::{self, Bad, Value, quoted};
use crate::desired::EndpointHost;
use crate::exit;
use crate::exit::proxy::{Protocol, Proxy, Resolver};

/// Its fields, but for those of every exit.
pub(super) fn proxy(t: &mut Reader<'_, '_>, protocol: Protocol) -> Option<Proxy> {
    let place = t.needed("proxy", "write proxy = \"proxy.example.org:1080\"", place);
    let credentials = t.string("credentials");
    let credentials = t.value(credentials, |text| {
        exit::is_file_name(text).then(|| text.to_owned()).ok_or_else(|| Bad {
            message: format!("{} is not the plain name of a file", quoted(text)),
            hint: "run `picctl exit add NAME --kind KIND --proxy HOST:PORT --credentials FILE`, which writes it",
        })
    });
    let dns = t.string("dns");
    let dns = t.value(dns, resolver);
    let (host, port) = place?;
    Some(Proxy { protocol, host, port, credentials, dns })
}

/// `host:port`.
pub(super) fn place(text: &str) -> Value<(EndpointHost, u16)> {
    const HINT: &str = "write \"proxy.example.org:1080\", \"203.0.113.7:1080\" or \"[2001:db8::7]:1080\"";
    let endpoint = values::endpoint(text).map_err(|bad| Bad { hint: HINT, ..bad })?;
    let port =
        endpoint.port.ok_or_else(|| Bad { message: format!("{} has no port", quoted(text)), hint: HINT })?;
    Ok((endpoint.host, port))
}

/// As one of `dns.upstreams`.
pub(super) fn resolver(text: &str) -> Value<Resolver> {
    values::upstream(text).map(|upstream| Resolver { upstream, text: text.to_owned() })
}

/// What is wrong with one part of a proxy that is told outside of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadProxy {
    /// `proxy` or `dns`.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: &'static str,
}

/// A proxy that is told outside of a file, by the words that a file would have.
///
/// # Errors
/// A part is none.
pub fn read(protocol: Protocol, proxy: &str, dns: Option<&str>) -> Result<Proxy, BadProxy> {
    let wrong = |field| move |bad: Bad| BadProxy { field, message: bad.message, hint: bad.hint };
    let (host, port) = place(proxy).map_err(wrong("proxy"))?;
    let dns = dns.map(resolver).transpose().map_err(wrong("dns"))?;
    Ok(Proxy { protocol, host, port, credentials: None, dns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::exit::Kind;

    #[test]
    fn a_proxy_has_a_place_and_nothing_of_other_kinds() {
        let cell = |exit: &str| format!("[cell]\nname = \"home\"\n[[exit]]\nname = \"office\"\n{exit}\n");
        let whole = cell(
            "kind = \"http\"\nproxy = \"proxy.example.org:3128\"\ncredentials = \"office-1a2b.auth\"\n\
             dns = \"tls://9.9.9.9#dns.example.org\"",
        );
        let desired = parse(&whole).unwrap();
        let Some(Kind::Proxy(proxy)) = desired.exits.values().next().map(|exit| &exit.kind) else {
            panic!("{desired:?}")
        };
        assert_eq!(proxy.to_string(), "proxy.example.org:3128");
        assert_eq!(proxy.dns.as_ref().unwrap().text, "tls://9.9.9.9#dns.example.org");
        assert_eq!(
            read(Protocol::Socks5, "[2001:db8::7]:1080", None).unwrap().to_string(),
            "[2001:db8::7]:1080"
        );
        for (exit, part) in [
            ("kind = \"socks5\"", "proxy"),
            ("kind = \"socks5\"\nproxy = \"proxy.example.org\"", "no port"),
            ("kind = \"socks5\"\nproxy = \"1.2.3.4:0\"", "1.2.3.4:0"),
            ("kind = \"socks5\"\nproxy = \"1.2.3.4:1\"\ncredentials = \"../x\"", "plain name"),
            ("kind = \"socks5\"\nproxy = \"1.2.3.4:1\"\ndns = \"nobody\"", "dns"),
            (
                "kind = \"socks5\"\nproxy = \"1.2.3.4:1\"\nfile = \"nl.conf\"",
                "nothing that an exit of this kind",
            ),
            ("kind = \"tor\"\nproxy = \"1.2.3.4:1\"", "nothing that an exit of this kind"),
            ("kind = \"socks4\"", "no kind of exit"),
        ] {
            let refused = parse(&cell(exit)).unwrap_err().to_string();
            assert!(refused.contains(part), "{exit}: {refused}");
        }
        assert_eq!(read(Protocol::Http, "x", None).unwrap_err().field, "proxy");
        assert_eq!(read(Protocol::Http, "x.example:1", Some("y")).unwrap_err().field, "dns");
    }
}
