//! A stranger's host and the repository that it installs from. The package is made of what lies in the target folder.
#![expect(clippy::unwrap_used, reason = "helpers of a test fail it by panicking")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use pic_lab::cmd::{self, Output};
use pic_lab::{Child, Internet, Namespace, Nspawn, Release, Scratch, Stage, wait};

pub(crate) const REPOSITORY: &str = "http://198.51.100.10:8000";
const SESSION: &str = "198.51.100.10 40000 203.0.113.10 22";
const PROGRAMS: [&str; 10] = [
    "picctl",
    "pic-installer",
    "pic-agent",
    "pic-guard",
    "pic-app",
    "pic-dns",
    "pic-dhcp",
    "pic-time",
    "pic-exit",
    "pic-wg",
];

/// A repository with the package, made once for all tests of this file.
fn repository() -> &'static Path {
    static MADE: OnceLock<(Scratch, PathBuf)> = OnceLock::new();
    let (_, path) = MADE.get_or_init(|| {
        let _stage = Stage::start("make the package and its repository");
        let scratch = Scratch::new("repository").unwrap();
        let deb = packed().unwrap_or_else(|| pack(&scratch));
        let (top, out) = (pic_lab::scratch::workspace(), scratch.join("out"));
        let mut command = cmd::command("bash");
        command.arg(top.join("scripts/release")).arg(&out).arg("--deb").arg(deb).args(["--url", REPOSITORY]);
        cmd::run_for(&mut command, Duration::from_secs(60), b"").unwrap().ok().unwrap();
        (scratch, out)
    });
    path
}

/// The package that `scripts/test` made, if no program was built since.
fn packed() -> Option<PathBuf> {
    let pool = pic_lab::scratch::workspace().join("build/release/pool/stable");
    let mut files = std::fs::read_dir(pool).ok()?.flatten().map(|entry| entry.path());
    // Not the one with the symbols.
    let is_pic = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("pic_") && name.ends_with(".deb"))
    };
    let deb = files.find(is_pic)?;
    PROGRAMS.iter().all(|program| age(&built(program)) <= age(&deb)).then_some(deb)
}

/// Packs the newest programs, quickly.
fn pack(scratch: &Scratch) -> PathBuf {
    let release = scratch.join("target/release");
    std::fs::create_dir_all(&release).unwrap();
    for program in PROGRAMS {
        std::fs::hard_link(built(program), release.join(program)).unwrap();
    }
    let script = "ROOT=$1 DEB_PIC_PREBUILT=1 DEB_PIC_QUICK=1 DEB_PIC_PROFILE=release CARGO_TARGET_DIR=$2/target && \
                  export DEB_PIC_QUICK DEB_PIC_PROFILE DEB_BUILD_OPTIONS=noautodbgsym && . \"$ROOT/scripts/lib/log.sh\" && \
                  . \"$ROOT/scripts/lib/deb.sh\" && build_debs \"$2/deb\" '' && mv \"$2\"/deb/pic_*.deb \"$2/pic.deb\"";
    let mut command = cmd::command("bash");
    command.args(["-euc", script, "bash"]).arg(pic_lab::scratch::workspace()).arg(scratch.path());
    cmd::run_for(&mut command, Duration::from_secs(300), b"").unwrap().ok().unwrap();
    scratch.join("pic.deb")
}

fn age(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// A program of the folder `PIC_BIN`, else its newest build, whichever profile it is of.
fn built(program: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("PIC_BIN") {
        return PathBuf::from(folder).join(program);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| pic_lab::scratch::workspace().join("target"), PathBuf::from);
    let found = ["debug", "release"]
        .map(|profile| target.join(profile).join(program))
        .into_iter()
        .filter(|p| p.exists());
    found
        .max_by_key(|path| age(path))
        .unwrap_or_else(|| panic!("{program} is not built; run: cargo build --bins"))
}

/// A fresh Debian on a small internet that has the repository.
pub(crate) struct World {
    pub(crate) cell: Nspawn,
    _web: Child,
    pub(crate) lab: Internet,
}

impl World {
    /// Booted, with nothing of the cell.
    pub(crate) fn start(release: Release) -> Self {
        Self::at(release, |lab| &lab.cell)
    }

    /// The same in another place.
    pub(crate) fn at(release: Release, place: fn(&Internet) -> &Namespace) -> Self {
        let lab = Internet::start().unwrap();
        let place = place(&lab);
        let mut server = lab.outside.command("python3");
        server.args(["-m", "http.server", "8000", "--directory"]).arg(repository());
        server.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let web = Child::spawn(server).unwrap();
        let mut cell = Nspawn::prepare(release, "cell", place).unwrap();
        cell.write("/etc/resolv.conf", "nameserver 198.51.100.53\n").unwrap();
        cell.boot().unwrap();
        let port: std::net::SocketAddr = "198.51.100.10:8000".parse().unwrap();
        wait::until(Duration::from_secs(10), "the repository's server", || {
            place.http_get(port, "/SHA256SUMS", Duration::from_secs(1)).is_ok()
        })
        .unwrap();
        Self { cell, _web: web, lab }
    }

    /// The one line that a stranger types.
    pub(crate) fn install(&self, options: &str) -> Output {
        let _stage = Stage::start(format!("install.sh {options}"));
        let line = format!(
            "export SSH_CONNECTION='{SESSION}'; curl -fsSL {REPOSITORY}/install.sh | sh -s -- {options}"
        );
        let mut command = self.cell.command("sh");
        cmd::run_for(command.args(["-c", &line]), Duration::from_secs(180), b"").unwrap()
    }

    /// Runs a script on the host, which must succeed.
    pub(crate) fn cell(&self, script: &str) -> String {
        self.cell.sh(script).unwrap().ok().unwrap()
    }
}
