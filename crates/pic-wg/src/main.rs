//! `pic-wg`: one userspace WireGuard device in a process of its own.
//!
//! Owns: the TUN interface named on the command line and the configuration socket beside it. Both end with the process.
//! Never: reads the desired state, touches addresses, routes or the firewall. The agent configures it through the
//! socket (as `wg` does), so tunnels live on while the agent restarts.
//! Tested: parts by unit tests, the whole program with `wg`, in two network namespaces, by `tests/netns.rs`.
#![forbid(unsafe_code)]

mod answer;
mod change;
mod device;
mod mirror;
mod orders;
mod socket;
mod unseen;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pic_service::life;

/// Userspace WireGuard device of a cell.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Name of the TUN interface to create.
    #[arg(long, default_value = "pic0", value_parser = interface_name)]
    interface: String,
    /// Configuration socket [default: /run/wireguard/INTERFACE.sock, where `wg` looks].
    #[arg(long)]
    socket: Option<PathBuf>,
}

/// The kernel's own rule for names, and nothing that could leave the socket's folder.
fn interface_name(text: &str) -> Result<String, String> {
    let printable = text.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
    if text.is_empty() || text.len() > 15 || !printable || text == "." || text == ".." {
        return Err("an interface name has 1 to 15 printable characters without '/' and ':'".to_owned());
    }
    Ok(text.to_owned())
}

fn main() -> ExitCode {
    let args = Args::parse();
    // The library reports every peer it adds; ten thousand of them are no news.
    pic_service::log::init("info,gotatun=warn");

    let socket = args.socket.unwrap_or_else(|| socket::default_path(&args.interface));
    life::exit(device::run(&args.interface, &socket))
}

#[cfg(test)]
mod tests {
    use super::interface_name;

    #[test]
    fn names_stay_inside_the_folder() {
        assert!(interface_name("pic0").is_ok());
        for bad in ["", ".", "..", "a/b", "../x", "with space", "sixteen-letters!", "a:b", "n\n"] {
            assert!(interface_name(bad).is_err(), "{bad:?}");
        }
    }
}
