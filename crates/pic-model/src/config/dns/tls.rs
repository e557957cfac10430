//! `[dns.tls]`: names for clients that ask by TLS.

use super::blocklist::path;
use crate::config::reader::{At, Reader};
use crate::config::values::{Bad, Value};
use crate::desired::DnsTls;

const CERTIFICATE: &str = "write certificate = \"/etc/letsencrypt/live/home.example.org/fullchain.pem\"";
const KEY: &str = "write key = \"/etc/letsencrypt/live/home.example.org/privkey.pem\"";
const HTTPS_PORT: u16 = 443;

pub(super) fn tls(t: &mut Reader<'_, '_>) -> Option<DnsTls> {
    let file = |hint| move |text: &str| -> Value<String> { path(text).map_err(|bad| Bad { hint, ..bad }) };
    let certificate = t.needed("certificate", CERTIFICATE, file(CERTIFICATE));
    let key = t.needed("key", KEY, file(KEY));
    let https = t.boolean("https").is_some_and(|at| at.value);
    let port = t.integer("https_port").and_then(|at| port(t, &at)).unwrap_or(HTTPS_PORT);
    Some(DnsTls { certificate: certificate?, key: key?, https_port: https.then_some(port) })
}

fn port(t: &mut Reader<'_, '_>, at: &At<i64>) -> Option<u16> {
    let port = u16::try_from(at.value).ok().filter(|port| !matches!(port, 0 | 53 | 853));
    if port.is_none() {
        let message = format!("{} is no port for HTTPS here", at.value);
        t.bad(at, Bad { message, hint: "leave it out for 443, or write https_port = 8443" });
    }
    port
}
