#!/usr/bin/env bats
# install.sh on throw-away copies of real Debian roots: what it refuses, what it passes on, what it adds and takes away.
# shellcheck disable=SC2016 # the shells of the hosts expand it

load helper

setup() {
    dummy_release "$BATS_TEST_TMPDIR/repo" 1.0 --url file:/share/repo 2>/dev/null
}

# Nothing of ours is on the host: said by each test that expects a refusal.
UNTOUCHED='[ ! -e /etc/apt/sources.list.d/pic.sources ] && ! dpkg -s pic >/dev/null 2>&1 && [ -z "$(ls -A /etc/apt/sources.list.d)" ] && echo UNTOUCHED'

# Runs install.sh after the preparation $1 and expects exit code $2, the text $3 and an untouched host.
refused() {
    run in_hosts "$1; sh /share/repo/install.sh ${4:-} </dev/null; echo CODE \$?; $UNTOUCHED"
    echo "$output"
    [[ $output == *"CODE $2"* && $output == *"$3"* && $output == *UNTOUCHED* ]]
    [ "$(grep -c UNTOUCHED <<<"$output")" -eq "$(test_roots | wc -l)" ]
}

@test "installs, passes every option on, and is safe to run again" {
    run in_hosts 'sh /share/repo/install.sh --name my-home --peer=phone --peer lap-top --data-dir /d --backups-dir=/b --domain x.y --yes --channel stable </dev/null
        cat /etc/apt/sources.list.d/pic.sources; stat -c %a:%U /etc/apt/sources.list.d/pic.sources
        sh /share/repo/install.sh </dev/null; dpkg-query -f "\${Version}\n" -W pic'
    echo "$output"
    [[ $output == *"installer 1.0: [--name=my-home] [--peer=phone] [--peer=lap-top] [--data-dir=/d] [--backups-dir=/b] [--domain=x.y] [--yes] [--channel=stable]"* ]]
    [[ $output == *"Suites: stable"* && $output == *"Check-Valid-Until: yes"* && $output == *" -----BEGIN PGP"* && $output == *644:root* ]]
    [[ $output == *"installer 1.0:"*"installer 1.0:"* ]]
}

@test "running it again upgrades, and puts damaged files back" {
    run in_hosts 'cp -a /share/repo /tmp/repo; sh /share/repo/install.sh </dev/null; rm /usr/sbin/pic-installer; sh /share/repo/install.sh </dev/null'
    echo "$output"
    [[ $output == *"installer 1.0:"*"installer 1.0:"* ]]
    dummy_release "$BATS_TEST_TMPDIR/repo2" 2.0 2>/dev/null
    run in_hosts 'sh /share/repo/install.sh </dev/null; PIC_URL=file:/share/repo2 sh /share/repo2/install.sh </dev/null'
    echo "$output"
    [[ $output == *"installer 1.0:"*"installer 2.0:"* ]]
}

@test "the channel chooses the suite" {
    dummy_release "$BATS_TEST_TMPDIR/repo" 3.0 --channel edge --url file:/share/repo 2>/dev/null
    run in_hosts 'sh /share/repo/install.sh --channel=edge </dev/null'
    [[ $output == *"installer 3.0:"* ]]
    run in_hosts 'sh /share/repo/install.sh </dev/null'
    [[ $output == *"installer 1.0:"* ]]
}

@test "uninstall takes away the package, what came with it, the source and the lists" {
    run in_hosts 'apt-get update -q; find /etc /usr /var/lib/apt/lists -xdev | sort >/tmp/before
        sh /share/repo/install.sh </dev/null && ls /var/lib/apt/lists | grep repo; sh /share/repo/install.sh --uninstall --purge --yes </dev/null; echo CODE $?
        find /etc /usr /var/lib/apt/lists -xdev | sort >/tmp/after; diff /tmp/before /tmp/after && echo SAME; sh /share/repo/install.sh --uninstall </dev/null; echo CODE $?'
    echo "$output"
    [[ $output == *share_repo_dists_stable*"CODE 0"*SAME*"CODE 0"* ]]
}

@test "uninstall where nothing is says so and touches nothing" {
    refused : 0 "there is nothing to remove." --uninstall
    refused : 0 "there is nothing to remove." "--uninstall --purge --yes"
    run in_hosts 'sh /share/repo/install.sh </dev/null; mkdir -p /etc/pic; echo x >/etc/pic/cell.toml; sh /share/repo/install.sh --uninstall --yes </dev/null
        echo NOW; sh /share/repo/install.sh --uninstall </dev/null; echo CODE $?; ls /etc/pic'
    echo "$output"
    [[ ${output##*NOW} == *"there is nothing to remove. Settings and keys of before"*"--purge"*"CODE 0"*cell.toml* ]]
}

@test "uninstall takes dependencies that came in with PIC, and nothing else that is unused" {
    dummy_deb "$BATS_TEST_TMPDIR" 4.0
    for name in came foreign; do
        mkdir -p "$BATS_TEST_TMPDIR/$name/DEBIAN"
        printf 'Package: pic-test-%s\nVersion: 1\nArchitecture: all\nMaintainer: T <t@pic.invalid>\nDescription: x\n' $name >"$BATS_TEST_TMPDIR/$name/DEBIAN/control"
        dpkg-deb --build "$BATS_TEST_TMPDIR/$name" "$BATS_TEST_TMPDIR/$name.deb"
    done
    echo 'Depends: pic-test-came' >>"$BATS_TEST_TMPDIR/tree-4.0/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$BATS_TEST_TMPDIR/tree-4.0" "$BATS_TEST_TMPDIR/pic_4.0_amd64.deb"
    "$TOP/scripts/release" "$BATS_TEST_TMPDIR/repo" --deb "$BATS_TEST_TMPDIR/pic_4.0_amd64.deb" --deb "$BATS_TEST_TMPDIR/came.deb" \
        --key "$BATS_FILE_TMPDIR/key.asc" --url file:/share/repo
    run in_hosts 'dpkg -i /share/foreign.deb && apt-mark auto pic-test-foreign; sh /share/repo/install.sh </dev/null; dpkg -l "pic-test-*" | grep ^ii
        echo NOW; sh /share/repo/install.sh --uninstall --yes </dev/null; dpkg -l "pic*" | grep ^ii'
    echo "$output"
    [[ ${output%%NOW*} == *"ii  pic-test-came"* ]]
    [[ ${output##*NOW} == *"ii  pic-test-foreign"* && ${output##*NOW} != *"ii  pic-test-came"* && ${output##*NOW} != *"ii  pic "* ]]
}

@test "uninstall asks at the terminal, and removes nothing without an answer or --yes" {
    run in_hosts 'sh /share/repo/install.sh </dev/null; echo NOW; setsid -w sh /share/repo/install.sh --uninstall </dev/null; echo CODE $?; dpkg-query -W pic'
    echo "$output"
    [[ ${output##*NOW} == *"there is no terminal to ask at"*"--yes"*"CODE 1"*"pic"*1.0* ]]
    for answer in "n" "" "please" "y"; do
        run in_hosts "sh /share/repo/install.sh </dev/null; echo NOW; echo '$answer' | script -qec 'cat /share/repo/install.sh | sh -s -- --uninstall' /dev/null; dpkg -s pic | grep ^Status"
        echo "$output"
        [[ ${output##*NOW} == *"devices lose their way"*"/var/lib/pic stay"*"remove it? [y/N]"* ]]
        if [[ $answer == y ]]; then
            [[ ${output##*NOW} == *"PIC is removed"* && ${output##*NOW} != *"install ok installed"* ]]
        else
            [[ ${output##*NOW} == *"nothing was removed"*"install ok installed"* ]]
        fi
    done
    run in_hosts 'sh /share/repo/install.sh </dev/null; echo NOW; echo | script -qec "sh /share/repo/install.sh --uninstall --purge" /dev/null; dpkg -s pic | grep ^Status'
    [[ ${output##*NOW} == *"keys go, too"*"nothing was removed"*"install ok installed"* ]]
}

@test "a dry run says what it would do and touches nothing" {
    refused : 0 "would write /etc/apt/sources.list.d/pic.sources" "--dry-run --name x"
    refused : 0 "there is nothing to remove" "--uninstall --purge --dry-run"
    run in_hosts 'sh /share/repo/install.sh </dev/null; echo NOW; sh /share/repo/install.sh --uninstall --dry-run </dev/null; echo CODE $?; dpkg-query -W pic'
    echo "$output"
    [[ ${output##*NOW} == *"would end the cell"*"remove the package pic"*"pic.sources"*"/var/lib/pic stay"*"CODE 0"*"pic"*1.0* ]]
}

@test "wrong use is refused" {
    refused : 2 "needs a value" --name
    refused : 2 "is not an option" --frobnicate
    refused : 2 "is not an option" end
    refused : 2 "is not an option" --channel=nightly
    refused : 2 "goes with --uninstall" --purge
}

@test "a value that pic-installer would refuse is refused before anything is installed" {
    printf '%s\n' --name=My '--name=my home' --name= --peer=-x --peer=cell --domain=home --inbound=shut --open=80 --open=tcp/65536 \
        --data-dir=srv '--backups-dir=/a b' --endpoint=x:y >"$BATS_TEST_TMPDIR/values"
    run in_hosts "while read -r value; do sh /share/repo/install.sh \"\$value\" </dev/null; echo \"CODE \$?\"; done </share/values; $UNTOUCHED"
    echo "$output"
    [[ $output == *"--open takes a port, as tcp/443, and not \"80\""*UNTOUCHED* ]]
    [ "$(grep -c '^CODE 2$' <<<"$output")" -eq $((12 * $(test_roots | wc -l))) ]
}

@test "hosts it is not for are refused in one sentence" {
    refused 'rm /etc/os-release; echo "ID=fedora" >/etc/os-release' 1 'needs Debian or Ubuntu, and this system says it is "fedora"'
    refused 'rm /etc/os-release' 1 'needs Debian or Ubuntu'
    refused 'rm -r /run/systemd/system' 1 'needs systemd'
    refused 'mkdir /tmp/b; printf "#!/bin/sh\n[ \$1 != --print-architecture ] || exec echo riscv64\nexec /usr/bin/dpkg \"\$@\"\n" >/tmp/b/dpkg; chmod +x /tmp/b/dpkg; export PATH=/tmp/b:$PATH' 1 'architecture riscv64 (there is: amd64)'
    refused 'export PIC_URL=ftp://x' 1 'not a plain http'
    refused 'export PIC_URL="http://x y"' 1 'not a plain http'
}

@test "a person who is not root needs sudo, and it is asked only when something is to be done" {
    user='as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }; mkdir /tmp/b'
    run in_hosts "$user; rm -f /usr/bin/sudo; as sh /share/repo/install.sh </dev/null; echo CODE \$?; $UNTOUCHED"
    echo "$output"
    [[ $output == *"sudo is not installed"*"CODE 1"*UNTOUCHED* ]]
    run in_hosts "$user; printf '#!/bin/sh\necho SUDO \$*; exit 1\n' >/tmp/b/sudo; chmod +x /tmp/b/sudo; export PATH=/tmp/b:\$PATH
        as sh /share/repo/install.sh --dry-run </dev/null; echo CODE \$?; as sh /share/repo/install.sh </dev/null; echo CODE \$?; $UNTOUCHED"
    echo "$output"
    [[ $output == *"would write"*"CODE 0"*"SUDO true"*"sudo refused"*"CODE 1"*UNTOUCHED* ]]
}

@test "piped into sh as the README says, over HTTP" {
    serve "$BATS_TEST_TMPDIR/repo"
    run in_hosts "curl -fsSL $URL/install.sh >/tmp/i 2>/dev/null || cp /share/repo/install.sh /tmp/i; cat /tmp/i | PIC_URL=$URL/ sh -s -- --name x; echo CODE \$?; cat /etc/apt/sources.list.d/pic.sources"
    unserve
    echo "$output"
    [[ $output == *"installer 1.0: [--name=x]"*"CODE 0"*"URIs: $URL/"* ]]
}
