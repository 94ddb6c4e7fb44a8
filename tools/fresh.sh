#!/bin/bash
# Proves the README's two commands on a bare machine: a minimal Debian with gcc and make alone, made with debootstrap, in a
# folder of its own; nothing of this machine is in it but the repository's committed files, the data folder and the settings of the
# package registries. Needs root and debootstrap. usage: tools/fresh.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
root=${1:-$(mktemp -d)/debian}
suite=${SUITE:-bookworm}
command -v debootstrap >/dev/null || { echo "fresh.sh needs debootstrap (apt-get install debootstrap)" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "fresh.sh needs root (chroot)" >&2; exit 1; }
leave() { umount "$root/proc" "$root/dev" "$root/data" 2>/dev/null || true; }
trap leave EXIT

mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1 || true)
[ -d "$root/usr" ] || debootstrap --variant=minbase --include=gcc,make,libc6-dev,ca-certificates "$suite" "$root" "${mirror:-http://deb.debian.org/debian}" >/dev/null

# how this machine reaches its package registries
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
cp -rL /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
[ -d /usr/local/share/ca-certificates ] && cp -rL /usr/local/share/ca-certificates "$root/usr/local/share/" && chroot "$root" update-ca-certificates >/dev/null 2>&1 || true
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt" 2>/dev/null || true
[ -f /etc/pip.conf ] && cp -L /etc/pip.conf "$root/etc/pip.conf"
mkdir -p "$root/proc" "$root/dev" "$root/data" "$root/src"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"

rm -rf "$root/src/penchant"
git clone -q . "$root/src/penchant"
settings=(env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_CERT; do
    [ -n "${!name:-}" ] && settings+=("$name=${!name}")
done
if [ -n "${PENCHANT_DATA:-}" ]; then
    mount --bind "$PENCHANT_DATA" "$root/data"
    settings+=(PENCHANT_DATA=/data)
fi
for command in demo test; do
    echo "== make $command, in a minimal Debian ($suite) =="
    chroot "$root" "${settings[@]}" sh -c "cd /src/penchant && make $command"
done
echo "== both commands passed on a bare machine =="
