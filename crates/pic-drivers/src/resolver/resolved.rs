//! systemd-resolved, over its bus interface (org.freedesktop.resolve1(5)).
//!
//! The settings stand on the cell's own interface: nothing is written to disk, systemd-resolved need not restart and
//! keeps them when it does, and with the interface they are gone.

use std::net::IpAddr;

use zbus::OwnedObjectPath;

use super::Error;

const NAME: &str = "org.freedesktop.resolve1";
/// All names are asked here before any other interface that does not say the same.
const EVERYTHING: &str = ".";
const AF_INET: i32 = libc::AF_INET;
const AF_INET6: i32 = libc::AF_INET6;

#[zbus::proxy(
    interface = "org.freedesktop.resolve1.Manager",
    default_service = "org.freedesktop.resolve1",
    default_path = "/org/freedesktop/resolve1"
)]
trait Manager {
    fn get_link(&self, index: i32) -> zbus::Result<OwnedObjectPath>;
    #[zbus(name = "SetLinkDNS")]
    fn set_link_dns(&self, index: i32, addresses: &[(i32, Vec<u8>)]) -> zbus::Result<()>;
    fn set_link_domains(&self, index: i32, domains: &[(&str, bool)]) -> zbus::Result<()>;
    #[zbus(name = "SetLinkDNSOverTLS")]
    fn set_link_dns_over_tls(&self, index: i32, mode: &str) -> zbus::Result<()>;
    #[zbus(name = "SetLinkDNSSEC")]
    fn set_link_dnssec(&self, index: i32, mode: &str) -> zbus::Result<()>;
    fn revert_link(&self, index: i32) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.resolve1.Link", default_service = "org.freedesktop.resolve1")]
trait Link {
    #[zbus(property(emits_changed_signal = "false"), name = "DNS")]
    fn dns(&self) -> zbus::Result<Vec<(i32, Vec<u8>)>>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn domains(&self) -> zbus::Result<Vec<(String, bool)>>;
}

fn failed(verb: &'static str) -> impl Fn(zbus::Error) -> Error {
    move |source| Error::Resolved { verb, source }
}

/// Whether it runs, and whom it asks for all names on our interface. It is not started for the question.
pub(super) async fn observe(interface: &str) -> (bool, Option<IpAddr>) {
    let Ok(connection) = zbus::Connection::system().await else { return (false, None) };
    if !runs(&connection).await {
        return (false, None);
    }
    let asked = match index(interface) {
        Ok(index) => asked(&connection, index).await.ok().flatten(),
        Err(_) => None,
    };
    (true, asked)
}

async fn runs(connection: &zbus::Connection) -> bool {
    let Ok(bus) = zbus::fdo::DBusProxy::new(connection).await else { return false };
    let Ok(name) = zbus::names::BusName::try_from(NAME) else { return false };
    bus.name_has_owner(name).await.unwrap_or(false)
}

async fn asked(connection: &zbus::Connection, index: i32) -> zbus::Result<Option<IpAddr>> {
    let path = ManagerProxy::new(connection).await?.get_link(index).await?;
    let link = LinkProxy::builder(connection).path(path).build().await?;
    let for_all = link.domains().await?.iter().any(|(name, routes)| name == EVERYTHING && *routes);
    let servers: Vec<(i32, Vec<u8>)> = link.dns().await?;
    Ok(servers.iter().filter(|_| for_all).find_map(|(_, bytes)| address(bytes)))
}

/// What sends all names to our interface comes last: at each moment before, the host asks as it did.
pub(super) async fn take(interface: &str, server: IpAddr) -> Result<(), Error> {
    let index = index(interface)?;
    let manager = manager().await?;
    // The way does not leave this host, and what is behind the cell is checked there.
    manager.set_link_dns_over_tls(index, "no").await.map_err(failed("leave TLS out"))?;
    manager.set_link_dnssec(index, "no").await.map_err(failed("leave DNSSEC to the cell"))?;
    let servers = [match server {
        IpAddr::V4(ip) => (AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AF_INET6, ip.octets().to_vec()),
    }];
    manager.set_link_dns(index, &servers).await.map_err(failed("ask the cell"))?;
    manager.set_link_domains(index, &[(EVERYTHING, true)]).await.map_err(failed("ask the cell for all names"))
}

pub(super) async fn release(interface: &str) -> Result<(), Error> {
    // Gone, and the settings with it.
    let Ok(index) = index(interface) else { return Ok(()) };
    let connection = zbus::Connection::system().await.map_err(failed("be reached over the system bus"))?;
    if !runs(&connection).await {
        return Ok(());
    }
    manager().await?.revert_link(index).await.map_err(failed("forget the cell"))
}

async fn manager() -> Result<ManagerProxy<'static>, Error> {
    let connection = zbus::Connection::system().await.map_err(failed("be reached over the system bus"))?;
    ManagerProxy::new(&connection).await.map_err(failed("be reached over the system bus"))
}

fn index(interface: &str) -> Result<i32, Error> {
    let missing = || Error::NoInterface { name: interface.to_owned() };
    let index = nix::net::if_::if_nametoindex(interface).map_err(|_| missing())?;
    i32::try_from(index).map_err(|_| missing())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
