#!/bin/bash
# What `make install` leaves serves a program: through pkg-config, through CMake, shared and static; only pen_ names are exported; each
# public header compiles alone as C99 and as C++17.
set -euo pipefail
build=$(dirname "$PENCHANT")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build" --prefix "$scratch/usr" >/dev/null
printf '1\t10\t5\t100\n1\t11\t4\t200\n1\t12\t4\t300\n2\t10\t3\t100\n2\t11\t5\t200\n2\t13\t5\t300\n' >"$scratch/log.tsv"
run() { "$1" "$scratch/log.tsv" "$scratch/model.pen" >"$scratch/report.json" && grep -q '"model": "popular"' "$scratch/report.json" && [ -s "$scratch/model.pen" ]; }

if grep -qE '^PENCHANT_SANITIZE:[A-Z]+=.|^CMAKE_C_FLAGS:.*--coverage' "$build/CMakeCache.txt"; then
    echo "a build with sanitizers: the installed library is not linked into plain programs"
else
    cmake -S examples/c -B "$scratch/example" -DCMAKE_PREFIX_PATH="$scratch/usr" >/dev/null
    cmake --build "$scratch/example" >/dev/null
    run "$scratch/example/first"
    run "$scratch/example/first_static"
    export PKG_CONFIG_PATH="$(dirname "$(find "$scratch/usr" -name penchant.pc)")"
    cc -std=c99 examples/c/first.c $(pkg-config --cflags --libs penchant) -o "$scratch/first"
    LD_LIBRARY_PATH="$(dirname "$PKG_CONFIG_PATH")" run "$scratch/first"
    exported=$(nm -D --defined-only "$(find "$scratch/usr" -name 'libpenchant.so')" | awk '$2 ~ /[TDBR]/ {print $3}')
    [ -n "$exported" ]
    if grep -vE '^pen_[a-z]' <<<"$exported"; then
        echo "the shared library exports names that are not pen_" >&2
        exit 1
    fi
fi
for header in include/penchant/*.h; do
    name=penchant/$(basename "$header")
    echo "#include <$name>" | cc -std=c99 -pedantic -Wall -Wextra -Werror -I include -xc -fsyntax-only -
    if command -v c++ >/dev/null; then echo "#include <$name>" | c++ -std=c++17 -pedantic -Wall -Wextra -Werror -I include -xc++ -fsyntax-only -; fi
done
for page in "$scratch"/usr/share/man/man1/*.1; do
    [ -s "$page" ]
    if command -v man >/dev/null; then man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null | tee "$scratch/warnings"; [ ! -s "$scratch/warnings" ]; fi
done
bash -n "$scratch/usr/share/bash-completion/completions/penchant"
echo "install: ok"
