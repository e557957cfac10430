# shellcheck shell=bash
# Builds the real package around stub programs, so that its scripts can be tested before and without the programs.

# Builds pic, version $2, into the folder $1. The arguments after it are NAME=MARK for programs that differ from mark 1.
stub_deb() {
    local out=$1 version=$2 tree=$1/src-$2/pic bin=$1/bin-$2/release name
    shift 2
    mkdir -p "$tree" "$bin"
    cp -a "$TOP"/{debian,docs,units,templates} "$tree/"
    for name in picctl pic-installer pic-agent pic-guard pic-dns pic-dhcp pic-time pic-exit pic-app pic-wg; do
        local mark=1 pair
        for pair; do [[ ${pair%=*} != "$name" ]] || mark=${pair#*=}; done
        cc -g -O1 -DMARK="\"$mark\"" -o "$bin/$name" "$TOP/tests/sh/stub.c"
    done
    mkdir -p "$tree"/build/{man,completions}
    for name in picctl.1 cell.toml.5 pic-agent.8 pic-guard.8 pic-installer.8; do
        printf '.TH %s %s\n.SH NAME\n%s \\- a stub\n' "${name%.*}" "${name##*.}" "${name%.*}" >"$tree/build/man/$name"
    done
    for name in picctl.bash _picctl picctl.fish; do echo '# a stub' >"$tree/build/completions/$name"; done
    sed -i "1s/(.*)/($version)/" "$tree/debian/changelog"
    (cd "$tree" && DEB_PIC_PREBUILT=1 DEB_PIC_PROFILE=release CARGO_TARGET_DIR=$out/bin-$version dpkg-buildpackage -b -uc -us -d) >"$out/build-$version.log" 2>&1 ||
        { tail -n 20 "$out/build-$version.log"; return 1; }
    cp "$out/src-$version"/*.deb "$out/src-$version"/*.changes "$out/"
}
