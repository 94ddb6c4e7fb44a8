#!/bin/bash
# Wrong calls and nasty files: the exit status, and words that help. Each case: status, what the words must hold, the command.
set -uo pipefail
scratch=$(mktemp -d)
trap 'chmod -R u+rw "$scratch"; rm -rf "$scratch"' EXIT
cd "$scratch"
penchant=$PENCHANT
passed=0 failed=0

case_() { # STATUS WORDS COMMAND...
    local want=$1 words=$2 got
    shift 2
    "$@" >out 2>err </dev/null
    got=$?
    if [ $got -ne "$want" ] || ! grep -qF -- "$words" out err; then
        failed=$((failed + 1))
        echo "FAILED: ${*:2} -> status $got (want $want), words (want '$words'):"
        cat out err | head -5
    else
        passed=$((passed + 1))
    fi
}

printf 'user,item,rating,timestamp\n1,a,5,100\n1,b,4,200\n1,c,3,300\n2,a,3,100\n2,b,5,200\n2,d,4,300\n3,a,1,100\n3,c,2,200\n' >log.csv
: >empty.csv
printf 'user,item,rating,timestamp\n' >header.csv
printf 'user,item,rating\n1,a,5\n' >one.csv
for i in $(seq 20); do echo "$i,same,5,$i"; done >same.csv
printf 'user,item,rating\n1,a,5\n2,b,four\n' >word.csv
printf 'user,item,rating\n1,a,5\n2,b,four\n1,b,4\n1,c,4\n2,a,3\n2,c,4\n2,d,4\n1,d,3\n' >bad.csv
printf 'user,item,rating\n1,a,"4,5"\n' >comma.csv
printf 'user,item,rating\n1,a,nan\n2,b,inf\n' >nan.csv
printf 'user,item,rating\n1,a,1e999\n' >huge.csv
printf 'user,item,rating,rating\n1,a,5,5\n' >twice.csv
printf 'user,item,rating\n1,a\0b,5\n' >nul.csv
printf 'user,item,rating\n1,\xff\xfe,5\n' >utf8.csv
printf 'user,item,price,quantity\n1,a,5,2\n2,b,3,1\n1,b,3,1\n' >price.csv
head -c 3000000 /dev/zero | tr '\0' ',' >wide.csv; echo >>wide.csv
printf '\xef\xbb\xbfuser,item,rating\r\n\r\n1,"a ""b"", c",5\r\n2,b,4\r\n' >bom.csv
mkdir folder
cp log.csv secret.csv; chmod 000 secret.csv

# calls
case_ 2 "did you mean 'evaluate'" "$penchant" evalute log.csv
case_ 2 "did you mean '--split'" "$penchant" evaluate log.csv --spilt ratio:0.8
case_ 2 "did you mean 'popular'" "$penchant" evaluate log.csv -m populer
case_ 2 "has no parameter 'half_live'; did you mean 'half_life'" "$penchant" evaluate log.csv -m trending -p half_live=3
case_ 2 "100 and more" "$penchant" evaluate log.csv -m popular --bootstrap 1
case_ 2 "named twice" "$penchant" compare log.csv -m popular,bias,popular
case_ 2 "out of range" "$penchant" evaluate log.csv -m trending -p half_life=-3
case_ 2 "needs a value" "$penchant" evaluate log.csv -m
case_ 2 "needs LOG" "$penchant" evaluate
case_ 2 "is not one of" "$penchant" evaluate log.csv --task guess
case_ 2 "--threads" "$penchant" evaluate log.csv --threads many
case_ 2 "import needs -o" "$penchant" import log.csv
case_ 2 "not a model for ranking" "$penchant" evaluate log.csv -m bias
case_ 2 "ndcg" "$penchant" evaluate log.csv -m popular --metrics ndgc@10
case_ 2 "split" "$penchant" evaluate log.csv -m popular --split ratoi:0.8
case_ 0 "usage" "$penchant" evaluate --help
case_ 0 "penchant 0" "$penchant" --version

# files
case_ 1 "empty.csv" "$penchant" import empty.csv -o x.pds
case_ 1 "header.csv" "$penchant" import header.csv -o x.pds
case_ 0 "1 events" "$penchant" import one.csv -o x.pds
case_ 0 "wrote" "$penchant" import same.csv -o x.pds
case_ 1 "word.csv:3:5" "$penchant" import word.csv -o x.pds
case_ 1 "--decimal-comma" "$penchant" import comma.csv -o x.pds
case_ 0 "4.5" "$penchant" import comma.csv --decimal-comma -o x.pds
case_ 1 "nan.csv:2:5" "$penchant" import nan.csv -o x.pds
case_ 1 "huge.csv:2:5" "$penchant" import huge.csv -o x.pds
case_ 1 "rating" "$penchant" import twice.csv -o x.pds
case_ 1 "nul.csv:2" "$penchant" import nul.csv -o x.pds
case_ 1 "utf8.csv:2" "$penchant" import utf8.csv -o x.pds
case_ 0 "item = 'item';" "$penchant" import price.csv -o x.pds
case_ 1 "wide.csv" "$penchant" import wide.csv -o x.pds
case_ 0 "2 users, 2 items" "$penchant" import bom.csv -o x.pds
case_ 1 "folder" "$penchant" import folder -o x.pds
case_ 1 "No such file" "$penchant" import absent.csv -o x.pds
[ "$(id -u)" = 0 ] || case_ 1 "Permission denied" "$penchant" import secret.csv -o x.pds
case_ 1 "folder" "$penchant" import log.csv -o folder
case_ 1 "cannot write" "$penchant" import log.csv -o absent/x.pds

# what is read is never written over; what cannot be written is said before the work
cp log.csv mine.csv
case_ 2 "is a file that this call reads" "$penchant" import mine.csv -o mine.csv
case_ 2 "is a file that this call reads" "$penchant" train mine.csv -m popular -o ./mine.csv
case_ 2 "is a file that this call reads" "$penchant" doctor mine.csv --plot mine.csv
case_ 2 "is a file that this call reads" "$penchant" import log.csv --items mine.csv -o mine.csv
cmp -s log.csv mine.csv || { echo "FAILED: a log was written over"; failed=$((failed + 1)); }
case_ 1 "cannot write 'absent/x.pen'" "$penchant" train log.csv -m popular -o absent/x.pen
[ "$(wc -l <err)" = 1 ] || { echo "FAILED: trained before looking at where to write"; failed=$((failed + 1)); }
case_ 1 "cannot write 'absent/x.svg'" "$penchant" compare log.csv -m popular,random --plot absent/x.svg
[ -s out ] && { echo "FAILED: compared before looking at where to draw"; failed=$((failed + 1)); }

# ids that a terminal would obey are shown harmless where people read, and stay as they are in data
printf 'user,item,rating\n"\033[31mred",a,5\n"two\nlines",a,5\nt,b,3\n\342\200\256rtl,b,3\n' >escape.csv
case_ 0 "?[31mred" "$penchant" import escape.csv -o escape.pds
"$penchant" train escape.csv -m popular -o escape.pen -q
case_ 0 "user ?[31mred" "$penchant" recommend escape.pen --user $'\033[31mred'
for verb in "import escape.csv -o escape.pds" "doctor escape.csv" "recommend escape.pen --all"; do
    if "$penchant" $verb 2>&1 | LC_ALL=C grep -qP '\x1b|\xe2\x80\xae'; then echo "FAILED: $verb shows control characters"; failed=$((failed + 1)); fi
done
"$penchant" export escape.pen --what users | LC_ALL=C grep -qP '^\x1b\[31mred' || { echo "FAILED: an id was changed in data"; failed=$((failed + 1)); }

# options that would silently do nothing are refused
"$penchant" import log.csv -o log.pds -q
case_ 2 "--time-column is of text" "$penchant" evaluate log.pds -m popular --time-column ''
case_ 1 "holds every pair of the log" "$penchant" evaluate log.pds -m popular --test log.csv --value-column rating
case_ 2 "takes no option --seeds" "$penchant" train log.pds -m popular -o x.pen --seeds 3
case_ 2 "takes no option --candidates" "$penchant" score log.csv --test log.csv --candidates uniform:3
case_ 2 "score judges rankings" "$penchant" score log.csv --test log.csv --task rate
case_ 2 "not as CSV" "$penchant" doctor log.csv --format csv
echo '{"model": "bpr", "params": {"factors": 8}}' >best.json
case_ 2 "is for the model bpr" "$penchant" evaluate log.pds -m ials -p @best.json
case_ 2 "No such file" "$penchant" evaluate log.pds -m ials -p @absent.json
case_ 2 "measures ratings" "$penchant" evaluate log.pds -m popular --metrics rmse
case_ 2 "did you mean '--version'" "$penchant" --versoin
case_ 0 "parameter,default" "$penchant" models ials --format csv
[ "$(head -1 out)" = "parameter,default,range,what it does" ] || { echo "FAILED: models MODEL as CSV begins with words"; failed=$((failed + 1)); }

# what a filter or a split leaves is said in words, and what is missing in names
case_ 1 "'min-value 9' dropped the last 8 of 8" "$penchant" evaluate log.csv -m popular --min-value 9
case_ 0 "split: ratio:0.5: training 3 events of 3 users, validation 2 events of 2 users, test 3 events of 3 users" "$penchant" evaluate log.csv -m popular --split ratio:0.5
case_ 2 "it has user, item, rating, timestamp" "$penchant" import log.csv -o x.pds --user-column nobody
case_ 1 "is the delimiter right" "$penchant" import log.csv -o x.pds --delimiter ';'
case_ 0 "times in microseconds" "$penchant" import log.csv -o x.pds --time-format microseconds

# pictures: round numbers on the axes, whole documents
case_ 0 "popular" "$penchant" compare log.csv -m popular,random --split ratio:0.5 --plot compare.svg
case_ 0 "verdict" "$penchant" doctor log.csv --plot popularity.svg
for picture in compare popularity; do
    [ "$(tail -1 $picture.svg)" = "</svg>" ] && ! grep -qE '>-0<|nan|inf' $picture.svg || { echo "FAILED: $picture.svg"; failed=$((failed + 1)); }
done
grep -q '>0<' compare.svg && grep -q '>25 %<' popularity.svg || { echo "FAILED: axes without numbers"; failed=$((failed + 1)); }

# a split's own files are read as they stand
{ cat log.csv; tail -n +2 log.csv; } >doubled.csv
"$penchant" split doubled.csv --split last:1 -o parts -q
head -1 parts/train.csv | grep -q 'value,weight' || { echo "FAILED: no weights in a split's file"; failed=$((failed + 1)); }
case_ 0 "popular" "$penchant" evaluate parts/train.csv --test parts/test.csv -m popular
case_ 0 "popular" "$penchant" evaluate --fold parts/train.csv,parts/test.csv -m popular

case_ 0 "1 bad rows" "$penchant" import word.csv --on-error skip -o x.pds
case_ 0 '"dropped": 1}' "$penchant" evaluate bad.csv --on-error skip -m popular --split ratio:0.5 --format json

case_ 1 "(--positive)" "$penchant" evaluate log.csv -m popular --positive 6

# parameters of compare: what no model has, and what is for a model that is not compared, would silently do nothing
case_ 2 "did you mean 'factors'" "$penchant" compare log.csv -m popular,ials -p fators=8
case_ 2 "did you mean 'ials'" "$penchant" compare log.csv -m popular,ials -p ial.factors=8
case_ 2 "not compared" "$penchant" compare log.csv -m popular,item-knn -p ials.factors=8

# a tiny log goes through every model and comes back with a word or a number, never a crash
for model in $("$penchant" models --format csv | tail -n +2 | cut -d, -f2); do
    for task in rank rate; do
        "$penchant" evaluate log.csv -m "$model" --task $task --split ratio:0.5 -q >out 2>err
        got=$?
        if [ $got -gt 2 ]; then
            failed=$((failed + 1))
            echo "FAILED: $model $task on a tiny log -> $got"; head -3 err
        else
            passed=$((passed + 1))
        fi
    done
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
