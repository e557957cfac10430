//! What may be written on the command line. The arguments of a noun stand with the noun, under `cmds`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cmds::{
    app, apply, ban, completions, config, confirm, dhcp, diff, dns, events, exits, group, history, lan, logs,
    peer, plan, policy, rollback, test, top, why,
};

const EXITS: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 refused as invalid, 4 applied and awaiting confirmation, \
                     5 agent not reachable. More: man picctl";

/// See and change a cell: this host's WireGuard devices, names, addresses and firewall.
///
/// Every change is planned, applied, checked, and kept in the history. A change that could lock you out is taken back
/// by itself unless you confirm it with `picctl confirm`.
#[derive(Debug, Parser)]
#[command(name = "picctl", version, max_term_width = 100, arg_required_else_help = true, after_long_help = EXITS)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Print the API's JSON, one document, and nothing else; a failure is a problem document on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Ask nothing.
    #[arg(long, short = 'y', global = true)]
    pub(crate) yes: bool,
    /// Say what a change would do and stop.
    #[arg(long, global = true)]
    pub(crate) plan: bool,
    /// Wait until a change is done. This is what happens anyway.
    #[arg(long, global = true, overrides_with = "no_wait")]
    pub(crate) wait: bool,
    /// Return as soon as a change is accepted.
    #[arg(long, global = true, overrides_with = "wait")]
    pub(crate) no_wait: bool,
    /// The agent's socket.
    #[arg(long, global = true, value_name = "PATH", env = "PIC_SOCKET", hide_env_values = true,
          default_value = pic_api::SOCKET)]
    pub(crate) socket: PathBuf,
    /// When to use colour. `auto` is: on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Nouns, and verbs of the cell itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How the cell is: its addresses, its devices, what is not as wanted.
    Status,
    /// Look for what is wrong or could be better, and say what to do.
    ///
    /// Ends with 1 when a check failed.
    Doctor,
    /// Watch what happens: changes, repairs, whether the cell became better or worse.
    ///
    /// Goes on when the agent restarts, until it is interrupted. With --json: one document per line.
    Events(events::Events),
    /// Devices with a WireGuard key.
    #[command(subcommand)]
    Peer(peer::Verb),
    /// Groups of devices.
    #[command(subcommand)]
    Group(group::Verb),
    /// Exits: named ways to the internet beside the uplink.
    #[command(subcommand)]
    Exit(exits::Verb),
    /// LANs and their networks.
    #[command(subcommand)]
    Lan(lan::Verb),
    /// Programs with a network namespace of their own.
    #[command(subcommand)]
    App(app::Verb),
    /// Addresses on the LANs.
    #[command(subcommand)]
    Dhcp(dhcp::Verb),
    /// Names: records of the cell, and what is answered to whom.
    #[command(subcommand)]
    Dns(dns::Verb),
    /// The time that the cell serves: where it has it from, how exact it is, who asks.
    Time,
    /// Show what devices and LANs send to the internet and receive from it, and what they have used.
    ///
    /// Drawn anew until interrupted. What stays in the cell is not counted. With --json: one document, of counts.
    Top(top::Top),
    /// Say what applying a file would do; change nothing.
    Plan(plan::Plan),
    /// Make the host what a file says.
    Apply(apply::Apply),
    /// Keep a change that waits for its confirmation.
    ///
    /// Run it over a new connection: that you can open one is what is being confirmed.
    Confirm(confirm::Confirm),
    /// Take back a change that waits for its confirmation, now.
    Revert,
    /// List what was changed, when and by whom.
    ///
    /// Whom `root (anna)` names is anna, who had logged in and made it as root, by sudo or su.
    History(history::Show),
    /// Show what changed between two generations.
    ///
    /// Without arguments: what was edited in /etc/pic/cell.toml and not applied. With one: from that generation to the
    /// one in force.
    Diff(diff::Diff),
    /// Go back to an earlier generation.
    Rollback(rollback::Rollback),
    /// The desired state: /etc/pic/cell.toml.
    #[command(subcommand)]
    Config(config::Verb),
    /// Print the whole desired state with its defaults, as JSON. It holds no secrets.
    Export,
    /// Grant something to somebody.
    ///
    /// What nobody grants is refused: peers and LANs reach each other, and the cell, only by grants. A peer's and a LAN's
    /// `allow` is their short form.
    Grant(policy::Grant),
    /// Take a grant back. Running connections end with it.
    Revoke(policy::Revoke),
    /// Say who may reach something, and by which grant.
    Who(policy::Who),
    /// Named targets of grants.
    #[command(subcommand)]
    Service(policy::ServiceVerb),
    /// Ports of the cell that lead to hosts behind it.
    #[command(subcommand)]
    Forward(policy::ForwardVerb),
    /// Have nothing here answer an address or network for a while, whatever is granted.
    ///
    /// Refused for your own address, an admin's and the cell's networks unless forced. Survives restart and reboot.
    Ban(ban::Ban),
    /// Take a ban back.
    Unban(ban::Unban),
    /// List the bans that count.
    Bans,
    /// Say whether a connection is let through, and what decides.
    ///
    /// Walks the tables that are in force; sends nothing. Other firewalls of this host are not looked at.
    Why(why::Why),
    /// What must be reachable and what must not: [[test]] in cell.toml.
    #[command(subcommand)]
    Test(test::Verb),
    /// Show what the cell's services wrote to the journal.
    ///
    /// With --json: one document per line, as journalctl writes them.
    Logs(logs::Logs),
    /// Show the versions of this program and of the agent.
    Version,
    /// Print completions for a shell.
    Completions(completions::Completions),
}
