//! A cell with many grants, each a table of its own: one device may reach one port of another.

use std::fmt::Write as _;

use anyhow::Result;

use crate::data::{MANY, cell_toml};

/// As many as there may be.
pub(super) const GRANTS: u32 = 100_000;
pub(super) const TESTS: u32 = 1_000;

/// Who is granted what by the grant with this number. Ten of them belong to each of [`MANY`] peers.
fn ends(number: u32) -> (String, String) {
    let (from, to) = (number % MANY, (number * 7 + number / MANY * 14 + 1) % MANY);
    (format!("p{from}"), format!("p{to}:{}", number % 999 + 1))
}

/// [`MANY`] peers with [`GRANTS`] grants.
pub(super) fn granted() -> Result<String> {
    let mut text = cell_toml(MANY)?;
    for number in 0..GRANTS {
        let (from, to) = ends(number);
        write!(text, "\n[[grant]]\nfrom = [\"{from}\"]\nto = [\"{to}\"]\n")?;
    }
    Ok(text)
}

/// Tests of reach that hold in [`granted`]: half of them of what is granted, half of what is not.
pub(super) fn tests() -> Result<String> {
    let mut text = String::new();
    for number in 0..TESTS {
        let (from, to) = ends(number * 37);
        let (to, expect) = if number.is_multiple_of(2) { (to, "allowed") } else { (to + "9", "blocked") };
        write!(text, "\n[[test]]\nfrom = \"{from}\"\nto = \"{to}\"\nexpect = \"{expect}\"\n")?;
    }
    Ok(text)
}

/// The words of one more grant, as `p17 p20:9000`.
pub(super) fn one_more(number: u32) -> String {
    format!("p{} p{}:9000", number * 13 + 7, number * 17 + 20)
}
