#!/bin/bash
# train --log: whole lines whatever happens to the program or the disk, resuming appends, the picture of the curves, and words for names
# that cannot be. What the lines say is the business of tests/test_train_log.c.
set -uo pipefail
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")") # checkpoints, each synced
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
passed=0 failed=0
p() { "$PENCHANT" "$@"; }
ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "FAILED: $*"; }
check() { if eval "$2"; then ok; else fail "$1"; fi; }
refused() { # STATUS WORDS ARGUMENTS...
    local want=$1 words=$2 got
    shift 2
    p "$@" >out 2>err </dev/null
    got=$?
    if [ $got -eq "$want" ] && grep -qF -- "$words" err; then ok; else fail "$* -> $got: $(cat err)"; fi
}
whole() { # LOG: every line is JSON and ends
    [ -s "$1" ] && [ "$(tail -c 1 "$1" | od -An -c | tr -d ' ')" = '\n' ] && python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$1"
}
lines() { grep -c "\"line\": \"$2\"" "$1"; }
xml() { python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$1"; }
same_model() { "$PENCHANT" recommend "$1" --all -q | cmp -s - <("$PENCHANT" recommend "$2" --all -q); }

p synth --events 30000 --n-users 500 --n-items 200 -o log.csv -q
words="-m bpr -p epochs=40 -p patience=0 -p factors=32"
p train log.csv $words -o plain.pen -q
p train log.csv $words -o logged.pen --log run.jsonl -q
check "a log changes the model" 'same_model plain.pen logged.pen'
check "lines of a whole run" 'whole run.jsonl && [ "$(lines run.jsonl run)" = 1 ] && [ "$(lines run.jsonl end)" = 1 ]'
check "an epoch a line" '[ "$(grep -c "\"phase\": \"fit\"" run.jsonl)" = 40 ] && [ "$(head -1 run.jsonl | cut -c1-14)" = "{\"line\": \"run\"" ]'
check "the picture" 'xml run.svg && grep -q "bpr: loss" run.svg && grep -q "ndcg@10 on validation: best" run.svg && grep -q ">refit<" run.svg && [ "$(grep -c polyline run.svg)" = 3 ]'
check "nothing aside" '[ -z "$(find . -name "*.tmp-*")" ]'

# another run begins the log anew; a model that is fitted at once has no curves; extensions
p train log.csv -m popular -o pop.pen --log run.jsonl -q
check "a new log" '[ "$(wc -l <run.jsonl)" = 2 ] && whole run.jsonl'
p train log.csv -m popular -o pop.pen --log at.once -q
check "no picture without epochs" '[ ! -e at.svg ]'
mkdir d.d
p train log.csv -m ials -p epochs=2 -o ials.pen --log d.d/plain -q
check "a name without extension" 'xml d.d/plain.svg && whole d.d/plain'
p train log.csv -m ials -p epochs=2 -o ials.pen --log /dev/stderr -q 2>&1 >out | cat >err
check "a device takes lines" '[ "$(lines err end)" = 1 ] && [ ! -e /dev/stderr.svg ]'
printf '{"line": "run"}\n{"torn' >torn.jsonl
p train log.csv -m ials -p epochs=2 -o ials.pen --log torn.jsonl --resume -q
check "a torn line is cut off" 'whole torn.jsonl && [ "$(lines torn.jsonl run)" = 2 ]'

# names that cannot be
refused 2 "is a file that this call reads" train log.csv -m ials -o x.pen --log log.csv
refused 2 "--log and -o are both" train log.csv -m ials -o x.pen --log x.pen
refused 2 "would be written over -o" train log.csv -m ials -o x.svg --log x.jsonl
refused 2 "name it .jsonl" train log.csv -m ials -o x.pen --log x.svg
refused 2 "standard output is for data" train log.csv -m ials -o x.pen --log -
refused 1 "cannot write 'absent/x.jsonl'" train log.csv -m ials -o x.pen --log absent/x.jsonl
refused 2 "takes no option --log" evaluate log.csv -m ials --log x.jsonl

# kill -9 at any moment: whole lines; --resume appends, and the model is the one of an unbroken run
halves=0 others=0 appended=0
for moment in 0.05 0.1 0.15 0.2 0.3 0.4; do
    rm -f killed.*
    "$PENCHANT" train log.csv $words -o killed.pen --log killed.jsonl --checkpoint-seconds 0 -q & pid=$!
    sleep $moment
    kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
    if [ -s killed.jsonl ]; then whole killed.jsonl || halves=$((halves + 1)); fi
    before=$(cat killed.jsonl 2>/dev/null | wc -l)
    p train log.csv $words -o killed.pen --log killed.jsonl --checkpoint-seconds 0 --resume -q || others=$((others + 1))
    whole killed.jsonl || halves=$((halves + 1))
    same_model plain.pen killed.pen || others=$((others + 1))
    [ "$(lines killed.jsonl resume)" = 1 ] && [ "$(wc -l <killed.jsonl)" -gt "$before" ] && [ "$(lines killed.jsonl run)" = 2 ] && appended=$((appended + 1))
    xml killed.svg || others=$((others + 1))
done
check "kills: $halves torn lines, $others other models, $appended appended" '[ $halves = 0 ] && [ $others = 0 ] && [ $appended -gt 0 ]'

# Ctrl-C: the log ends with a word, and has its picture
"$PENCHANT" train log.csv $words -p epochs=4000 -o cut.pen --log cut.jsonl -q 2>/dev/null & pid=$!
for _ in $(seq 100); do [ "$(grep -c epoch cut.jsonl 2>/dev/null)" -gt 3 ] 2>/dev/null && break; sleep 0.05; done
kill -INT $pid; wait $pid
check "interrupted" 'whole cut.jsonl && tail -1 cut.jsonl | grep -q "\"status\": \"interrupted\"" && xml cut.svg'

# a disk that fills up under the log alone: said, and the training goes on; short and interrupted writes change nothing
for n in 1 3; do
    PENCHANT_FAULT="write ENOSPC $n" "$PENCHANT_FAULTY" train log.csv $words -o full.pen --log full.jsonl --no-checkpoint >out 2>err
    status=$?
    check "a full disk at line $n: $status $(cat err)" '[ $status = 0 ] && grep -q "the training.s log ends here: cannot write .full.jsonl.: No space left" err && [ "$(wc -l <full.jsonl)" = $((n - 1)) ] && same_model plain.pen full.pen'
done
for kind in short EINTR; do
    PENCHANT_FAULT="write $kind" "$PENCHANT_FAULTY" train log.csv $words -o full.pen --log full.jsonl --no-checkpoint >out 2>err
    check "writes: $kind" 'whole full.jsonl && [ "$(lines full.jsonl end)" = 1 ] && same_model plain.pen full.pen'
done
echo "training_log: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 20 ]
