//! What `chronyc -c` says: lines of comma-separated values (chronyc(1)). chronyd parses packets of strangers, so its words
//! are foreign: lines that are not understood are left out, and numbers that are none are refused.

use std::net::IpAddr;

use pic_model::snapshot::time::{CLIENTS, ClientStatus, SourceStatus, Tracking};

/// Most sources that are told; a cell has at most sixteen.
const SOURCES: usize = 64;
/// Longest name of a source that is told.
const NAME: usize = 255;
/// chronyc's word for never.
const NEVER: u64 = u32::MAX as u64;

/// What chronyd takes for the time (`tracking`).
pub fn tracking(text: &str) -> Option<Tracking> {
    let fields: Vec<&str> = text.lines().next()?.split(',').collect();
    let [_, source, stratum, reference, correction, _, _, frequency, _, _, delay, dispersion, _, leap] =
        fields[..]
    else {
        return None;
    };
    let leap = match leap {
        "Normal" => "normal",
        "Insert second" => "insert second",
        "Delete second" => "delete second",
        _ => "not synchronised",
    };
    let synchronised = leap != "not synchronised";
    Some(Tracking {
        synchronised,
        source: name(source).filter(|_| synchronised),
        stratum: stratum.parse().ok().filter(|_| synchronised).unwrap_or(0),
        // What has to be added to the clock is what it is behind.
        offset: 0.0 - number(correction)?,
        frequency: number(frequency)?,
        root_delay: number(delay)?,
        root_dispersion: number(dispersion)?,
        reference_time: number(reference)?,
        leap: leap.to_owned(),
    })
}

/// The servers (`sources`), and which of them are authenticated (`authdata`).
pub fn sources(sources: &str, authentication: &str) -> Vec<SourceStatus> {
    let authenticated = |name: &str| {
        authentication.lines().any(|line| {
            let mut fields = line.split(',');
            fields.next() == Some(name) && fields.next() == Some("NTS")
        })
    };
    sources.lines().filter_map(|line| source(line, authenticated)).take(SOURCES).collect()
}

fn source(line: &str, authenticated: impl Fn(&str) -> bool) -> Option<SourceStatus> {
    let fields: Vec<&str> = line.split(',').collect();
    let [_, state, host, stratum, _, reach, last, offset, _, _] = fields[..] else { return None };
    let state = match state {
        "*" => "selected",
        "+" => "combined",
        "-" => "unused",
        "x" => "false",
        "~" => "unsteady",
        _ => "unreachable",
    };
    Some(SourceStatus {
        nts: authenticated(host),
        name: name(host)?,
        state: state.to_owned(),
        stratum: stratum.parse().ok()?,
        reached: u8::try_from(u8::from_str_radix(reach, 8).ok()?.count_ones()).ok()?,
        last: last.parse().ok().filter(|seconds| *seconds < NEVER),
        offset: number(offset)?,
    })
}

/// Who asked (`clients`), the busiest first.
pub fn clients(text: &str) -> Vec<ClientStatus> {
    let client = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [address, asked, dropped, _, _, last, ..] = fields[..] else { return None };
        let address: IpAddr = address.parse().ok()?;
        let client = ClientStatus {
            address: address.to_canonical(),
            asked: asked.parse().ok()?,
            dropped: dropped.parse().ok()?,
            last: last.parse().ok()?,
        };
        (client.asked > 0).then_some(client)
    };
    let mut all: Vec<_> = text.lines().filter_map(client).collect();
    all.sort_by_key(|client| (std::cmp::Reverse(client.asked), client.address));
    all.truncate(CLIENTS);
    all
}

/// Questions asked, and those not answered (`serverstats`).
pub fn served(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.lines().next()?.split(',');
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A host as it may be printed anywhere.
fn name(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:#%".contains(&byte);
    ((1..=NAME).contains(&text.len()) && text.bytes().all(is_plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracking_of_a_clock_that_is_days_ahead() {
        let line = "C0000201,time.example.org,2,1795590123.555732211,-259200.000000000,0.000009808,0.000009808,3.472,0.000,216.991,0.000092907,0.000631478,2.0,Normal\n";
        let told = tracking(line).unwrap();
        assert!(told.synchronised && told.stratum == 2);
        assert_eq!(told.source.as_deref(), Some("time.example.org"));
        assert!((told.offset - 259_200.0).abs() < 1e-6, "ahead is positive");
        let nothing =
            "00000000,,0,0.000000000,0.000000000,0.0,0.0,3.472,0.000,0.000,1.0,1.0,0.0,Not synchronised";
        let told = tracking(nothing).unwrap();
        assert!(!told.synchronised && told.source.is_none() && told.stratum == 0);
        for bad in ["", "506 Cannot talk to daemon", "a,b,c", &line.replace("3.472", "nan")] {
            assert_eq!(tracking(bad), None, "{bad}");
        }
    }

    #[test]
    fn sources_with_their_authentication() {
        let text = "^,*,time.example.org,1,6,377,3,0.000001,0.00001,0.00004\n^,?,192.0.2.7,0,7,0,4294967295,0.0,0.0,0.0\nnonsense\n^,*,<b>,1,6,17,3,0.0,0.0,0.0\n";
        let all = sources(
            text,
            "time.example.org,NTS,1,15,256,3,0,0,8,100\n192.0.2.7,-,0,0,0,4294967295,0,0,0,0\n",
        );
        assert_eq!(all.len(), 2);
        assert!(all[0].nts && all[0].state == "selected" && all[0].reached == 8 && all[0].last == Some(3));
        assert!(!all[1].nts && all[1].state == "unreachable" && all[1].last.is_none());
    }

    #[test]
    fn clients_that_asked() {
        let text = "192.168.40.100,5,1,6,2,7,0,0,127,4294967295\n10.77.0.2,9,0,6,2,1,0,0,127,4294967295\n10.77.0.3,0,0,127,127,4294967295,3,0,1,2\nx,1,1,1,1,1\n";
        let all = clients(text);
        assert_eq!(
            all.iter().map(|one| one.address.to_string()).collect::<Vec<_>>(),
            ["10.77.0.2", "192.168.40.100"]
        );
        assert_eq!((all[1].asked, all[1].dropped, all[1].last), (5, 1, 7));
        assert_eq!(served("21,4,0,0,0\n"), Some((21, 4)));
        assert_eq!(served(""), None);
    }
}
