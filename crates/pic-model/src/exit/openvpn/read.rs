//! Reading a provider's OpenVPN file, line by line.

use std::collections::{BTreeMap, BTreeSet};

use super::directive::NotAllowed;
use super::lists::{OURS, RUNS, SAME, TAKES, has};
use super::{
    Block, Credentials, Directive, FileError, Hidden, MAX_BYTES, MOST_REMOTES, MTU, Profile, Remote, words,
};
use crate::desired::EndpointHost;

/// Directives that are handed on at the most.
const MOST_OPTIONS: usize = 128;
/// Port of a provider whose file says none (openvpn(8), `--port`).
const PORT: u16 = 1194;
/// Where user name and password stand, if they do.
pub(super) const AUTH: &str = "auth-user-pass";

fn error<T>(line: usize, message: impl Into<String>) -> Result<T, FileError> {
    Err(FileError { line, message: message.into() })
}

#[derive(Default)]
struct Draft {
    remotes: Vec<(EndpointHost, Option<u16>, Option<bool>)>,
    port: Option<u16>,
    tcp: bool,
    options: Vec<Directive>,
    blocks: BTreeMap<Block, Hidden>,
    asks: bool,
    credentials: Option<Credentials>,
    mtu: Option<u16>,
    noted: BTreeSet<String>,
    notes: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// The first thing that makes it no file for an exit, with its line and without its text.
pub fn read(text: &str) -> Result<Profile, FileError> {
    if text.len() > MAX_BYTES {
        return error(0, format!("the file is larger than {} KiB", MAX_BYTES >> 10));
    }
    let mut draft = Draft::default();
    let mut lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    while let Some((number, line)) = lines.next() {
        let begins = line.trim().strip_prefix('<').and_then(|line| line.strip_suffix('>'));
        if let Some(name) = begins {
            let end = format!("</{name}>");
            let mut content = zeroize::Zeroizing::new(String::new());
            loop {
                match lines.next() {
                    Some((_, line)) if line.trim() == end => break,
                    // A password may well begin with a space.
                    Some((_, line)) => {
                        content.push_str(if name == AUTH { line } else { line.trim() });
                        content.push('\n');
                    }
                    None => return error(number, format!("the block {} has no end", shown(name))),
                }
            }
            draft.block(number, name, &content)?;
        } else {
            let words = words::split(line);
            let words = words.map_or_else(
                || error(number, "a quote is left open here, or there are too many words"),
                Ok,
            )?;
            draft.take(number, words)?;
        }
    }
    draft.finish()
}

impl Draft {
    fn block(&mut self, line: usize, name: &str, content: &str) -> Result<(), FileError> {
        if name == AUTH {
            let both = Credentials::from_lines(content);
            self.credentials = Some(
                both.map_or_else(|| error(line, "the block has no user name and password in two lines"), Ok)?,
            );
            self.asks = true;
            return Ok(());
        }
        let Some(block) = Block::named(name) else {
            let hint = if name == "connection" { "; write its remote as a line of the file" } else { "" };
            return error(line, format!("a block {} is nothing that the cell takes{hint}", shown(name)));
        };
        let is_plain = |letter: char| letter == '\n' || letter == '\t' || (' '..='~').contains(&letter);
        if content.trim().is_empty()
            || !content.chars().all(is_plain)
            || content.lines().any(|line| line.starts_with('<'))
        {
            return error(line, format!("the block {name} is no key or certificate as text"));
        }
        if block == Block::Key && content.contains("ENCRYPTED") {
            let how = "take its passphrase away with `openssl pkey -in KEY -out NEW`";
            return error(
                line,
                format!("the key is locked by a passphrase, which nobody would type here; {how}"),
            );
        }
        self.blocks.insert(block, content.into());
        Ok(())
    }

    fn take(&mut self, line: usize, mut words: Vec<String>) -> Result<(), FileError> {
        let Some(first) = words.first_mut() else { return Ok(()) };
        if let Some(name) = first.strip_prefix("--") {
            *first = name.to_owned();
        }
        let name = first.clone();
        let rest = words.get(1..).unwrap_or_default();
        let word = |at: usize| rest.get(at).map(String::as_str);
        match name.as_str() {
            "remote" => self.remote(line, rest),
            "port" | "rport" => {
                let port = word(0).and_then(port);
                self.port = Some(port.map_or_else(|| error(line, format!("{name} is no port")), Ok)?);
                Ok(())
            }
            "proto" => {
                let tcp = word(0).and_then(protocol);
                self.tcp = tcp.map_or_else(|| error(line, "proto is neither udp nor tcp"), Ok)?;
                Ok(())
            }
            "dev" | "dev-type" if word(0).is_some_and(|device| device.starts_with("tap")) => error(
                line,
                "the provider's network is one of Ethernet (tap), and an exit takes packets of IP alone (tun)",
            ),
            "dev" => Ok(()),
            AUTH => {
                self.asks = true;
                if word(0).is_some_and(|file| file != "[inline]") {
                    self.notes
                        .push(format!("{name} (line {line}) is the cell's own business and is left out"));
                }
                Ok(())
            }
            "tls-auth" | "secret" | "pkcs12" => self.key_file(line, &name, rest),
            name if Block::named(name).is_some() => self.key_file(line, name, rest),
            "http-proxy" | "http-proxy-option" | "socks-proxy" => error(
                line,
                "a way to the provider by a proxy is nothing that the cell takes; remove the line",
            ),
            "static-challenge" => {
                error(line, "the provider asks for a code each time, which nobody would type here")
            }
            "setenv" if word(0) == Some("opt") => {
                let optional = rest.get(1..).unwrap_or_default().to_vec();
                // It need not be known: then it is left out.
                if Directive::new(optional.clone()).is_ok() { self.option(line, optional) } else { Ok(()) }
            }
            // Without scripts nothing reads them.
            "setenv" | "setenv-safe" => Ok(()),
            "ns-cert-type" if word(0) == Some("server") => {
                self.option(line, vec!["remote-cert-tls".to_owned(), "server".to_owned()])
            }
            "ncp-ciphers" => {
                *words.first_mut().unwrap_or(&mut String::new()) = "data-ciphers".to_owned();
                self.option(line, words)
            }
            name if has(SAME, name) => Ok(()),
            name if has(OURS, name) => {
                if self.noted.insert(name.to_owned()) {
                    self.notes
                        .push(format!("{name} (line {line}) is the cell's own business and is left out"));
                }
                Ok(())
            }
            name if has(RUNS, name) => error(
                line,
                format!(
                    "{name} would have openvpn run a program, which a provider's file may not; remove the line"
                ),
            ),
            name if has(TAKES, name) || name.starts_with("management") || name.starts_with("pkcs11") => {
                error(
                    line,
                    format!(
                        "{name} would reach into this host, which a provider's file may not; remove the line"
                    ),
                )
            }
            _ => self.option(line, words),
        }
    }

    fn remote(&mut self, line: usize, words: &[String]) -> Result<(), FileError> {
        let bad = || FileError { line, message: "this is no remote HOST PORT PROTOCOL".to_owned() };
        let word = |at: usize| words.get(at).map(String::as_str);
        let host = word(0).and_then(host).ok_or_else(bad)?;
        let port = word(1).map(|text| port(text).ok_or_else(bad)).transpose()?;
        let tcp = word(2).map(|text| protocol(text).ok_or_else(bad)).transpose()?;
        if self.remotes.len() == MOST_REMOTES {
            return error(line, format!("there are more than {MOST_REMOTES} remotes; remove some"));
        }
        self.remotes.push((host, port, tcp));
        Ok(())
    }

    /// A directive whose key is in another file, or in a block of this one.
    fn key_file(&mut self, line: usize, name: &str, words: &[String]) -> Result<(), FileError> {
        if matches!(name, "secret" | "pkcs12") {
            let what = if name == "secret" { "one key for all time" } else { "a locked box of keys" };
            return error(
                line,
                format!("{name} is {what}, which the cell does not take; ask the provider for another file"),
            );
        }
        if words.first().is_some_and(|file| file != "[inline]") {
            return error(
                line,
                format!("{name} names another file; put its text here, between <{name}> and </{name}>"),
            );
        }
        match words.get(1) {
            Some(direction) if name == "tls-auth" => {
                self.option(line, vec!["key-direction".to_owned(), direction.clone()])
            }
            _ => Ok(()),
        }
    }

    fn option(&mut self, line: usize, words: Vec<String>) -> Result<(), FileError> {
        let name = words.first().map(|name| shown(name)).unwrap_or_default();
        let directive = match Directive::new(words) {
            Ok(directive) => directive,
            Err(NotAllowed::Unknown) => {
                let how = "remove the line, if the provider's server does without it";
                return error(line, format!("{name} is no directive that the cell knows; {how}"));
            }
            Err(NotAllowed::Words) => {
                return error(line, format!("what stands behind {name} makes no sense"));
            }
        };
        if self.options.len() == MOST_OPTIONS {
            return error(line, format!("there are more than {MOST_OPTIONS} directives"));
        }
        if directive.name() == "tun-mtu" {
            let mtu = directive.words().first().and_then(|word| word.parse().ok());
            let mtu = mtu.filter(|mtu| (576..=65_535).contains(mtu));
            self.mtu = Some(mtu.map_or_else(|| error(line, "tun-mtu is no size of 576 to 65535 bytes"), Ok)?);
        }
        self.options.push(directive);
        Ok(())
    }

    fn finish(mut self) -> Result<Profile, FileError> {
        if self.remotes.is_empty() {
            return error(0, "the file has no remote, which says where the provider is");
        }
        let has = |block| self.blocks.contains_key(&block);
        if !has(Block::Ca) && !has(Block::PeerFingerprint) {
            return error(0, "the file has no <ca>, without which anybody could pose as the provider");
        }
        if has(Block::Cert) != has(Block::Key) {
            return error(0, "of <cert> and <key> one is missing; they belong together");
        }
        if !has(Block::Cert) && !self.asks {
            return error(
                0,
                "the file has neither <cert> and <key> nor auth-user-pass: the provider would not know you",
            );
        }
        let says = |name: &str| self.options.iter().any(|option| option.name() == name);
        if !has(Block::PeerFingerprint)
            && !["remote-cert-tls", "remote-cert-eku", "verify-x509-name"].into_iter().any(says)
        {
            let words = "the file does not say how the server's certificate is told from a customer's (remote-cert-tls server)";
            self.notes.push(words.to_owned());
        }
        let remote = |(host, port, tcp): (_, Option<u16>, Option<bool>)| Remote {
            host,
            port: port.or(self.port).unwrap_or(PORT),
            tcp: tcp.unwrap_or(self.tcp),
        };
        Ok(Profile {
            remotes: self.remotes.into_iter().map(remote).collect(),
            options: self.options,
            blocks: self.blocks,
            asks: self.asks,
            credentials: self.credentials,
            mtu: self.mtu.map_or(MTU, |mtu| mtu.min(MTU)),
            notes: self.notes,
        })
    }
}

fn host(text: &str) -> Option<EndpointHost> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return super::super::provider::usable(address).map(EndpointHost::Address);
    }
    text.trim_end_matches('.').to_ascii_lowercase().parse().ok().map(EndpointHost::Name)
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// Whether it is by TCP. Which IP family it is follows from the address.
fn protocol(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "udp" | "udp4" | "udp6" => Some(false),
        "tcp" | "tcp4" | "tcp6" | "tcp-client" | "tcp4-client" | "tcp6-client" => Some(true),
        _ => None,
    }
}

/// A name of the file, made safe to print: it is foreign text, too.
fn shown(name: &str) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let plain: String = name.chars().filter(plain).take(32).collect();
    if plain.is_empty() { "what stands here".to_owned() } else { plain }
}
