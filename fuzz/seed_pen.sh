#!/bin/bash
# Makes the corpus of fuzz_pen: a small model of each kind, of several parameters, with and without an item table.
# usage: fuzz/seed_pen.sh build/release/penchant    (after the format or a model's tensors have changed)
set -euo pipefail
penchant=$(realpath "$1")
cd "$(dirname "$0")/corpus"
mkdir -p pen
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for ((u = 0; u < 7; u++)); do
    for ((i = 0; i < 6; i++)); do
        (((u * 5 + i * 3) % 4)) && printf '%s\t%s\t%s\t%s\n' "u$u" "i$i" $((1 + (u + i) % 5)) $((1000 + u * 10 + i))
    done
done >"$scratch/log.tsv"
printf 'item\ttitle\tyear\tgenre\ni0\tOne\t1990\tDrama|War\ni2\tTwo\t2001\tDrama\ni5\tThr\xc3\xa9e\t\t\n' >"$scratch/items.tsv"
"$penchant" import "$scratch/log.tsv" -o "$scratch/log.pds" -q
"$penchant" import "$scratch/log.tsv" --items "$scratch/items.tsv" -o "$scratch/titled.pds" -q
make() { # NAME DATA MODEL ARGUMENTS...
    local name=$1 data=$2 model=$3
    shift 3
    "$penchant" train "$scratch/$data.pds" -m "$model" "$@" -o "pen/$name" --seed 1 -q
}
make random log random
make popular titled popular
make trending log trending
make bias log bias --task rate
make user-knn log user-knn -p k=3
make user-knn-rate log user-knn --task rate -p k=3 -p similarity=pearson
make item-knn titled item-knn -p k=3
make item-knn-rate log item-knn --task rate -p k=3 -p similarity=adjusted-cosine
make biased-mf titled biased-mf --task rate -p factors=3 -p epochs=2
make biased-mf-als log biased-mf --task rate -p factors=3 -p epochs=2 -p solver=als -p l1=0.01
make ials titled ials -p factors=3 -p epochs=2
make bpr log bpr -p factors=3 -p epochs=2
make bpr-popularity log bpr -p factors=3 -p epochs=2 -p sampler=popularity
make bpr-dns log bpr -p factors=3 -p epochs=2 -p sampler=dns -p biases=no
make session-knn titled session-knn -p k=3 -p sample=4 -p time_decay=1
make session-knn-idf log session-knn -p k=3 -p idf=1 -p distance_decay=0
ls -l pen
