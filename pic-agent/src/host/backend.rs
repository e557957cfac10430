//! Whether WireGuard is the kernel's or a process's. Asked once per boot: a module that appears later must not take
//! the running tunnel down.

use std::path::PathBuf;

use pic_drivers::{files, link};
use pic_model::chain;
use pic_plan::marks::WIREGUARD_INTERFACE;
use pic_plan::target::link::Kind;

/// The answer and where it is remembered until the next boot.
#[derive(Debug)]
pub(super) struct Backend {
    memo: PathBuf,
    known: Option<bool>,
}

impl Backend {
    pub(super) fn new(memo: PathBuf) -> Self {
        Self { memo, known: None }
    }

    /// Whether the kernel makes WireGuard devices.
    pub(super) fn is_kernel(&mut self) -> Result<bool, String> {
        if let Some(known) = self.known {
            return Ok(known);
        }
        let answer = match self.remembered() {
            Some(answer) => answer,
            None => find_out().map_err(|error| chain(&error))?,
        };
        self.known = Some(answer);
        let word: &[u8] = if answer { b"kernel\n" } else { b"userspace\n" };
        if let Err(error) = files::write_atomic(&self.memo, word, 0o644) {
            // Only the next start would ask again.
            tracing::warn!("{}", chain(&error));
        }
        Ok(answer)
    }

    fn remembered(&self) -> Option<bool> {
        match files::read_bounded(&self.memo, 64).ok()??.as_slice() {
            b"kernel\n" => Some(true),
            b"userspace\n" => Some(false),
            _ => None,
        }
    }
}

/// What stands is the best witness; else the kernel is asked for a device.
fn find_out() -> Result<bool, link::Error> {
    let present = link::observe("pic")?;
    match present.get(WIREGUARD_INTERFACE).map(|link| link.kind) {
        Some(Kind::Wireguard) => Ok(true),
        Some(Kind::Tun) => Ok(false),
        Some(Kind::Foreign | Kind::Vlan(_) | Kind::Veth) | None => link::probe_kernel_wireguard(),
    }
}
