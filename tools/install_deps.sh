#!/bin/sh
# Installs what Penchant needs to build (and, with "test", to test) on Debian and Ubuntu, as root or through sudo. Elsewhere it
# prints the exact packages and stops. What is there already is left alone.
# usage: tools/install_deps.sh [build|test]
set -eu
packages="gcc make cmake pkg-config libjansson-dev libxxhash-dev zlib1g-dev libzstd-dev"
# faster where it is there, not in every distribution and architecture; the build does without
optional="libdnnl-dev"
[ "${1:-build}" = test ] && packages="$packages libcmocka-dev python3 python3-venv"

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    # not Debian: the build finds out what is missing; say what it wants where a tool is not there
    for tool in cc cmake pkg-config; do
        command -v $tool >/dev/null 2>&1 && continue
        echo "Please install (Debian's names): $packages" >&2
        exit 1
    done
    for module in jansson libxxhash libzstd zlib; do
        pkg-config --exists $module && continue
        echo "Please install (Debian's names): $packages" >&2
        exit 1
    done
    exit 0
fi

missing=""
for package in $packages; do
    case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)" in
    *" installed") ;;
    *)
        # a tool that came from elsewhere (cmake from PyPI, say) serves as well
        case $package in
        cmake | gcc | make) command -v "$package" >/dev/null 2>&1 && continue ;;
        pkg-config) command -v pkg-config >/dev/null 2>&1 && continue ;;
        python3) command -v python3 >/dev/null 2>&1 && continue ;;
        python3-venv) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 && continue ;;
        esac
        missing="$missing $package"
        ;;
    esac
done

run=""
[ "$(id -u)" = 0 ] || run=sudo
can_install=yes
[ -z "$run" ] || command -v sudo >/dev/null 2>&1 || can_install=no
export DEBIAN_FRONTEND=noninteractive
# an old list of packages leads to files that are gone: refresh it once where the first try fails
install() {
    echo "installing: $*"
    $run apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    $run apt-get update -qq >/dev/null
    $run apt-get install -y --no-install-recommends "$@" >/dev/null
}

if [ -n "$missing" ]; then
    if [ $can_install = no ]; then
        echo "Not root and no sudo. Please install:$missing" >&2
        exit 1
    fi
    install $missing
fi
known() { [ -n "$(apt-cache search --names-only "^$1\$" 2>/dev/null)" ]; }
for package in $optional; do
    case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)" in *" installed") continue ;; esac
    [ $can_install = yes ] || continue
    # not asked for where the lists of packages are there and lack it
    known libc6-dev && ! known "$package" && continue
    install "$package" || echo "$package could not be installed; the build does without"
done
