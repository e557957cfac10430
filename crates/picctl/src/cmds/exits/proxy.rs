//! Exits by a proxy.

use std::io::{self, IsTerminal};
use std::path::Path;

use clap::Args;
use pic_api::client::Change;
use pic_api::exit::{Exit as ExitView, NewExit};
use pic_model::exit::proxy;
use zeroize::Zeroizing;

use super::{Add, ask, words};
use crate::exit::Failure;
use crate::out::table::Table;
use crate::{Context, Outcome};

/// What is said of a proxy.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where the proxy is.
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,
    /// Who is asked for names through the proxy, as 9.9.9.9 or tls://9.9.9.9.
    #[arg(long, value_name = "RESOLVER")]
    dns: Option<String>,
}

impl Options {
    /// Refuses them where the exit is no proxy.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        let all = [("--proxy", self.proxy.is_some()), ("--dns", self.dns.is_some())];
        match all.into_iter().find(|(_, is_there)| *is_there) {
            Some((option, _)) => Err(Failure::Usage(format!(
                "{option} is for a proxy: say which kind, --kind socks5 or --kind http"
            ))),
            None => Ok(()),
        }
    }
}

pub(super) async fn add(context: &Context, kind: &str, args: Add, fail: Option<String>) -> Outcome {
    if args.file.is_some() {
        return Err(Failure::Usage("a proxy is told without a provider's file: leave --file out".to_owned()));
    }
    if args.proxy.proxy.is_none() {
        return Err(Failure::Usage("say where the proxy is: --proxy HOST:PORT".to_owned()));
    }
    let credentials = args.credentials.as_deref().map(credentials).transpose()?.unwrap_or_default();
    let new = NewExit {
        name: args.name,
        kind: Some(kind.to_owned()),
        proxy: args.proxy.proxy,
        credentials: String::clone(&credentials),
        dns: args.proxy.dns,
        fail,
        ..NewExit::default()
    };
    context.make(&Change::AddExit(&new)).await
}

/// User and password, a line each. What is wrong with them is told before anything is sent, and none of it repeated.
fn credentials(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = if path == Path::new("-") && io::stdin().is_terminal() {
        ask::credentials().map_err(Failure::file("read", path))?
    } else {
        Zeroizing::new(crate::cmds::read_text(path)?)
    };
    proxy::read(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    Ok(text)
}

/// Whether an exit is one.
pub(super) fn is_one(exit: &ExitView) -> bool {
    matches!(exit.kind.as_str(), "socks5" | "http")
}

pub(super) fn show(table: &mut Table, exit: &ExitView) {
    table.pair("carries", "TCP and names; all else is stopped");
    table.pair("proxy", exit.endpoint.as_deref().unwrap_or("-"));
    table.pair("asked for names", words(&exit.dns));
    table.pair("unit", format!("pic-proxy@{}.service", exit.interface));
}
