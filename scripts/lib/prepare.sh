# shellcheck shell=bash
# What scripts need before they begin: Debian packages by purpose, cargo under sudo, the built package. Needs log.sh.

declare -A packages=(
    [build]="build-essential pkg-config libnftnl-dev libmnl-dev"
    # No daemons that would start by being installed: the machine is somebody's own.
    [try]="iproute2 iputils-ping nftables wireguard-tools wireguard-go bind9-dnsutils dnsmasq-base procps python3 curl"
    [netns]="iproute2 iputils-ping nftables wireguard-tools wireguard-go bind9-dnsutils dnsmasq-base unbound iperf3 tcpdump
        socat strace procps python3 conntrack curl man-db udhcpc isc-dhcp-client isc-dhcp-relay dhcpcd-base ieee-data ndisc6 kea-admin
        openssl gnutls-bin libedit2 libfaketime nsd bind9-utils knot-dnsutils dnsperf kea-dhcp6-server python3-prometheus-client"
    [hosts]="systemd-container mmdebstrap debian-archive-keyring apt-utils gpg gpg-agent gpgv debhelper dpkg-dev lintian file
        xz-utils bats shellcheck e2fsprogs fakeroot"
    [machines]="qemu-system-x86 qemu-utils openssh-client"
    [release]="apt-utils gpg gpg-agent dpkg-dev debhelper xz-utils"
    [bench]="hyperfine kea-dhcp4-server kea-dhcp6-server kea-admin"
)

# Prints the packages of one purpose that are missing, in one line. Arguments: PURPOSE
missing_packages() {
    local package missing=() all
    read -r -d '' -a all <<<"${packages[$1]}" || true
    for package in "${all[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    printf '%s\n' "${missing[*]}"
}

# Installs the packages of one purpose that are missing. Arguments: PURPOSE
prepare_packages() {
    local missing
    read -r -a missing <<<"$(missing_packages "$1")"
    [[ ${#missing[@]} -gt 0 ]] || return 0
    step "installing ${missing[*]}"
    local log
    log=$(mktemp)
    if ! { apt_get update && apt_get install --no-remove "${missing[@]}"; } >"$log" 2>&1; then
        # A host that took one of a family of packages from elsewhere (qemu-utils from backports) blocks the others.
        step "again, allowing packages to go back to the release's own version"
        apt_get install --allow-downgrades "${missing[@]}" "qemu-utils/$(release_name)" >>"$log" 2>&1 \
            || { tail -n 20 "$log" >&2; die "apt-get cannot install them; its words are above"; }
    fi
    rm -f "$log"
    [[ -z $(missing_packages "$1") ]] || die "apt-get did not install $(missing_packages "$1")"
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"; }

# Code name of this machine's Debian.
release_name() { (. /etc/os-release && printf '%s' "$VERSION_CODENAME"); }

# sudo forgets the caller's PATH, and with it a toolchain in the caller's home.
prepare_cargo() {
    local home
    if ! command -v cargo >/dev/null; then
        for home in "${HOME:-/root}" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"; do
            [[ -x $home/.cargo/bin/cargo ]] || continue
            export PATH=$home/.cargo/bin:$PATH RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup}
            break
        done
    fi
    local wanted has
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../../Cargo.toml")
    has=$(cargo --version 2>/dev/null | cut -d' ' -f2) || true
    [[ -n $has ]] || die "there is no cargo here: install Rust $wanted or newer with rustup (https://rustup.rs)"
    printf '%s\n' "$wanted" "$has" | sort -V -C \
        || die "cargo is $has and PIC needs $wanted or newer: run \"rustup update\", or install Rust with rustup (https://rustup.rs)"
}

# Makes build/tools/bin/cargo-deny.
prepare_deny() {
    local version=0.20.2
    [[ $(build/tools/bin/cargo-deny --version 2>/dev/null) != "cargo-deny $version" ]] || return 0
    step "building cargo-deny (minutes, once)"
    # Without optimizing: it runs for a second and would be built for minutes.
    CARGO_TARGET_DIR=target/tools CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo install --quiet --locked --root build/tools "cargo-deny@$version"
    rm -rf target/tools
}

# Unpacks packages of Debian's into build/tools/NAME and installs nothing. Their libraries come with the packages above.
# Arguments: NAME PROGRAM PACKAGE..., with a program that is there when that was done
unpack() {
    local folder=build/tools/$1 program=$2 package
    shift 2
    [[ ! -x $folder/$program ]] || return 0
    step "unpacking $*"
    mkdir -p "$folder/deb/partial"
    apt_get -o Dir::Cache::archives="$PWD/$folder/deb" -d --reinstall install "$@" >/dev/null
    for package; do dpkg-deb -x "$folder/deb/$package"_*.deb "$folder"; done
    rm -rf "$folder/deb"
}

# To install it would take this machine's own time service away.
prepare_chrony() { unpack chrony usr/sbin/chronyd chrony; }

# To install it would start a daemon.
prepare_tor() { unpack tor usr/bin/tor tor; }

# The same.
prepare_proxies() { unpack proxies usr/bin/tinyproxy microsocks tinyproxy-bin; }

# Unpacks Debian's openvpn into build/tools/openvpn, with those of its libraries that are not installed. To install it would bring
# units along.
prepare_openvpn() {
    local folder=build/tools/openvpn deb
    [[ ! -x $folder/usr/sbin/openvpn ]] || return 0
    step "unpacking openvpn"
    mkdir -p "$folder/deb/partial"
    apt_get -o Dir::Cache::archives="$PWD/$folder/deb" -d --reinstall install openvpn >/dev/null
    for deb in "$folder"/deb/*.deb; do dpkg-deb -x "$deb" "$folder"; done
    rm -rf "$folder/deb"
}

# What root built under sudo goes back to who called sudo, or the next command without sudo could not write there.
give_back() {
    [[ -n ${SUDO_UID:-} && $(id -u) -eq 0 ]] || return 0
    local folder
    for folder in target build; do
        [[ ! -d $folder ]] || chown -R --no-dereference "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$folder"
    done
}

# The packages of some purposes: installed when we may, else asked for, all at once. Arguments: PURPOSE...
want_packages() {
    local purpose missing
    if [[ $(id -u) -eq 0 ]]; then
        for purpose; do prepare_packages "$purpose"; done
        return
    fi
    missing=$(for purpose; do missing_packages "$purpose"; done | tr ' ' '\n' | sort -u | xargs)
    [[ -z $missing ]] || die "missing packages; install them with: sudo apt-get install --no-install-recommends $missing"
}

# Packs a package again under a higher version. Arguments: DEB OUT
newer_package() {
    local tree
    tree=$(mktemp -d)
    dpkg-deb --raw-extract "$1" "$tree"
    sed -i 's/^Version: .*/&.1/' "$tree/DEBIAN/control"
    dpkg-deb --root-owner-group -Zxz -z1 --build "$tree" "$2" >/dev/null
    rm -rf "$tree"
}

# Builds the package and a signed repository with it into a folder, and the same programs under a higher version into
# FOLDER-next, signed with the same key, unless both are newer than every source and of the same profile. Arguments: FOLDER
package() {
    local out=$1 stamp=$1/.stamp key=$1.key profile=${DEB_PIC_PROFILE:-release}
    local newer
    newer=$( [[ ! -e $stamp ]] || find Cargo.toml Cargo.lock crates pic-agent installer units templates debian docs scripts/release \
        scripts/lib scripts/xtask -newer "$stamp" -type f -print -quit)
    if [[ -e $stamp && $(<"$stamp") == "$profile" && -d $out-next && -z $newer ]]; then
        step "unchanged since the last build"
        return
    fi
    rm -rf "$out" "$out-next"
    scripts/release "$out" --key "$key"
    newer_package "$out"/pool/stable/pic_*.deb "$out-next.deb"
    scripts/release "$out-next" --key "$key" --deb "$out-next.deb"
    printf '%s\n' "$profile" >"$stamp"
}
