//! Kernel settings: read and written one by one under `/proc/sys`.
//!
//! Decides nothing and keeps no originals; that is the engine's. Settings below `net` are those of the network
//! namespace of the calling thread. Tested in `tests/sysctl.rs`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pic_plan::target::sysctl::Key;

const ROOT: &str = "/proc/sys";

/// A failure of one setting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is no path below `/proc/sys`.
    #[error("{key} cannot be a kernel setting")]
    Key {
        /// It.
        key: Key,
    },
    /// A value with a line break or zero byte would be cut by the kernel.
    #[error("the value {value:?} for the kernel setting {key} is not one line")]
    Value {
        /// Setting.
        key: Key,
        /// Value.
        value: String,
    },
    /// Cannot be read.
    #[error("cannot read the kernel setting {key}")]
    Read {
        /// Setting.
        key: Key,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Cannot be written.
    #[error("cannot set the kernel setting {key} to {value:?}")]
    Write {
        /// Setting.
        key: Key,
        /// Value.
        value: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// The present value without white space around it; `None` where the kernel has no such setting, as for an interface
/// that is gone.
pub fn read(key: &Key) -> Result<Option<String>, Error> {
    match fs::read_to_string(path(key)?) {
        Ok(value) => Ok(Some(value.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { key: key.clone(), source }),
    }
}

/// A setting of each interface of a family (`ipv4` or `ipv6`), with the one for interfaces to come and without the one
/// for all at once; none where the kernel does not have the family.
pub fn of_interfaces(family: &str, setting: &str) -> Result<Vec<Key>, Error> {
    let folder = Key::new(&["net", family, "conf"]);
    let names = match fs::read_dir(path(&folder)?) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.and_then(|names| names.map(|name| name.map(|name| name.file_name())).collect()),
    };
    let names: Vec<std::ffi::OsString> = names.map_err(|source| Error::Read { key: folder, source })?;
    let names = names.iter().filter_map(|name| name.to_str()).filter(|name| *name != "all");
    Ok(names.map(|name| Key::new(&["net", family, "conf", name, setting])).collect())
}

/// Sets a value; the kernel takes it whole or not at all.
pub fn write(key: &Key, value: &str) -> Result<(), Error> {
    if value.contains(['\n', '\0']) {
        return Err(Error::Value { key: key.clone(), value: value.to_owned() });
    }
    put(&path(key)?, value).map_err(|source| Error::Write {
        key: key.clone(),
        value: value.to_owned(),
        source,
    })
}

fn put(path: &Path, value: &str) -> io::Result<()> {
    // Never created: a missing setting must be an error and not a stray file where /proc is not mounted.
    let mut file = OpenOptions::new().write(true).open(path)?;
    // One call: each write to a setting is parsed on its own.
    let line = format!("{value}\n");
    match file.write(line.as_bytes())? {
        written if written == line.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

fn path(key: &Key) -> Result<PathBuf, Error> {
    let is_sound =
        |part: &String| !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\0']);
    if key.0.is_empty() || !key.0.iter().all(is_sound) {
        return Err(Error::Key { key: key.clone() });
    }
    Ok(key.0.iter().fold(PathBuf::from(ROOT), |path, part| path.join(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        let good = path(&Key::new(&["net", "ipv4", "conf", "eth0.5", "forwarding"])).unwrap();
        assert_eq!(good, Path::new("/proc/sys/net/ipv4/conf/eth0.5/forwarding"));
        for bad in [&["net", ".."][..], &[], &["net", ""], &["/etc", "passwd"], &["net/ipv4"], &["a\0"]] {
            assert!(matches!(path(&Key::new(bad)), Err(Error::Key { .. })), "{bad:?}");
        }
    }
}
