#!/bin/bash
# Builds everything for 64-bit ARM on another machine, warnings as errors, and runs the tests of the NEON kernels and of
# what is written in bytes in an emulator.
# usage: tools/arm64.sh [--install]     (--install: as root on Debian or Ubuntu, gets the cross compiler and the libraries)
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/arm64
packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static ninja-build libjansson-dev:arm64 libxxhash-dev:arm64 zlib1g-dev:arm64 libzstd-dev:arm64 libcmocka-dev:arm64"
if [ "${1:-}" = --install ]; then
    dpkg --add-architecture arm64
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages >/dev/null
fi
for tool in aarch64-linux-gnu-gcc qemu-aarch64-static; do
    command -v $tool >/dev/null || { echo "arm64: $tool is not there; tools/arm64.sh --install gets: $packages" >&2; exit 1; }
done
export PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig
mkdir -p $build
cmake -S . -B $build -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64.cmake" -DCMAKE_BUILD_TYPE=Release -DPENCHANT_TESTS=ON \
    -DPENCHANT_WERROR=ON -DPENCHANT_ONEDNN=OFF >$build/configure.log 2>&1 || { tail -20 $build/configure.log; exit 1; }
nice cmake --build $build -j"${JOBS:-$(nproc)}" >$build/build.log 2>&1 || { tail -30 $build/build.log; exit 1; }
ctest --test-dir $build --output-on-failure -R '^(base|cpu|kern|gemm|topk|container|pds|metrics)$'
echo "arm64: built; its kernels and files hold"
