#!/bin/bash
# Keeps the levels of the tree: src/ includes go downwards only, rooms of one level never include each other, a model never includes
# another model, cli/ and examples/ see include/penchant/ alone. Prints what breaks that, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
declare -A level=([base]=0 [kern]=1 [store]=1 [data]=2 [nn]=2 [rank]=3 [eval]=4 [train]=5 [model]=6 [retrieve]=6 [tune]=7 [api]=8)
bad=0
while IFS=: read -r file line text; do
    from=${file#src/} from=${from%%/*}
    to=$(sed -E 's/.*#include "([^"]*)".*/\1/' <<<"$text")
    room=${to%%/*}
    case $to in penchant/*) continue ;; esac
    [[ $to == */* ]] || { echo "$file:$line: include \"$to\" by its room: \"room/file.h\""; bad=1; continue; }
    if [ -z "${level[$from]:-}" ] || [ -z "${level[$room]:-}" ]; then
        echo "$file:$line: includes $to, which is in no room of a known level"; bad=1
    elif [ "$from" != "$room" ] && [ "${level[$room]}" -ge "${level[$from]}" ]; then
        echo "$file:$line: $from (level ${level[$from]}) includes $to (level ${level[$room]})"; bad=1
    fi
done < <(grep -rnE '^ *#include "' src --include='*.c' --include='*.h')
if grep -rnE '#include "(base|kern|store|data|nn|rank|eval|train|model|retrieve|tune|api)/' cli examples; then
    echo "cli/ and examples/ use include/penchant/ alone"; bad=1
fi
same=$(find src cli tests fuzz bench -name '*.[ch]' -printf '%f\n' 2>/dev/null | sort | uniq -d)
[ -z "$same" ] || { echo "file names that stand twice in the tree:" $same; bad=1; }
exit $bad
