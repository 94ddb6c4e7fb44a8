#!/bin/bash
# What messy logs and requests do: a right answer (status 0) or a clear word (1 or 2), for every model; never a crash, never silence.
set -uo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
passed=0 failed=0

# HOW: ok (status 0), word (1 or 2, and words on standard error), any (either).  Then WORDS that out or err must hold ("" for none).
try() {
    local how=$1 words=$2 got
    shift 2
    timeout 120 "$@" >out 2>err </dev/null
    got=$?
    local right=1
    case $got in
        0) [ "$how" = word ] && right=0 ;;
        1 | 2) { [ "$how" = ok ] || [ ! -s err ]; } && right=0 ;;
        *) right=0 ;;
    esac
    [ -z "$words" ] || grep -qF -- "$words" out err || right=0
    if [ $right -eq 1 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $(echo "$*" | cut -c1-200) -> status $got (want $how, '$words')"
        cat out err | head -4
    fi
}

printf 'user,item,rating,timestamp\n1,a,5,1\n1,b,4,2\n2,a,3,3\n2,c,5,4\n3,b,2,5\n' >five.csv
{ echo user,item,rating,timestamp; for i in 1 2 3 4 5 6; do echo "$i,same,4,$i"; done; } >one_item.csv
{ echo user,item,rating,timestamp; for i in 1 2 3 4 5 6; do echo "only,i$i,$((i % 5 + 1)),$i"; done; } >one_user.csv
{ echo user,item,rating,timestamp; for u in 1 2 3 4 5; do for i in 1 2 3 4; do echo "$u,i$i,3,7"; done; done; } >equal.csv
{ echo user,item,rating,timestamp; for k in 1 2 3; do for u in 1 2 3; do echo "$u,i$u,5,$k"; echo "$u,j,2,$k"; done; done; } >pairs.csv
printf 'user,item,rating\n"o\x27Neil, ""Tom""",x,5\n"two\nlines",y,4\n\xf0\x9f\x8d\x95,\xf0\x9f\x8e\xac,3\n\xf0\x9f\x8d\x95,x,3\n"two\nlines",x,4\n' >ids.csv

for model in $("$PENCHANT" models --format csv | tail -n +2 | cut -d, -f2); do
    for log in five one_item one_user equal pairs ids; do
        rm -f m.pen
        try any "" "$PENCHANT" train $log.csv -m "$model" -o m.pen -q
        [ -f m.pen ] || continue
        try ok "" "$PENCHANT" recommend m.pen --all -n 1000000 -q
    done
done

try word "" "$PENCHANT" train five.csv -m popular --k-core 100 -o m.pen
try word "" "$PENCHANT" train five.csv -m popular --min-value 100 -o m.pen
try ok "" "$PENCHANT" train five.csv -m popular -o m.pen -q --threads 64
try ok "" "$PENCHANT" recommend m.pen --user 1 -n 1000000 -q
try ok "does not know" "$PENCHANT" recommend m.pen --user nobody
try any "" "$PENCHANT" recommend m.pen --user 1 --where 'year > 3000'
try word "" "$PENCHANT" recommend m.pen --user 1 -n -5
try word "" "$PENCHANT" recommend m.pen --user 1 -n 99999999999999999999
try word "" "$PENCHANT" train equal.csv -m ials --memory 1 -o none.pen
[ -f none.pen ] && { echo "FAILED: a model out of one byte"; failed=$((failed + 1)); }
try any "" "$PENCHANT" train equal.csv -m ials --memory 1M -o none.pen
long=$(for i in $(seq 10000); do printf 'i%d,' $((i % 6 + 1)); done)
for model in popular ials item-knn user-knn bpr; do
    "$PENCHANT" train equal.csv -m $model -o long.pen -q 2>/dev/null || { echo "FAILED: $model on equal.csv"; failed=$((failed + 1)); continue; }
    try ok "" "$PENCHANT" recommend long.pen --history "${long%,}"
done
"$PENCHANT" train ids.csv -m popular -o ids.pen -q
try ok "" "$PENCHANT" recommend ids.pen --user $'two\nlines' --format json
python3 -c 'import json; [json.loads(line) for line in open("out") if line.strip()]' 2>/dev/null ||
    python3 -c 'import json; json.load(open("out"))' || { echo "FAILED: no JSON for an id with a newline"; failed=$((failed + 1)); }
try ok $'\xf0\x9f\x8e\xac' "$PENCHANT" recommend ids.pen --history x -n 5

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
