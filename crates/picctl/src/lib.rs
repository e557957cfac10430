//! `picctl`: the cell's command line.
//!
//! Flow: [`cli`] (what may be written) → one file per noun under [`cmds`] → the agent's API through `pic_api::client`
//! → [`out`] (tables and colour for people, the API's own JSON for programs) → an exit code ([`exit`]). It holds no
//! power of its own: whatever it shows or changes, it asks the agent. Only `config check`, `logs`, `completions` and
//! `version` work without it. Never runs a shell. Tested by running the program against a scripted agent (`tests/`).
#![forbid(unsafe_code)]

mod ask;
mod change;
pub mod cli;
mod cmds;
mod exit;
mod late;
mod out;
mod save;
pub mod session;
mod time;

use pic_api::client::Client;

use cli::{Cli, Global};
pub use exit::Exit;
use exit::Failure;
use out::Out;

/// What every command works with.
struct Context {
    client: Client,
    global: Global,
    out: Out,
}

/// Does what the command line says; prints what goes wrong.
pub async fn run(cli: Cli) -> Exit {
    let out = Out::new(cli.global.color, cli.global.json);
    let client = Client::new(cli.global.socket.clone());
    let client = match session::session() {
        Some(session) => client.logged_in(&session),
        None => client,
    };
    let context = Context { client, global: cli.global, out };
    match cmds::run(&context, cli.command).await {
        Ok(exit) => exit,
        Err(failure) => failure.report(&context.out),
    }
}

/// A client's configuration as a QR code of half blocks and what to do with it, for programs that hand one out as this one does.
/// Nothing long may follow it, or it scrolls away. `None` when it does not fit.
pub fn terminal_qr(config: &str, colours: bool) -> Option<String> {
    let color = if colours { cli::Color::Always } else { cli::Color::Never };
    out::qr::Qr::new(config)
        .ok()
        .map(|code| code.text(out::paint::Paint::of(color, true)) + out::qr::SCAN + "\n")
}

/// Result of a command.
type Outcome<T = Exit> = Result<T, Failure>;
