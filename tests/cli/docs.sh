#!/bin/bash
# Every command of the README and the docs that stands in a block marked ```sh is run, in order, in a folder that has the files that
# they name. Lines that begin with `make` are the business of other tests. Commands on MovieLens run where PENCHANT_DATA is.
set -uo pipefail
top=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin"
ln -s "$PENCHANT" "$scratch/bin/penchant"
export PATH=$scratch/bin:$PATH
ran=0 failed=0

furnish() { # the files that pages speak of
    "$PENCHANT" synth --events 20000 --n-users 400 --n-items 200 -o ratings.csv -q
    { echo 'movieId,title,genres,year'; for i in $(seq 0 199); do echo "i$i,\"Film $i, the\",$([ $((i % 2)) = 0 ] && echo 'Drama|Comedy' || echo Action),$((1980 + i % 30))"; done; } >movies.csv
    { echo 'customer,product,quantity,price,date'; awk -F, 'NR > 1 { u = $1 == "u1" ? "alice@example.org" : $1 "@example.org"; print u "," $2 "," 1 "," 9.99 "," "2024-01-" sprintf("%02d", 1 + NR % 28) }' ratings.csv; } >purchases.csv
    { echo 'product,title,category'; for i in $(seq 0 199); do echo "i$i,Thing $i,c$((i % 5))"; done; } >products.csv
    "$PENCHANT" import ratings.csv --items movies.csv -o log.pds -q
    "$PENCHANT" train log.pds -m popular -o model.pen -q
    printf 'i1\ni2\ni3\ni4\ni5\ni6\ni7\ni8\ni9\ni10\ni11\ni12\n' >shelf.txt
    printf 'i1\n' >sold-out.txt
    printf 'u1,i2\nu2,i3\n' >pairs.csv
    awk -F, 'NR > 1 && NR < 100' ratings.csv >test.csv
    awk -F, 'NR >= 100' ratings.csv >train.csv
    awk -F, 'NR > 1 && NR < 100 {print $1 "," $2 "," NR}' ratings.csv >lists.csv
    mkdir -p demo
    [ -n "${PENCHANT_DATA:-}" ] && "$top/tools/fetch_ml100k.sh" demo >/dev/null
}

run_page() {
    local page=$1 line
    mkdir -p "$scratch/work" && cd "$scratch/work" && rm -rf ./* && furnish
    while IFS= read -r line; do
        case $line in
        '' | '#'* | make* | cd* | git*) continue ;;
        *demo/*) [ -f demo/ml-100k.inter ] || continue ;;
        esac
        ran=$((ran + 1))
        if ! bash -c "$line" >out 2>err </dev/null; then
            failed=$((failed + 1))
            echo "FAILED: $page: $line"
            tail -3 err
        fi
    done < <(sed -n '/^```sh/,/^```$/p' "$top/$page" | grep -v '^```' | sed -e ':a' -e '/\\$/N; s/\\\n//; ta')
    cd "$top" || exit 1
}

for page in README.md README.zh-CN.md $(find docs -name '*.md' | sort); do
    [ -f "$page" ] && run_page "$page"
done
echo "$ran passed, $failed failed"
[ $ran -gt 0 ] && [ $failed -eq 0 ]
