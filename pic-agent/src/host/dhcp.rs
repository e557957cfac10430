//! What the DHCP service says about its leases: one short line asked, one line of typed JSON answered, both bounded.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use pic_model::snapshot::dhcp::{DhcpRequest, DhcpState, VERSION};

/// Half a million leases are below this.
const MAX: u64 = 128 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks; blocks for at most a few seconds.
pub(crate) fn ask(socket: &Path, request: &DhcpRequest) -> Result<DhcpState, String> {
    let fail =
        |error: std::io::Error| format!("the DHCP service does not answer at {}: {error}", socket.display());
    let mut stream = UnixStream::connect(socket).map_err(fail)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(fail)?;
    let mut line = serde_json::to_vec(request).unwrap_or_default();
    line.push(b'\n');
    stream.write_all(&line).map_err(fail)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(MAX)).read_until(b'\n', &mut answer).map_err(fail)?;
    let state: DhcpState = serde_json::from_slice(&answer)
        .map_err(|error| format!("the DHCP service's answer is not understood: {error}"))?;
    if state.version == VERSION {
        Ok(state)
    } else {
        Err("the DHCP service is of another version: systemctl restart pic-dhcp".to_owned())
    }
}
