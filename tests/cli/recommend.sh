#!/bin/bash
# Asking a model through the program: recommend, similar, explain, predict, export, info. Runs on a small made-up log everywhere, and
# on MovieLens 100K where PENCHANT_DATA names a folder with it.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
p() { "$PENCHANT" "$@"; }
fail() { echo "recommend: $*" >&2; exit 1; }
same() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'"; }
# refused STATUS WORDS CALL...: the call ends with that status, and its words on stderr hold WORDS
refused() {
    local want=$1 words=$2 status=0
    shift 2
    "$PENCHANT" "$@" >out.txt 2>err.txt || status=$?
    [ "$status" = "$want" ] || fail "$*: status $status where $want was expected: $(cat err.txt)"
    grep -qF -- "$words" err.txt || fail "$*: '$words' is not in: $(cat err.txt)"
}
items() { cut -d, -f3 "$1" | tail -n +2; } # of a CSV without quoted cells before the item

# ---- what is below --positive only counts as seen: no model goes by it, nobody is recommended it again ----------------------
printf 'a,x,5\na,y,1\na,z,5\nb,x,5\nb,z,5\nb,w,5\nc,y,5\nc,v,5\nd,y,5\nd,v,5\ne,x,5\ne,z,4\ne,w,5\n' >liked.csv
for model in item-knn user-knn; do
    p train liked.csv --no-header -m $model --positive 4 -o liked.pen -q
    p recommend liked.pen --user a --why --format csv -q >liked.txt
    same "$(items liked.txt | tr '\n' ' ')" "w v "
    grep -q '^a,2,v,,0,' liked.txt || fail "$model speaks for what only somebody disliked leads to: $(cat liked.txt)"
done
p export liked.pen --what history -o liked.tsv -q
grep -qP 'a\ty\t0$' liked.tsv || fail "a disliked event is not marked: $(cat liked.tsv)"

# ---- a small log: four films, three users -----------------------------------------------------------------------------
printf 'u1,a,5,1\nu1,b,4,2\nu2,a,5,1\nu2,b,3,2\nu2,c,4,3\nu3,a,2,1\nu3,c,5,2\nu3,d,4,3\nu3,e e,1,4\n' >log.csv
printf 'item,title,genre,year\na,Alien,horror|sf,1979\nb,"Blade, Runner",sf,1982\nc,Casablanca,drama,1942\nd,Dune,sf,2021\ne e,"Été ""2""",drama,\n' >items.csv
p import log.csv --no-header --items items.csv --list-separator '|' -o log.pds -q
p train log.pds -m popular -o pop.pen -q
p train log.pds -m bias --task rate -o bias.pen -q

p recommend pop.pen --user u1 -n 2 --format csv -q >one.csv
same "$(items one.csv | tr '\n' ' ')" "c $(items one.csv | tail -1) "
p recommend pop.pen --user u1 --format csv >all.csv 2>err.txt
same "$(items all.csv | wc -l)" 3
grep -q 'only 3 items are allowed' err.txt
p recommend pop.pen --user u1 --keep-seen -n 5 --format csv -q >seen.csv
same "$(items seen.csv | wc -l)" 5
p recommend pop.pen --user u1 --where 'genre = SF and year >= 1980' --format csv -q >where.csv
same "$(items where.csv)" d
printf 'c\r\nd\nzzz\n' >allow.txt
p recommend pop.pen --user u1 --allow allow.txt --deny <(echo d) --format json 2>err.txt >allow.json
grep -q '"item": "c"' allow.json
grep -q 'does not know 1 of the items of the allow list' err.txt
same "$(p recommend pop.pen --user u1 --min-popularity 99 --format csv -q | wc -l)" 1
same "$(p recommend pop.pen --user u3 --where 'year is missing' --keep-seen --format csv -q | tail -1)" 'u3,1,e e,"Été ""2""",1,personal'

grep -q '"how": "fallback", "reason": "the model does not know user '"'u9'" <(p recommend pop.pen --user u9 --format json -q) || fail "no fallback is said"
p recommend bias.pen --history 'a:5,zzz' --format json -q >fold.json
grep -q '"user": null, "how": "folded-in", "reason": "the model does not know item '"'zzz'" fold.json || fail "$(cat fold.json)"
grep -q '"how": "fallback"' <(p recommend bias.pen --history zzz,yyy --format json -q) || fail "a history without known items is no fallback"
printf 'a\ne e\n' >history.txt
same "$(p recommend pop.pen --history @history.txt --format csv -q | tail -n +2 | wc -l)" 3

p recommend pop.pen --user u1 --why -n 1 --format json -q | grep -q '"why": "popular with everybody (2 events)"' || fail "popularity is not stated as popularity"
p explain bias.pen --user u1 --item c --format json -q | grep -q '"exact": true' || fail "shares of bias do not sum"
p similar pop.pen --item a -n 2 --format json -q | grep -q '"reason": "by who had both' || fail "similar by histories"
p recommend pop.pen --all --format csv -q >lists.csv
for user in u1 u2 u3; do
    p recommend pop.pen --user $user --format csv -q | tail -n +2 >alone.csv
    grep "^$user," lists.csv | diff - alone.csv || fail "$user alone is not as in --all"
done

printf 'user,item\nu1,a\nu1,zzz\nnobody,a\nnobody,zzz\n' >pairs.csv
p predict bias.pen pairs.csv --format csv -q >predicted.csv
same "$(cut -d, -f5- predicted.csv | tail -n +2)" 'personal,
fallback,the model does not know the item
fallback,the model does not know the user
fallback,the model knows neither the user nor the item'
p predict pop.pen pairs.csv --format json -q | grep -q '"score": null' || fail "an unknown item has a score"

p info log.pds --format json | grep -q '"kind": "dataset".*"sound": true'
p info pop.pen | grep -q 'state.item.count'
head -c 1000 pop.pen >cut.pen
refused 1 "cut.pen" info cut.pen
p synth --events 3000 --n-users 80 --n-items 40 -o nets.csv -q
p train nets.csv -m neumf -p epochs=1 -o neumf.pen -q
p train nets.csv -m autorec --task rate -p epochs=1 -o autorec.pen -q
p info neumf.pen --plan >plan.txt
grep -q '^#5  linear .*mlp.0.weight, mlp.0.bias  #3, #4 ' plan.txt || fail "the plan's ops: $(cat plan.txt)"
grep -q '^gmf.user .* touched rows$' plan.txt || fail "the plan's tables"
grep -q "^#4  gather .*mlp.item .* -$" plan.txt || fail "answers read kept products, not rows of items"
grep -q "An answer (scores) runs 7 of the ops" plan.txt || fail "what an answer runs"
grep -q 'solved for' plan.txt || fail "a new user's bytes"
p info autorec.pen --plan >plan.txt
grep -q 'An answer runs none of the ops' plan.txt || fail "autorec's answers"
p info neumf.pen --plan --format csv >plan.csv
same "$(tail -1 plan.csv | cut -d, -f1,2,3)" '8,pointwise loss,'
p info neumf.pen --plan --format json >plan.json
python3 -c 'import json; p = json.load(open("plan.json")); assert p["model"] == "neumf" and len(p["ops"]) == 9 and p["answer"]["ops"] == 7'
refused 1 "popular has no plan" info pop.pen --plan
refused 1 "log.pds" info log.pds --plan
refused 2 "takes no option --plan" similar pop.pen --item a --plan
same "$(p export pop.pen --what items -q | tail -1)" "$(printf 'e e\t1\t"Été ""2"""')"
same "$(p export pop.pen --what history -q | head -2 | tail -1)" "$(printf 'u1\ta\t1')"
refused 1 "has no vectors" export pop.pen
refused 1 "ids are text" export pop.pen --what users -o users.npy

refused 2 "recommend needs --user" recommend pop.pen
refused 2 "--all excludes" recommend pop.pen --all --user u1
refused 2 "did you mean 'genre'" recommend pop.pen --user u1 --where 'gnre = sf'
refused 2 "at character 9 where a value" recommend pop.pen --user u1 --where 'genre = '
refused 2 "there is no item 'dun'" similar pop.pen --item dun
grep -qF "did you mean 'd' (Dune)?" err.txt
refused 1 "cannot read 'nothing'" recommend pop.pen --user u1 --allow nothing
p train log.pds -m popular --no-history -o bare.pen -q
p recommend bare.pen --user u1 --format json -q | grep -q 'may be recommended again' || fail "a model without histories does not say so"

# ---- MovieLens 100K -------------------------------------------------------------------------------------------------------
data=${PENCHANT_DATA:-}/ml-100k
if [ ! -f "$data/u.data" ]; then
    echo "recommend: ok on a made-up log; skipped MovieLens 100K, which is not there (PENCHANT_DATA)"
    exit 0
fi
p import "$data/u.data" --items "$data/u.item" -o ml.pds -q
p train ml.pds -m ials -o ials.pen -q
p recommend ials.pen --user 196 -n 10 --format csv -q >user.csv
same "$(wc -l <user.csv)" 11
if items user.csv | grep -qxFf <(awk '$1 == 196 {print $2}' "$data/u.data"); then fail "a seen film is recommended"; fi
p recommend ials.pen --all --format csv -q >lists.csv
same "$(wc -l <lists.csv)" 9431
grep '^196,' lists.csv | diff - <(tail -n +2 user.csv) || fail "user 196 alone is not as in --all"
same "$(p recommend ials.pen --all --threads 1 --format csv -q | sha256sum)" "$(sha256sum <lists.csv)"
p recommend ials.pen --user 196 --where 'genre = "Documentary" and popularity >= 5' -n 20 --format csv -q >where.csv
same "$(wc -l <where.csv)" 21
p recommend ials.pen --user 196 --why -n 3 --format json -q | grep -q '"why": "because of \*' || fail "no reason from the history"
p recommend ials.pen --user 196 --diversity 0.5 --format json -q >diverse.json
grep -q '"diversity": {"relevance_kept": 0\.' diverse.json || fail "no trade-off: $(cat diverse.json)"
p similar ials.pen --item 50 -n 3 -q | grep -q 'Return of the Jedi' || fail "Star Wars is not like Return of the Jedi"
p explain ials.pen --user 196 --item 50 -q | grep -q 'The shares sum to the score' || fail "ials is not exact"
if command -v python3 >/dev/null && python3 -c 'import numpy' 2>/dev/null; then
    p export ials.pen --what item-vectors -o items.npy -q
    p export ials.pen --what user-vectors -o users.npy -q
    p recommend ials.pen --user 196 --keep-seen -n 5 --format csv -q >keep.csv
    p export ials.pen --what users -o users.tsv -q
    python3 - <<'END' || fail "the exported vectors do not give the scores"
import csv, numpy
users = [line.split("\t")[0] for line in open("users.tsv")][1:]
scores = numpy.load("users.npy")[users.index("196")] @ numpy.load("items.npy").T
want = [float(row["score"]) for row in csv.DictReader(open("keep.csv"))]
assert numpy.allclose(numpy.sort(scores)[::-1][:5], want, rtol=1e-5), (numpy.sort(scores)[::-1][:5], want)
END
fi
echo "recommend: ok"
