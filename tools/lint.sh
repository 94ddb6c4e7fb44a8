#!/bin/bash
# What a compiler does not say: format, clang-tidy's few checks of .clang-tidy, cppcheck. Files may be named; all of src/ and cli/ else.
# usage: tools/lint.sh [FILE.c...]     (make lint; a build in build/lint gives the flags)
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)} bad=0
tools/check_format.sh || bad=1
for tool in clang-tidy cppcheck cmake; do
    command -v $tool >/dev/null || { echo "lint: $tool is not there (apt-get install clang-tidy cppcheck)" >&2; exit 1; }
done
mkdir -p build/lint
cmake -S . -B build/lint -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_BUILD_TYPE=Release >/dev/null
[ $# -gt 0 ] || mapfile -t chosen < <(find src cli -name '*.c' ! -name '*_neon.c' ! -name '*_avx512.c' | sort)
[ $# -eq 0 ] || chosen=("$@")
printf '%s\n' "${chosen[@]}" | xargs -P "$jobs" -n 4 clang-tidy -p build/lint --quiet 2>/dev/null | grep -E 'warning:|error:' | sort -u && bad=1
cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --std=c11 -j "$jobs" -I include -I src -I cli --include=tools/lint_macros.h \
    --suppress=missingIncludeSystem --suppress=invalidPointerCast --suppress=duplicateAssignExpression \
    --suppress=uninitvar --suppress=legacyUninitvar --suppress=preprocessorErrorDirective "${chosen[@]}" || bad=1
[ $bad -eq 0 ] && echo "lint: nothing found in ${#chosen[@]} files"
exit $bad
