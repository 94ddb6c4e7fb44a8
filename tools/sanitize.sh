#!/bin/bash
# The C tests under sanitizers: `dev` (address, undefined behaviour) and `tsan` (threads), presets of CMakePresets.json.
# usage: tools/sanitize.sh [JOBS]                what every change runs: the quick tests under dev, and under tsan a choice
#                                                of those with several threads
#        tools/sanitize.sh all dev|tsan [JOBS]   every test of one of them, for hours
# Builds only what it runs, in build/dev and build/tsan. The lists are in tests/CMakeLists.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

# gcc's thread sanitizer finds no room for itself where the kernel scatters addresses over more than 28 bits
still=()
bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
[ "$bits" -le 28 ] || ! setarch -R true 2>/dev/null || still=(setarch -R)

run() { # PRESET LABEL JOBS; label all: everything
    local target=() label=()
    [ "$2" = all ] || target=(--target "$2") label=(-L "^$2\$")
    mkdir -p "build/$1"
    cmake --preset "$1" >"build/$1/configure.log" 2>&1 || { cat "build/$1/configure.log"; exit 1; }
    cmake --build "build/$1" -j "$3" "${target[@]}" >"build/$1/build.log" 2>&1 || { tail -50 "build/$1/build.log"; exit 1; }
    "${still[@]}" ctest --test-dir "build/$1" -j "$3" --output-on-failure "${label[@]}"
}

if [ "${1:-}" = all ]; then
    run "$2" all "${3:-$(nproc)}"
else
    unset PENCHANT_DATA # real data takes its time
    run dev quick "${1:-$(nproc)}"
    run tsan threads "${1:-$(nproc)}"
fi
