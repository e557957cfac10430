//! What may be written on the command line. `install.sh` passes its options on to here.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use pic_model::desired::{Port, Protocol};
use pic_model::name::{CellName, DomainName, PeerName};

/// Make this host a cell.
///
/// Looks at the host first and says what it found, what it will do and what to mind. Run it again at any time: a cell
/// that exists keeps its identity, its devices and its file; only the options given are applied to it.
#[derive(Debug, Clone, Parser)]
#[command(name = "pic-installer", version, max_term_width = 100)]
pub struct Options {
    /// Name of the cell, one DNS label; devices are then NAME.CELL.cell. A new cell is called "home" without it.
    #[arg(long)]
    pub name: Option<CellName>,
    /// Public domain of the cell, which devices dial.
    #[arg(long)]
    pub domain: Option<DomainName>,
    /// Keep the cell's state in this folder, as on another disk. Fixed afterwards.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep the cell's backups in this folder. Fixed afterwards.
    #[arg(long, value_name = "DIR")]
    pub backups_dir: Option<PathBuf>,
    /// Add this device and print its configuration. May be repeated; one that exists is left as it is.
    #[arg(long = "peer", value_name = "NAME")]
    pub peers: Vec<PeerName>,
    /// Where upgrades come from; install.sh has seen to it.
    #[arg(long)]
    pub channel: Option<Channel>,
    /// What the cell's firewall does with connections from outside to this host itself. Without it: closed where this
    /// host has a public address, open behind a router.
    #[arg(long)]
    pub inbound: Option<Stance>,
    /// Keep this port of the host reachable when closed, as tcp/80. May be repeated.
    #[arg(long, value_name = "PORT", value_parser = port)]
    pub open: Vec<Port>,
    /// What devices dial: a host or address, with :PORT if it differs.
    #[arg(long, value_name = "HOST")]
    pub endpoint: Option<String>,
    /// Ask nothing.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Say what was found and what would be done, and touch nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// Where packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Channel {
    /// Releases.
    Stable,
    /// What will be the next release.
    Edge,
}

/// `firewall.inbound`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stance {
    /// Only ssh, WireGuard, what the cell serves and --open.
    Closed,
    /// Left to this host's own firewall.
    Open,
}

impl Stance {
    /// As in cell.toml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// `tcp/80`.
pub(crate) fn port(text: &str) -> Result<Port, String> {
    let bad = || format!("\"{}\" is not a port; write it as tcp/443 or udp/3478", text.escape_debug());
    let (protocol, number) = text.split_once('/').ok_or_else(bad)?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(bad()),
    };
    match number.parse() {
        Ok(number) if number != 0 => Ok(Port { protocol, number }),
        _ => Err(bad()),
    }
}

/// As written on the command line.
pub(crate) fn port_words(port: Port) -> String {
    let protocol = match port.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    format!("{protocol}/{}", port.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_read_as_they_are_written() {
        for text in ["tcp/80", "udp/65535"] {
            assert_eq!(port(text).map(port_words).as_deref(), Ok(text));
        }
        for text in ["80", "tcp/0", "tcp/65536", "sctp/1", "tcp/ 80", "tcp/\n"] {
            assert!(port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn install_sh_writes_options_with_an_equals_sign() {
        let line =
            ["x", "--name=den", "--channel=edge", "--peer=phone", "--peer=tv", "--data-dir=/srv", "--yes"];
        let options = Options::try_parse_from(line).unwrap();
        assert_eq!((options.peers.len(), options.channel), (2, Some(Channel::Edge)));
        assert!(Options::try_parse_from(["x", "--peer=a b"]).is_err());
    }
}
