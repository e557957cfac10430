#!/usr/bin/env bats
# Repositories that must be refused, each by the installed apt of each test root, although the host's own settings
# switch off the check of Valid-Until. After a refusal nothing is installed and no source is left.
# shellcheck disable=SC2016 # the shells of the hosts expand it

load helper

setup() { repo=$BATS_TEST_TMPDIR/repo; }

release() { dummy_release "$repo" 1.0 --url file:/share/repo "$@" 2>/dev/null; }

# Signs the index again after a change, with the right key.
resign() {
    GNUPGHOME=$(mktemp -d)
    export GNUPGHOME
    gpg --batch -q --import "$BATS_FILE_TMPDIR/key.asc"
    gpg --batch -q --yes --digest-algo "${1:-SHA512}" --clearsign -o "$repo/dists/stable/InRelease" "$repo/dists/stable/Release"
    gpgconf --kill all
}

# Expects the sentence $1, exit code 1 and an untouched host, on every root.
refused() {
    run in_hosts 'echo "Acquire::Check-Valid-Until \"false\";" >/etc/apt/apt.conf.d/99test
        sh /share/repo/install.sh </dev/null; echo CODE $?; ls -A /etc/apt/sources.list.d /var/lib/apt/lists; dpkg -s pic >/dev/null 2>&1 || echo ABSENT'
    echo "$output"
    local hosts
    hosts=$(test_roots | wc -l)
    [ "$(grep -c "$1" <<<"$output")" -eq "$hosts" ]
    [ "$(grep -c 'CODE 1' <<<"$output")" -eq "$hosts" ]
    [ "$(grep -c ABSENT <<<"$output")" -eq "$hosts" ]
    [[ $output != *pic.sources* && $output != *"installer 1.0"* ]]
}

@test "a whole repository is taken (positive control)" {
    release
    run in_hosts 'sh /share/repo/install.sh </dev/null'
    [ "$(grep -c 'installer 1.0:' <<<"$output")" -eq "$(test_roots | wc -l)" ]
}

@test "changed Packages" {
    release
    sed -i 's/dummy/DUMMY/' "$repo/dists/stable/main/binary-amd64/Packages"
    (cd "$repo/dists/stable/main/binary-amd64" && xz -kf Packages)
    refused "not what was signed"
}

@test "changed package" {
    release
    deb=$repo/pool/stable/pic_1.0_amd64.deb
    printf 'X' | dd of="$deb" bs=1 seek=$(($(stat -c %s "$deb") - 20)) conv=notrunc status=none
    refused "not what was signed"
}

@test "changed Release under the old signature" {
    release
    sed -i 's/^Origin: PIC/Origin: BAD/' "$repo/dists/stable/InRelease"
    refused "not what was signed"
}

@test "unsigned" {
    release
    rm "$repo/dists/stable/InRelease"
    refused "not signed in a way"
}

@test "an InRelease without its signature" {
    release
    cp "$repo/dists/stable/Release" "$repo/dists/stable/InRelease"
    refused "is refused: "
}

@test "a login page in place of the repository" {
    release
    echo '<html><body>Please log in</body></html>' >"$repo/dists/stable/InRelease"
    refused "something else answered"
}

@test "expired" {
    release --days -1
    refused "out of date, or the clock"
}

@test "from the future" {
    release
    sed -i "s/^Date:.*/Date: $(date -u -R -d '+2 days')/" "$repo/dists/stable/Release"
    resign
    refused "out of date, or the clock"
}

@test "signed by another key" {
    release
    cp "$repo/install.sh" "$BATS_TEST_TMPDIR/install.sh"
    rm -r "$repo"
    KEY=$BATS_TEST_TMPDIR/other.asc release
    cp "$BATS_TEST_TMPDIR/install.sh" "$repo/install.sh"
    refused "signed by another key"
}

@test "signed with SHA1" {
    release
    resign SHA1
    refused "is refused: "
}

@test "no such channel" {
    release
    mv "$repo/dists/stable" "$repo/dists/edge"
    refused 'no channel "stable" at that address'
}

@test "nobody answers" {
    release
    sed -i "s#url='file:/share/repo'#url='http://127.0.0.1:9'#" "$repo/install.sh"
    refused "cannot be reached"
}

@test "a name that does not resolve" {
    release
    sed -i "s#url='file:/share/repo'#url='http://nowhere.invalid'#" "$repo/install.sh"
    refused "cannot be reached"
}

@test "a refusal on a machine that has PIC leaves it as it is" {
    release
    run in_hosts 'sh /share/repo/install.sh </dev/null; cp -a /share/repo /tmp/bad; sed -i "s/^Origin: PIC/Origin: BAD/" /tmp/bad/dists/stable/InRelease
        PIC_URL=file:/tmp/bad sh /share/repo/install.sh </dev/null; echo CODE $?; grep URIs /etc/apt/sources.list.d/pic.sources; dpkg-query -W pic'
    echo "$output"
    [[ $output == *"CODE 1"*"URIs: file:/share/repo/"*pic*1.0* ]]
}
