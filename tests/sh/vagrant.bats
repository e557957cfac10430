#!/usr/bin/env bats
# The Vagrantfile is valid. Needs no network and no virtual machine.

load helper

@test "vagrant takes the file" {
    command -v vagrant || { echo "install it with: apt-get install --no-install-recommends vagrant"; false; }
    cp "$TOP/vagrant/Vagrantfile" "$TOP"/vagrant/*.sh "$BATS_TEST_TMPDIR/"
    cd "$BATS_TEST_TMPDIR"
    export VAGRANT_HOME=$BATS_TEST_TMPDIR/home VAGRANT_CHECKPOINT_DISABLE=1 VAGRANT_NO_PLUGINS=1
    for distribution in trixie bookworm; do
        PIC_DEBIAN=$distribution unshare --net vagrant validate --ignore-provider
    done
    PIC_DEBIAN=woody run vagrant validate --ignore-provider
    [ "$status" -ne 0 ]
}

@test "its machines are the three of the README" {
    for name in vps home client; do grep -q "'$name'" "$TOP/vagrant/Vagrantfile"; done
}
