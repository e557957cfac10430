//! The interface: made here, owned by this user and no more, and left behind when we end, so that its routes stay and
//! nothing that was sent by it goes another way. The agent takes it away.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// An openvpn that was told to end has the interface for a moment longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Why there is no interface.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The kernel refuses.
    #[error("cannot create interface {interface}: is /dev/net/tun there, and CAP_NET_ADMIN granted?")]
    Create {
        /// Its name.
        interface: String,
        /// Why.
        source: tun::Error,
    },
    /// We do not even know who we are.
    #[error("cannot find out which user this is")]
    User(#[source] std::io::Error),
}

/// Makes the interface of this name, or takes the one that is there.
///
/// # Errors
/// See [`DeviceError`].
#[expect(clippy::disallowed_methods, reason = "between two tries, with a deadline")]
pub fn make(interface: &str) -> Result<(), DeviceError> {
    let user = std::fs::metadata("/proc/self").map_err(DeviceError::User)?.uid();
    let begin = Instant::now();
    loop {
        match one(interface, user) {
            Err(_) if begin.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            done => {
                return done
                    .map_err(|source| DeviceError::Create { interface: interface.to_owned(), source });
            }
        }
    }
}

fn one(interface: &str, user: u32) -> Result<(), tun::Error> {
    let mut wanted = tun::Configuration::default();
    wanted.tun_name(interface);
    // Addresses and size are the agent's business.
    wanted.platform_config(|platform| {
        platform.ensure_root_privileges(false);
    });
    let mut device = tun::create(&wanted)?;
    device.user(i32::try_from(user).unwrap_or(i32::MAX))?;
    device.persist()
}
