//! `[[lan.dhcp.boot]]`: files for those that boot from the network.

use crate::config::reader::Reader;
use crate::config::values::{self, Bad, Value, quoted};
use crate::snapshot::dhcp::BootFile;

/// Words for the numbers of RFC 4578 and of the registry that goes on from it. Firmware of 64-bit PCs says 7 or 9.
const ARCHITECTURES: [(&str, &[u16]); 8] = [
    ("bios", &[0]),
    ("uefi-x86", &[6]),
    ("uefi-x64", &[7, 9]),
    ("uefi-arm", &[10]),
    ("uefi-arm64", &[11]),
    ("uefi-riscv64", &[27]),
    ("http-x64", &[16]),
    ("http-arm64", &[19]),
];
/// What the file's place in the header holds.
const MAX: usize = 127;

pub(super) fn read(t: &mut Reader<'_, '_>) -> Vec<BootFile> {
    t.tables("boot", |t, _| {
        let file = t.needed("file", "write file = \"pxelinux.0\"", |s| text(s, MAX));
        let words = t.one_or_more("architecture");
        let architectures = t.each(words, architecture).unwrap_or_default().concat();
        let user_class = t.string("user_class");
        let user_class = t.value(user_class, |s| text(s, 255));
        let next_server = t.string("next_server");
        let next_server = t.value(next_server, values::ipv4);
        Some(BootFile { architectures, user_class, file: file?, next_server })
    })
}

fn architecture(word: &str) -> Value<Vec<u16>> {
    let known = ARCHITECTURES.iter().find(|(name, _)| *name == word).map(|(_, numbers)| numbers.to_vec());
    known.or_else(|| Some(vec![word.parse().ok()?])).ok_or_else(|| Bad {
        message: format!("{} is no architecture that is known here", quoted(word)),
        hint: "write \"bios\", \"uefi-x64\", \"uefi-arm64\" and the like, or the number of option 93 in quotes",
    })
}

fn text(value: &str, longest: usize) -> Value<String> {
    let is_plain = !value.is_empty() && value.len() <= longest && !value.chars().any(char::is_control);
    is_plain.then(|| value.to_owned()).ok_or_else(|| Bad {
        message: format!("{} cannot be sent", quoted(value)),
        hint: "write at most 127 characters without control characters",
    })
}
