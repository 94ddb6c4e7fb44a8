#!/bin/bash
# Builds with tests and runs them: the C tests and the program's under ctest, then the Python ones (formats and metrics against other
# implementations), whose packages go into a folder of the build. usage: tools/test.sh BUILD_FOLDER JOBS
set -euo pipefail
build=$1 jobs=$2
mkdir -p "$build"
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DPENCHANT_TESTS=ON >"$build/configure.log" 2>&1 || { cat "$build/configure.log"; exit 1; }
cmake --build "$build" -j "$jobs" >"$build/build.log" 2>&1 || { tail -50 "$build/build.log"; exit 1; }
ctest --test-dir "$build" --output-on-failure -j "$jobs"

if [ ! -x "$build/venv/bin/pytest" ]; then
    python3 -m venv "$build/venv" && "$build/venv/bin/pip" install -q -r tests/python/requirements.txt || {
        rm -rf "$build/venv"
        echo "The Python tests were not run: their packages (tests/python/requirements.txt) could not be installed." >&2
        [ -n "${CI:-}" ] && exit 1
        exit 0
    }
fi
PENCHANT_BUILD="$build" PENCHANT="$PWD/$build/penchant" "$build/venv/bin/pytest" -q tests/python
