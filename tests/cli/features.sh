#!/bin/bash
# Tables of users and items as features: what only tables know is recommended and asked about, columns are chosen by name, and
# a column that is not there is answered with the nearest.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "features: $*" >&2; exit 1; }
says() { # WORDS COMMAND...
    local words=$1
    shift
    local status=0
    "$@" >out 2>&1 || status=$?
    grep -qF -- "$words" out || { cat out >&2; fail "\"$*\" does not say \"$words\""; }
    return $status
}

# Users like what has their number's parity; n0 to n3 and v0 to v3 stand in the tables alone.
for ((u = 0; u < 40; u++)); do
    for ((i = 0; i < 30; i++)); do
        ((u % 2 == i % 2 && (u * 7 + i * 5) % 3)) && echo "u$u,i$i,$((1000 + u * 50 + i))"
    done
done | { echo user,item,time; cat; } >log.csv
{
    echo "item,title,kind,price"
    for ((i = 0; i < 30; i++)); do echo "i$i,Thing number $i,kind$((i % 2)),$((10 + i % 2))"; done
    for ((i = 0; i < 4; i++)); do echo "n$i,New thing $i,kind$((i % 2)),$((10 + i % 2))"; done
} >items.csv
{
    echo "user,taste"
    for ((u = 0; u < 40; u++)); do echo "u$u,kind$((u % 2))"; done
    for ((u = 0; u < 4; u++)); do echo "v$u,kind$((u % 2))"; done
} >users.csv

says "34 rows, 30 of them with events" "$PENCHANT" import log.csv --items items.csv --users users.csv -o log.pds
small=(-p factors=8 -p hidden=16 -p epochs=40 -p patience=0 -p batch_size=64 -p learning_rate=0.01)

says "44 users, 34 items" "$PENCHANT" train log.pds -m two-tower "${small[@]}" -o two.pen
for user in v0 v1 v2 v3; do
    top=$("$PENCHANT" recommend two.pen --user $user -n 5 --format json)
    [[ $top == *'"how": "personal"'* ]] || fail "$user is not known by the table: $top"
    own=0
    for item in $(echo "$top" | grep -o '"item": "[in][0-9]*"' | grep -o '[0-9]*'); do
        own=$((own + (item % 2 == ${user#v} % 2)))
    done
    ((own >= 4)) || fail "only $own of 5 for $user are of their taste: $top"
done
"$PENCHANT" recommend two.pen --user u1 -n 34 --format csv >all.csv
grep -q 'n1' all.csv || fail "a new item is not among u1's recommendations"
says '"how": "folded-in"' "$PENCHANT" recommend two.pen --history i0,i2,n2 -n 3 --format json
says "n0" "$PENCHANT" similar two.pen --item n2 -n 5 --format csv
says '"why": "because of' "$PENCHANT" recommend two.pen --user u0 -n 2 --why --format json

says "44 users, 30 items" "$PENCHANT" train log.pds -m two-tower "${small[@]}" -p item_features=none -o ids.pen
says "40 users, 30 items" "$PENCHANT" train log.pds -m two-tower "${small[@]}" -p cold=no -o closed.pen
says "it has 'kind'" "$PENCHANT" train log.pds -m two-tower -p item_features=knid -o no.pen && fail "an unknown column was taken"
says "there is no table of users" "$PENCHANT" train log.csv -m two-tower -p user_features=taste -o no.pen && fail "a table that is not there was taken"
[ ! -e no.pen ] || fail "a model was written"

# A new item is tested by what only the table knows of it: a split by time, in which some items come late.
{
    cat log.csv
    for ((u = 0; u < 40; u++)); do echo "u$u,n$((u % 2)),$((9000 + u))"; done
} >late.csv
hit() { "$PENCHANT" evaluate late.csv --items items.csv --users users.csv -m "$1" "${small[@]}" --split time:0.9 --refit no \
    --metrics hit@10 --format json -q >report.json && sed 's/.*"hit@10": {"mean": \([0-9.]*\).*/\1/' report.json; }
new=$(hit two-tower) old=$(hit youtube-dnn)
awk -v new="$new" -v old="$old" 'BEGIN { exit !(new > 0.5 && old < 0.1) }' || # a few old items are tested too
    fail "two-tower finds $new of the new items, and youtube-dnn, which cannot know them, $old"
# Dropped targets, drawn candidates and groups are the same for who knows the new items and who does not.
both() { "$PENCHANT" compare late.csv --items items.csv --users users.csv -m two-tower,popular -p two-tower.epochs=2 --split time:0.9 \
    --refit no --metrics hit@3 "$@" --format json -q >both.json; }
for way in "--unknown-items drop" "--candidates uniform:5"; do
    both $way || fail "compare $way"
    [ "$(grep -o '"n": [0-9]*' both.json | sort -u | wc -l)" = 1 ] || fail "not the same cases with $way: $(cat both.json)"
done
both --groups popularity,cold || fail "compare --groups"
[ "$(grep -o '"group": "new", "from": 0, "to": 0, "n": 40' both.json | wc -l)" = 2 ] || fail "the new items' groups differ: $(cat both.json)"
echo "features: ok"
