//! Makers of devices by the first half of their hardware addresses, from lists that Debian packages carry. Read when
//! asked for: a few megabytes are read in some milliseconds, and are not kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use pic_model::lan::Mac;

/// The half that the registry gives to a maker (an OUI).
pub(crate) type Prefix = [u8; 3];

/// Lists, the best first: packages ieee-data, udev or systemd-hwdb, nmap-common.
const LISTS: [&str; 3] =
    ["/usr/share/ieee-data/oui.txt", "/usr/lib/udev/hwdb.d/20-OUI.hwdb", "/usr/share/nmap/nmap-mac-prefixes"];
const MAX_BYTES: u64 = 64 << 20;
/// Longest name shown.
const MAX_NAME: usize = 64;

/// The registered half of an address; none where the device made its address up (the bit for "local" is set).
pub(crate) fn prefix(mac: Mac) -> Option<Prefix> {
    let [a, b, c, ..] = mac.0;
    (a & 2 == 0).then_some([a, b, c])
}

/// The makers of these; empty where the host has no list.
pub(crate) fn of(wanted: &BTreeSet<Prefix>) -> BTreeMap<Prefix, String> {
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    let list = LISTS.iter().find_map(|path| File::open(path).ok());
    list.map(|file| read(BufReader::new(file.take(MAX_BYTES)), wanted)).unwrap_or_default()
}

fn read(list: impl BufRead, wanted: &BTreeSet<Prefix>) -> BTreeMap<Prefix, String> {
    let mut makers = BTreeMap::new();
    // In the hardware database the name stands on the line after the address.
    let mut before = None;
    for line in list.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        let found = match line.strip_prefix(" ID_OUI_FROM_DATABASE=") {
            Some(name) => before.take().map(|prefix| (prefix, name)),
            None => one(&line),
        };
        before = line.strip_prefix("OUI:").and_then(|rest| hex(rest.trim_end().strip_suffix('*')?));
        if let Some((prefix, name)) = found.filter(|(prefix, _)| wanted.contains(prefix)) {
            let name: String = name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
            makers.insert(prefix, name);
        }
    }
    makers
}

/// `00-11-22   (hex)\t\tName`, or `001122 Name`.
fn one(line: &str) -> Option<(Prefix, &str)> {
    let (address, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    match rest.strip_prefix("(hex)") {
        Some(name) => Some((hex(&address.replace('-', ""))?, name)),
        None if rest.starts_with('(') => None,
        None => Some((hex(address)?, rest)),
    }
}

fn hex(text: &str) -> Option<Prefix> {
    let number = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 6)?;
    let [_, a, b, c] = number.to_be_bytes();
    Some([a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds_of_lists() {
        let ieee =
            "OUI/MA-L   Organization\n00-11-22   (hex)\t\tCimsys Inc\r\n001122     (base 16)\t\tCimsys Inc\n";
        let hwdb =
            "OUI:001122*\n ID_OUI_FROM_DATABASE=Cimsys Inc\n\nOUI:0011223*\n ID_OUI_FROM_DATABASE=Other\n";
        let nmap = "# comment\n001122 Cimsys Inc\n0011223 Other\n";
        for list in [ieee, hwdb, nmap] {
            let found = read(list.as_bytes(), &[[0, 0x11, 0x22]].into());
            assert_eq!(found, [([0, 0x11, 0x22], "Cimsys Inc".to_owned())].into(), "{list}");
        }
        assert_eq!(prefix(Mac([2, 1, 1, 1, 1, 1])), None, "made up by the device");
    }
}
