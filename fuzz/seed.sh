#!/bin/bash
# Makes what the corpora of fuzz_pen and fuzz_pds begin with: a small model of each kind that `penchant models` lists, some of several
# parameters, with and without an item table; data sets with tables and with context columns.
# usage: fuzz/seed.sh build/release/penchant    (for a new model; what is there stays: files of older versions must open for ever)
set -euo pipefail
penchant=$(realpath "$1")
corpus=$(realpath "$(dirname "$0")/corpus")
mkdir -p "$corpus/pen" "$corpus/pds"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" # names of files stand in the notes
for ((u = 0; u < 7; u++)); do
    for ((i = 0; i < 6; i++)); do
        (((u * 5 + i * 3) % 4)) && printf '%s\t%s\t%s\t%s\n' "u$u" "i$i" $((1 + (u + i) % 5)) $((1000 + u * 10 + i))
    done
done >log.tsv
printf 'item\ttitle\tyear\tgenre\ni0\tOne\t1990\tDrama|War\ni2\tTwo\t2001\tDrama\ni5\tThr\xc3\xa9e\t\t\n' >items.tsv
"$penchant" import log.tsv -o log.pds -q
printf 'user\tage\tcity\nu0\t31\tBonn\nu1\t\tUlm\nu2\t50\tBonn\nu9\t20\tUlm\n' >people.tsv
"$penchant" import log.tsv --items items.tsv -o titled.pds -q
"$penchant" import log.tsv --items items.tsv --users people.tsv -o tables.pds -q
make() { # NAME DATA MODEL ARGUMENTS...
    local name=$1 data=$2 model=$3
    shift 3
    [ -f "$corpus/pen/$name" ] && return
    "$penchant" train "$data.pds" -m "$model" "$@" -o "$corpus/pen/$name" --seed 1 -q
}
make popular titled popular
make user-knn-rate log user-knn --task rate -p k=3 -p similarity=pearson
make item-knn titled item-knn -p k=3
make autorec-centred log autorec --task rate -p factors=4 -p epochs=2
make youtube-dnn-rollback log youtube-dnn -p factors=4 -p epochs=2 -p hidden=4 -p rollback=yes -p positives=1
make neumf-kept log neumf -p factors=4 -p epochs=2
make youtube-dnn-ccl log youtube-dnn -p factors=4 -p epochs=2 -p hidden=4 -p loss=ccl
make item-knn-rate log item-knn --task rate -p k=3 -p similarity=adjusted-cosine
make biased-mf titled biased-mf --task rate -p factors=3 -p epochs=2
make biased-mf-als log biased-mf --task rate -p factors=3 -p epochs=2 -p solver=als -p l1=0.01
make ials titled ials -p factors=3 -p epochs=2
make bpr-popularity log bpr -p factors=3 -p epochs=2 -p sampler=popularity
make bpr-dns log bpr -p factors=3 -p epochs=2 -p sampler=dns -p biases=no
make session-knn titled session-knn -p k=3 -p sample=4 -p time_decay=1
make session-knn-idf log session-knn -p k=3 -p idf=1 -p distance_decay=0
make two-tower-tables tables two-tower -p factors=3 -p hidden=4 -p epochs=2 -p user_id=yes -p item_features=genre,year,title
make youtube-dnn-popularity log youtube-dnn -p factors=3 -p hidden=4 -p epochs=2 -p sampler=popularity
make youtube-dnn-tables tables youtube-dnn -p factors=3 -p hidden=4 -p epochs=2 -p max_length=8 -p age=yes
"$penchant" models | tail -n +2 | while read -r _ model tasks _; do # small ones of all others
    params=()
    for small in k=3 factors=4 hidden=4 epochs=2 max_length=8; do
        "$penchant" models "$model" | grep -q "^${small%=*} " && params+=(-p "$small")
    done
    make "$model" log "$model" --task "${tasks%,}" "${params[@]}"
done
printf 'user,item,rating,timestamp,hour,weight_kg\nu0,i0,4,1000000000,3,1.5\nu1,i2,5,,,2\nu0,i5,3,1000000002,4,\n' >context.csv
printf 'user\tage\tcity\nu0\t31\tBonn\nu1\t\tK\xc3\xb6ln\n' >users.tsv
[ -f "$corpus/pds/tables" ] || "$penchant" import context.csv --items items.tsv --users users.tsv -o "$corpus/pds/tables" -q
[ -f "$corpus/pds/context" ] || "$penchant" import context.csv --context-column hour --context-column weight_kg -o "$corpus/pds/context" -q
ls -l "$corpus/pen" "$corpus/pds"
