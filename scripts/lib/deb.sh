# shellcheck shell=bash
# Builds the Debian packages of this tree. Needs log.sh and $ROOT, the top of the repository.

# Sets the version of a copied source tree to $2, when it is another than the changelog's.
_set_version() {
    local tree=$1 version=$2
    [[ $version =~ ^[0-9][A-Za-z0-9.+~]*$ ]] || die "the version \"$version\" is not one that Debian takes; use something like 1.2.3 or 1.2.3~rc1"
    [[ $version != "$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Version)" ]] || return 0
    {
        printf 'pic (%s) unstable; urgency=medium\n\n  * Built by scripts/release.\n\n' "$version"
        printf ' -- PIC maintainers <maintainers@pic.invalid>  %s\n\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
        cat "$ROOT/debian/changelog"
    } >"$tree/debian/changelog"
}

# Crates whose programs are in the package, and the one that makes its documents.
PROGRAMS=(pic-agent pic-dhcp pic-dns pic-exit pic-installer pic-time pic-wg picctl xtask)

# The programs, built by the profile $1. A profile for tests has built the whole workspace already, and for a part of it cargo
# would choose other features and build all of it again.
_programs() {
    local which=("${PROGRAMS[@]/#/--package=}")
    [[ $1 == release ]] || which=(--workspace)
    (cd "$ROOT" && cargo build --profile "$1" --locked --bins "${which[@]}") >&2 || die "the programs do not build, see above"
}

# Makes the man pages and completions by xtask as the profile $1 built it.
_documents() {
    local kind folder=$1
    [[ $1 != dev ]] || folder=debug
    for kind in man completions; do
        rm -rf "$ROOT/build/$kind"
        (cd "$ROOT" && "$CARGO_TARGET_DIR/$folder/xtask" "$kind" "$ROOT/build/$kind") >&2 || die "xtask $kind failed, see above"
    done
}

# Builds by DEB_PIC_PROFILE (release) into the folder $1 (wiped) with the version $2 ("" keeps the changelog's). The packages lie in $1 afterwards.
# The tree itself stays clean: debian/ and the data are copied, the programs are taken from the target folder.
build_debs() {
    local out=$1 version=$2 tree=$1/pic item
    need dpkg-buildpackage:dpkg-dev dh:debhelper
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || date +%s)}
    export SOURCE_DATE_EPOCH CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target} DEB_PIC_PROFILE=${DEB_PIC_PROFILE:-release}
    if [[ ${DEB_PIC_PREBUILT:-} != 1 ]]; then
        step "building the programs (the first time takes minutes)"
        _programs "$DEB_PIC_PROFILE"
        _documents "$DEB_PIC_PROFILE"
    fi
    rm -rf "$out" && mkdir -p "$tree/build"
    for item in debian docs units templates; do cp -a "$ROOT/$item" "$tree/"; done
    for item in man completions; do [[ ! -d $ROOT/build/$item ]] || cp -a "$ROOT/build/$item" "$tree/build/"; done
    [[ -z $version ]] || _set_version "$tree" "$version"
    step "building the package"
    (cd "$tree" && DEB_PIC_PREBUILT=1 dpkg-buildpackage -b -uc -us -d) >"$out/build.log" 2>&1 ||
        { tail -n 30 "$out/build.log" >&2 && die "the package does not build; the whole log is $out/build.log"; }
    rm -rf "$tree"
}
