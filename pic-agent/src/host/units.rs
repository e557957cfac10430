//! Who runs the services: systemd, ourselves, or nobody.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pic_drivers::units::{Child, Children, Manager, Systemd};
use pic_drivers::{files, wireguard};
use pic_model::chain;
use pic_plan::Action;
use pic_plan::marks::{
    self, FILE_DHCP, FILE_DNS, FILE_TIME, UNIT_DHCP, UNIT_DNS, UNIT_TIME, UNIT_WIREGUARD,
    UNIT_WIREGUARD_EXIT, WIREGUARD_INTERFACE,
};
use pic_plan::target::unit::UnitState;
use tokio::runtime::Handle;

use crate::notify::Pulse;
use crate::paths::Paths;

/// Between two signs of life while a unit starts or stops.
const BEAT: std::time::Duration = std::time::Duration::from_secs(2);
const NAMES: [&str; 4] = [UNIT_DNS, UNIT_DHCP, UNIT_TIME, UNIT_WIREGUARD];

/// The services of the cell. Blocks; the runtime's own threads drive the bus.
#[derive(Debug)]
pub(crate) struct Units {
    runtime: Handle,
    pulse: Pulse,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Connected at first use and again after a failure.
    Systemd(Option<Manager>),
    Children(Manager),
    /// Nothing runs units here; for taking a cell down in a chroot.
    Nobody,
}

impl Units {
    /// systemd, or with a folder of programs ourselves.
    pub(crate) fn new(
        runtime: Handle,
        pulse: Pulse,
        paths: &Paths,
        children: Option<PathBuf>,
    ) -> Result<Self, files::Error> {
        let kind = match children {
            Some(programs) => Kind::Children(own(paths, &programs)?),
            None if Manager::host_has_systemd() => Kind::Systemd(None),
            None => Kind::Nobody,
        };
        Ok(Self { runtime, pulse, kind })
    }

    /// Whether systemd runs them. Only then is anything done about the host's own resolver: without it we may be a
    /// guest in somebody's files.
    pub(crate) fn is_systemd(&self) -> bool {
        matches!(self.kind, Kind::Systemd(_))
    }

    /// Whether an agent runs the services itself.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.kind, Kind::Children(_))
    }

    /// The runtime that drives the bus.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Whether a unit that is no service of the cell's is active.
    pub(crate) fn is_active(&mut self, name: &str) -> Result<bool, String> {
        let states = self.with(|runtime, manager| {
            runtime.block_on(manager.observe(&[name])).map_err(|error| chain(&error))
        });
        Ok(states.transpose()?.is_some_and(|states| states.values().any(|unit| unit.active)))
    }

    /// Starts a unit, or has it look again if it is active.
    pub(crate) fn reload_or_start(&mut self, name: &str) -> Result<(), String> {
        let pulse = self.pulse.clone();
        self.with(|runtime, manager| {
            let work = beating(&pulse, manager.reload_or_start(name));
            runtime.block_on(work).map_err(|error| chain(&error))
        })
        .unwrap_or_else(|| Err("no systemd runs here".to_owned()))
    }

    /// Whether anybody could run a unit.
    pub(crate) fn has_manager(&self) -> bool {
        !matches!(self.kind, Kind::Nobody)
    }

    /// States of our services, and of these further ones.
    pub(crate) fn observe(&mut self, more: &[&str]) -> Result<BTreeMap<String, UnitState>, String> {
        let names: Vec<&str> = NAMES.iter().chain(more).copied().collect();
        self.with(|runtime, manager| runtime.block_on(manager.observe(&names)).map_err(|error| chain(&error)))
            .unwrap_or_else(|| Ok(BTreeMap::new()))
    }

    pub(crate) fn apply(&mut self, action: &Action) -> Result<(), String> {
        let pulse = self.pulse.clone();
        self.with(|runtime, manager| {
            runtime.block_on(beating(&pulse, manager.apply(action))).map_err(|error| chain(&error))
        })
        .unwrap_or_else(|| Err("no systemd runs here; start pic-agent with --children FOLDER".to_owned()))
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&Handle, &Manager) -> Result<T, String>,
    ) -> Option<Result<T, String>> {
        match &mut self.kind {
            Kind::Nobody => None,
            Kind::Children(manager) => Some(work(&self.runtime, manager)),
            Kind::Systemd(connection) => {
                let manager = match connection.take() {
                    Some(manager) => manager,
                    None => match self.runtime.block_on(Systemd::connect()) {
                        Ok(systemd) => Manager::Systemd(systemd),
                        Err(error) => return Some(Err(chain(&error))),
                    },
                };
                let done = work(&self.runtime, &manager);
                // A bus that was restarted needs a new connection; making one is cheap.
                *connection = done.is_ok().then_some(manager);
                Some(done)
            }
        }
    }
}

/// A unit may take longer to start than the watchdog is patient; the driver bounds how long.
async fn beating<T>(pulse: &Pulse, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(BEAT, &mut work).await {
            Ok(done) => return done,
            Err(_) => pulse.beat(),
        }
    }
}

/// Our own processes, with the same arguments that the units give them.
fn own(paths: &Paths, programs: &Path) -> Result<Manager, files::Error> {
    let socket = wireguard::socket_path(WIREGUARD_INTERFACE);
    let status = paths.dns_status();
    let time_status = paths.time_status();
    for folder in [socket.parent(), status.parent(), time_status.parent()].into_iter().flatten() {
        files::create_dir_durable(folder, 0o755)?;
    }
    files::create_dir_durable(&paths.run, 0o755)?;
    let child = |program: &str, arguments: Vec<std::ffi::OsString>, ready_socket| Child {
        program: programs.join(program),
        arguments,
        environment: BTreeMap::new(),
        ready_socket,
        ready_path: None,
    };
    let leases = paths.state.join("dhcp/leases");
    files::create_dir_durable(&leases, 0o700)?;
    files::create_dir_durable(&paths.dhcp_run(), 0o755)?;
    let dhcp = child(
        "pic-dhcp",
        vec![
            "--snapshot".into(),
            paths.on_disk(FILE_DHCP).into(),
            "--leases".into(),
            leases.into(),
            "--run".into(),
            paths.dhcp_run().into(),
        ],
        None,
    );
    let control = paths.dns_control();
    let pairs: [(&str, std::path::PathBuf); 7] = [
        ("--snapshot", paths.on_disk(FILE_DNS)),
        ("--leases", paths.dhcp_run().join("names.json")),
        ("--status", status),
        ("--control", control.clone()),
        ("--metrics", paths.dns_metrics()),
        ("--certificate", paths.dns_certificate()),
        ("--lists", paths.state.join("dns/lists")),
    ];
    let arguments = pairs.into_iter().flat_map(|(option, path)| [option.into(), path.into()]).collect();
    let dns = child("pic-dns", arguments, Some(control));
    let time: [(&str, std::path::PathBuf); 6] = [
        ("--snapshot", paths.on_disk(FILE_TIME)),
        ("--template", paths.template("chrony.conf")),
        ("--run", time_status.with_file_name("chrony")),
        ("--status", time_status),
        ("--state", paths.state.join("time/state")),
        ("--chrony", paths.chrony.clone()),
    ];
    let arguments = time.into_iter().flat_map(|(option, path)| [option.into(), path.into()]).collect();
    let time = child("pic-time", arguments, None);
    let wireguard = child("pic-wg", vec!["--interface".into(), WIREGUARD_INTERFACE.into()], Some(socket));
    // One for each exit; the manager puts the interface in the place of `%i`.
    let instance = "%i".to_owned();
    let exit = child(
        "pic-wg",
        vec!["--interface".into(), instance.clone().into()],
        Some(wireguard::socket_path(&instance)),
    );
    let status = paths.exit_status(marks::TOR, &instance);
    let tor: [(&str, std::path::PathBuf); 6] = [
        ("--snapshot", paths.on_disk(&marks::TOR.file(&instance))),
        ("--template", paths.template("torrc")),
        ("--run", status.with_file_name("tor")),
        ("--status", status),
        ("--state", paths.state.join("tor/state").join(&instance)),
        ("--tor", paths.tor.clone()),
    ];
    let arguments = tor.into_iter().flat_map(|(option, path)| [option.into(), path.into()]);
    let tor = child("pic-exit", std::iter::once("tor".into()).chain(arguments).collect(), None);
    let proxy = [
        OsString::from("proxy"),
        "--snapshot".into(),
        paths.on_disk(&marks::PROXY.file(&instance)).into(),
        "--status".into(),
        paths.exit_status(marks::PROXY, &instance).into(),
    ];
    let proxy = child("pic-exit", proxy.into(), None);
    let openvpn =
        Child { ready_path: Some(format!("/sys/class/net/{instance}").into()), ..openvpn(paths, &child) };
    let app = [OsString::from("--own-namespace"), "--snapshot".into()];
    let app = app.into_iter().chain([paths.on_disk(&marks::app_file(&instance)).into()]);
    let app = child("pic-app", app.collect(), None);
    let programs = BTreeMap::from([
        (marks::app_unit(""), app),
        (marks::OPENVPN.unit(""), openvpn),
        (marks::TOR.unit(""), tor),
        (marks::PROXY.unit(""), proxy),
        (format!("{UNIT_WIREGUARD_EXIT}.service"), exit),
        (UNIT_DNS.to_owned(), dns),
        (UNIT_DHCP.to_owned(), dhcp),
        (UNIT_TIME.to_owned(), time),
        (UNIT_WIREGUARD.to_owned(), wireguard),
    ]);
    Ok(Manager::Children(Children::new(programs, paths.run.clone())))
}

/// Makes a child from a program, its arguments and the socket at which it is ready.
type MakeChild<'m> = &'m dyn Fn(&str, Vec<std::ffi::OsString>, Option<PathBuf>) -> Child;

fn openvpn(paths: &Paths, child: MakeChild<'_>) -> Child {
    let status = paths.exit_status(marks::OPENVPN, "%i");
    let pairs: [(&str, PathBuf); 6] = [
        ("--interface", "%i".into()),
        ("--snapshot", paths.on_disk(&marks::OPENVPN.file("%i"))),
        ("--template", paths.template("openvpn.conf")),
        ("--run", status.with_file_name("openvpn")),
        ("--status", status),
        ("--openvpn", paths.openvpn.clone()),
    ];
    let arguments = pairs.into_iter().flat_map(|(option, path)| [option.into(), path.into()]);
    child("pic-exit", std::iter::once("openvpn".into()).chain(arguments).collect(), None)
}
