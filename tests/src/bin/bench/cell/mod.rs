//! Area `cell`: what every box does all day.

mod apply;
mod machine;
mod packets;
mod restart;
mod running;

use anyhow::Result;
use pic_lab::{Namespace, cell::Cell};

use crate::Group;

/// In the order in which they are printed.
pub(crate) const GROUPS: &[Group] = &[
    ("apply", apply::apply),
    ("nftables", apply::nftables),
    ("running", running::figures),
    ("packets", packets::figures),
    ("restart", restart::figures),
    ("package", running::package),
    ("machine", machine::figures),
];

pub(crate) use apply::load;

/// A namespace with a way out and a cell without peers in it. The cell ends before its namespace.
pub(crate) struct Bench {
    pub(crate) cell: Cell,
    pub(crate) namespace: Namespace,
}

impl Bench {
    pub(crate) fn new() -> Result<Self> {
        let namespace = Namespace::new("bench")?;
        let cell = Cell::start(&namespace, &crate::data::cell_toml(0)?)?;
        Ok(Self { cell, namespace })
    }

    /// `picctl` with words, without anything in between that takes time.
    pub(crate) fn picctl(&self, words: &str) -> std::process::Command {
        let mut command = std::process::Command::new(pic_lab::cell::programs().join("picctl"));
        command.args(words.split(' ')).env("PIC_SOCKET", self.cell.socket());
        command
    }

    /// Applies a `cell.toml`; milliseconds until it is kept.
    pub(crate) fn apply(&self, text: &str) -> Result<f64> {
        let file = self.cell.path("bench.toml");
        pic_lab::files::write(&file, text)?;
        crate::measure::wall(self.picctl("apply --yes -f").arg(file))
    }

    pub(crate) fn find(&self, program: &str) -> Result<u32> {
        crate::measure::find(program, &self.cell.path(""))
    }
}
