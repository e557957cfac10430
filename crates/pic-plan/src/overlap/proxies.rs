//! Exits by a proxy that cannot work on this host, or would send their packets to themselves.

use pic_model::exit::proxy::Proxy;
use pic_model::name::ExitName;
use pic_model::{Desired, Problem, ProblemCode};

use crate::Facts;
use crate::compile::exit::proxy;

/// What a new exit by a proxy lacks: its file, or somebody to ask for names.
pub(super) fn needs(name: &ExitName, proxy: &Proxy, to: &Desired, facts: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(file) = &proxy.credentials {
        let message = match facts.exits.credentials.get(file) {
            Some(Ok(_)) => None,
            Some(Err(words)) => Some(format!("{file} cannot be used: {words}")),
            None => Some(format!("there is no file {file} in the folder of exits")),
        };
        let hint = format!(
            "run `picctl exit add {name} --kind {} --proxy {proxy} --credentials FILE`",
            proxy.protocol.as_str()
        );
        problems.extend(message.map(|message| problem(name, "credentials", message, hint)));
    }
    if proxy::resolver(proxy, to, facts).is_none() {
        let hint = "write whom to ask, as dns = \"9.9.9.9\", or dns = \"tls://9.9.9.9\" where the proxy must not see it";
        problems.push(problem(name, "dns", proxy::NO_RESOLVER.to_owned(), hint.to_owned()));
    }
    problems
}

/// Proxies that are reached by the exit that they carry, unless they were before.
pub(super) fn loops(from: Option<&Desired>, to: &Desired, facts: &Facts) -> Vec<Problem> {
    let all = |desired: &Desired| {
        let one = |(name, exit): (&ExitName, &pic_model::exit::Exit)| {
            let words = proxy::loops(desired, facts, name, exit.kind.proxy()?)?;
            Some((name.clone(), words))
        };
        desired.exits.iter().filter_map(one).collect::<Vec<_>>()
    };
    let before = from.map(all).unwrap_or_default();
    let new = all(to).into_iter().filter(|one| !before.contains(one));
    let hint = "give a proxy that is outside of it, or give whoever is there another way out";
    new.map(|(name, words)| problem(&name, "proxy", words, hint.to_owned())).collect()
}

fn problem(name: &ExitName, field: &str, message: String, hint: String) -> Problem {
    Problem {
        line: 0,
        column: 0,
        path: format!("exit {name}.{field}"),
        code: ProblemCode::BadValue,
        message,
        hint,
    }
}
