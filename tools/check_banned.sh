#!/bin/bash
# Keeps the library from what it never does: ending the process, printing, raw memory, unbounded string functions, shared randomness.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
found=$(grep -rnE '(^|[^_[:alnum:].>])(exit|abort|printf|puts|putchar|malloc|calloc|realloc|free|strcpy|strcat|sprintf|gets|atoi|atof|rand|srand|strtok|setlocale) *\(' src --include='*.c' --include='*.h' |
    grep -vE ':[0-9]+: *(/\*|\*|//)' | grep -vE '^src/base/context\.c:.*(malloc|realloc|free)' | grep -v 'check_banned: allowed' || true)
[ -z "$found" ] || { echo "$found"; echo "src/ may not call these (STYLE: the library owns nothing of the process)"; bad=1; }
if grep -rnE '\b(TODO|FIXME|XXX)\b' src cli include tools --include='*.[ch]' --include='*.sh' | grep -v check_banned; then echo "no unplanned work in the tree"; bad=1; fi
exit $bad
