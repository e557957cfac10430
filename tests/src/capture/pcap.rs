//! Reads the capture file format, also while it is being written.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::packet::{Link, Packet};

const HEADER: usize = 24;
const RECORD: usize = 16;
/// In the byte order of this machine, since tcpdump runs on it.
const MAGIC: u32 = 0xa1b2_c3d4;

/// All complete packets; a last one that is cut off is left out.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Packet>> {
    if bytes.len() < HEADER {
        return Ok(Vec::new());
    }
    ensure!(word(bytes, 0) == MAGIC, "not a capture file");
    let link = Link::from_number(word(bytes, 20));
    let mut packets = Vec::new();
    let mut rest = &bytes[HEADER..];
    while rest.len() >= RECORD {
        let time = Duration::new(word(rest, 0).into(), word(rest, 4).saturating_mul(1000));
        let end = RECORD + usize::try_from(word(rest, 8))?;
        if rest.len() < end {
            break;
        }
        packets.push(Packet { time, link, data: rest[RECORD..end].to_vec() });
        rest = &rest[end..];
    }
    Ok(packets)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_packet_is_left_out() {
        let mut file = vec![0; HEADER];
        file[..4].copy_from_slice(&MAGIC.to_ne_bytes());
        file[20..24].copy_from_slice(&1_u32.to_ne_bytes());
        for field in [7_u32, 5, 3, 3] {
            file.extend(field.to_ne_bytes());
        }
        file.extend(*b"abc");
        let whole = file.clone();
        file.extend_from_slice(&whole[HEADER..HEADER + 18]);
        let packets = parse(&file).unwrap();
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0].data, b"abc");
        assert_eq!(packets[0].time, Duration::new(7, 5000));
        assert!(parse(&file[..10]).unwrap().is_empty());
    }
}
