//! Kernel settings under `/proc/sys`.

/// A setting's path with dots, as `net.ipv4.ip_forward`; an interface name inside is written as is, so the parts are
/// kept apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub Vec<String>);

impl Key {
    /// From its parts.
    pub fn new(parts: &[&str]) -> Self {
        Self(parts.iter().map(|part| (*part).to_owned()).collect())
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // sysctl(8): a dot inside a part is written as a slash.
        let parts: Vec<_> = self.0.iter().map(|part| part.replace('.', "/")).collect();
        f.write_str(&parts.join("."))
    }
}
