//! What a peer may reach, as it is written on the command line.

use clap::ValueEnum;

use crate::Outcome;
use crate::exit::Failure;

/// What may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Allow {
    /// The internet through the cell.
    Internet,
    /// What the cell serves.
    Cell,
    /// Nothing.
    None,
}

impl Allow {
    fn as_str(self) -> &'static str {
        match self {
            Self::Internet => "internet",
            Self::Cell => "cell",
            Self::None => "none",
        }
    }
}

/// The API's words for a list; `none` is the empty one.
pub(super) fn words(list: &[Allow]) -> Outcome<Vec<String>> {
    match list {
        [Allow::None] => Ok(Vec::new()),
        list if list.contains(&Allow::None) => Err(Failure::Usage("--allow none stands alone".to_owned())),
        list => Ok(list.iter().map(|allow| allow.as_str().to_owned()).collect()),
    }
}
