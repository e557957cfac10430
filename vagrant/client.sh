#!/bin/sh
# A device with what a person needs to use the configuration that "picctl peer add" prints.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends wireguard-tools openresolv dnsutils iputils-ping
echo "copy a peer's configuration to /etc/wireguard/pic.conf, then: wg-quick up pic"
