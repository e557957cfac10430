//! Asking for what is secret.

use std::io::{self, BufRead, Write};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Asks at the terminal for a user and a password, and gives them as a line each; the password is not shown.
pub(super) fn credentials() -> io::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    let mut text = Zeroizing::new(String::new());
    let prompt = |what: &str| {
        let mut err = io::stderr();
        write!(err, "{what}: ").and_then(|()| err.flush())
    };
    prompt("User name at the provider")?;
    stdin.lock().read_line(&mut text)?;
    prompt("Password")?;
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden)?;
    let read = stdin.lock().read_line(&mut text);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &shown)?;
    writeln!(io::stderr())?;
    read?;
    Ok(text)
}
