#!/bin/bash
# neumf from saved gmf and mlp models: it begins where they ended, also where they know fewer users; and what does not fit is
# answered with what to do.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "pretrain: $*" >&2; exit 1; }
refused() { # STATUS WORDS COMMAND...
    local wanted=$1 words=$2 status=0
    shift 2
    "$@" >out 2>&1 || status=$?
    [ $status = "$wanted" ] || { cat out >&2; fail "status $status, not $wanted: $*"; }
    grep -qF -- "$words" out || { cat out >&2; fail "\"$*\" does not say \"$words\""; }
}

for ((u = 0; u < 40; u++)); do
    for ((i = 0; i < 30; i++)); do
        ((u % 2 == i % 2 && (u * 7 + i * 5) % 3)) && echo "u$u,i$i,$((1000 + u * 50 + i))"
    done
done | { echo user,item,time; cat; } >log.csv
grep -v '^u3,' log.csv >fewer.csv
"$PENCHANT" import log.csv -o log.pds -q
small=(-p factors=4 -p learning_rate=0.05 -p batch_size=128 -p init=0.1 -p patience=0 -q)
"$PENCHANT" train fewer.csv -m gmf "${small[@]}" -p epochs=40 -o gmf.pen
"$PENCHANT" train log.pds -m mlp "${small[@]}" -p epochs=40 -o mlp.pen
"$PENCHANT" train log.pds -m mf "${small[@]}" -p epochs=1 -o mf.pen
"$PENCHANT" train log.pds -m mlp "${small[@]}" -p layers=3 -p epochs=1 -o deep.pen

# one epoch on: what begins with their weights is better than what begins at random
start=(train log.pds -m neumf -p factors=4 -p epochs=1 -p optimizer=sgd)
validation() { sed 's/.*"validation": \([0-9.]*\).*/\1/' "$1"; }
"$PENCHANT" "${start[@]}" -p learning_rate=0.001 -o bare.pen --format json -q >bare.json
"$PENCHANT" "${start[@]}" -p learning_rate=0.001 --pretrain gmf.pen --pretrain mlp.pen -o neumf.pen --format json >neumf.json 2>words
grep -q 'neumf: 39 of 40 users start from the gmf model' words || fail "who starts from what is not said: $(cat words)"
grep -q '"pretrained": \["gmf", "mlp"\]' neumf.json || fail "about does not tell: $(cat neumf.json)"
awk -v with="$(validation neumf.json)" -v without="$(validation bare.json)" 'BEGIN { exit !(with > without + 0.1) }' ||
    fail "validation: $(validation neumf.json) with, $(validation bare.json) without"
"$PENCHANT" recommend neumf.pen --user u3 -n 3 --format csv -q >u3.csv
[ "$(wc -l <u3.csv)" = 4 ] || fail "u3, whom the gmf lacks, is not answered"

refused 2 "the mlp is missing (train LOG -m mlp -o mlp.pen, then --pretrain mlp.pen)" "$PENCHANT" "${start[@]}" --pretrain gmf.pen -o no.pen
refused 2 "not from one of mf" "$PENCHANT" "${start[@]}" --pretrain gmf.pen --pretrain mlp.pen --pretrain mf.pen -o no.pen
refused 2 "they must be the same (-p layers=3)" "$PENCHANT" "${start[@]}" --pretrain gmf.pen --pretrain deep.pen -o no.pen
refused 2 "ials starts from no other model" "$PENCHANT" train log.pds -m ials --pretrain gmf.pen -o no.pen
refused 1 "none.pen" "$PENCHANT" "${start[@]}" --pretrain none.pen --pretrain mlp.pen -o no.pen
refused 1 "log.pds" "$PENCHANT" "${start[@]}" --pretrain log.pds --pretrain mlp.pen -o no.pen

# Measured: from models of the training part alone. Those of the whole log have seen the test.
"$PENCHANT" split log.csv --split ratio:0.8 -o parts -q 2>parts.words || { cat parts.words; fail "split"; }
ls parts >parts.list
train=parts/$(grep -m1 train parts.list) test=parts/$(grep -m1 test parts.list)
"$PENCHANT" train "$train" -m gmf "${small[@]}" -p epochs=40 -o part-gmf.pen
"$PENCHANT" train "$train" -m mlp "${small[@]}" -p epochs=40 -o part-mlp.pen
measure() { "$PENCHANT" compare "$train" --test "$test" -m neumf,popular -p neumf.factors=4 -p epochs=1 -p neumf.optimizer=sgd \
    -p neumf.learning_rate=0.001 --refit no --metrics ndcg@10 --bootstrap 0 --format json -q "$@"; }
measure --pretrain part-gmf.pen --pretrain part-mlp.pen >with.json
measure >without.json
first() { sed 's/.*"model": "neumf"[^}]*}, *\("pretrained": [^]]*\], \)*"metrics": {"ndcg@10": {"mean": \([0-9.]*\).*/\2/' "$1"; }
awk -v with="$(first with.json)" -v without="$(first without.json)" 'BEGIN { exit !(with > without + 0.05) }' ||
    fail "ndcg@10: $(first with.json) with, $(first without.json) without"
grep -q '"pretrained": \["gmf", "mlp"\]' with.json || fail "the report does not tell"
refused 2 "tested events; train it on the training part alone" measure --pretrain gmf.pen --pretrain part-mlp.pen
"$PENCHANT" train "$train" -m gmf "${small[@]}" -p epochs=1 --no-history -o blind.pen
refused 2 "cannot be told whether it has seen the test" measure --pretrain blind.pen --pretrain part-mlp.pen
refused 2 "popular starts from no other model" "$PENCHANT" evaluate log.pds -m popular --pretrain gmf.pen
[ ! -e no.pen ] || fail "a model was written"
echo "pretrain: ok"
