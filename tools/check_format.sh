#!/bin/bash
# Keeps C files within 120 columns and as .clang-format has them. clang-format changes its mind from one release to the next: the one that
# the tree is formatted with is named here; without it the columns alone are checked. usage: tools/check_format.sh [--fix]
set -euo pipefail
cd "$(dirname "$0")/.."
release=14
tool=$(command -v clang-format-$release || command -v clang-format || true)
mapfile -t files < <(find bench cli examples fuzz include src tests -name '*.[ch]' | sort)
formats=no
[ -n "$tool" ] && "$tool" --version | grep -q "version $release\." && formats=yes
if [ "${1:-}" = --fix ]; then
    [ $formats = yes ] || { echo "check_format: clang-format $release is not there" >&2; exit 1; }
    "$tool" -i "${files[@]}"
fi
bad=0
awk 'length($0) > 120 { print FILENAME ":" FNR ": " length($0) " columns; allowed are 120"; found = 1 } END { exit found }' "${files[@]}" || bad=1
if [ $formats = yes ]; then
    found=$("$tool" --dry-run --Werror "${files[@]}" 2>&1 | grep 'error:' | cut -d: -f1 | sort | uniq -c || true)
    if [ -n "$found" ]; then
        echo "$found"
        echo "places in these files are not as .clang-format has them: tools/check_format.sh --fix"
        bad=1
    fi
else
    echo "check_format: clang-format $release is not there; only columns were checked"
fi
exit $bad
