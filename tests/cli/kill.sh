#!/bin/bash
# kill -9 at random moments of import and train: afterwards the old file or the new one is there, whole; what a killed training left goes
# on with --resume to the same bits. PENCHANT_KILLS sets how often (here 12; 200 under tools/torture.sh), PENCHANT_KILL_MODEL and
# PENCHANT_KILL_PARAMS what is trained (ials).
set -uo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
kills=${PENCHANT_KILLS:-12} seed=${PENCHANT_KILL_SEED:-1}
RANDOM=$seed
"$PENCHANT" synth --events 60000 --n-users 2000 --n-items 800 -o old.csv -q
"$PENCHANT" synth --events 120000 --n-users 2500 --n-items 900 --seed 2 -o new.csv -q
model=${PENCHANT_KILL_MODEL:-ials} params=${PENCHANT_KILL_PARAMS:--p epochs=6 -p factors=16}

sound() { "$PENCHANT" doctor "$1" -q --format json >/dev/null 2>&1; }
bits() { # the state of a model: everything but when and how long
    python3 - "$1" <<'PY' 2>/dev/null || cksum <"$1"
import json, struct, sys, zlib
raw = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
head = json.loads(raw[8:8 + n])
sums = {k: zlib.crc32(raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in head.items() if k != "__metadata__" and not k.startswith("__")}
print(sorted(sums.items()))
PY
}

# how long the whole work takes, so that moments fall into it
"$PENCHANT" import old.csv -o log.pds -q && cp log.pds old.pds
began=$(date +%s%N); "$PENCHANT" import new.csv -o new.pds -q; import_ns=$(($(date +%s%N) - began))
began=$(date +%s%N); "$PENCHANT" train old.pds -m $model $params -o whole.pen -q; train_ns=$(($(date +%s%N) - began))
cp whole.pen model.pen
want=$(bits whole.pen)
halves=0 differs=0 olds=0 news=0 resumed=0

moment() { awk -v r=$RANDOM -v ns="$1" 'BEGIN { printf "%.4f", r / 32768 * ns / 1e9 * 1.1 }'; }

for ((i = 0; i < kills; i++)); do
    if ((i % 3 == 0)); then
        cp old.pds log.pds
        "$PENCHANT" import new.csv -o log.pds -q & pid=$!
        sleep "$(moment "$import_ns")"
        kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
        if cmp -s log.pds old.pds; then olds=$((olds + 1)); elif sound log.pds; then news=$((news + 1)); else halves=$((halves + 1)); echo "half a file after kill $i"; fi
        rm -f log.pds.tmp-*
    else
        rm -f model.pen.ckpt
        cp whole.pen model.pen
        "$PENCHANT" train old.pds -m $model $params -o model.pen --checkpoint-seconds 0 -q & pid=$!
        sleep "$(moment "$train_ns")"
        kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
        [ "$(bits model.pen)" = "$want" ] || { halves=$((halves + 1)); echo "half a model after kill $i"; }
        [ -f model.pen.ckpt ] && resumed=$((resumed + 1))
        "$PENCHANT" train old.pds -m $model $params -o model.pen --resume --checkpoint-seconds 0 -q || { differs=$((differs + 1)); echo "resuming failed after kill $i"; }
        [ "$(bits model.pen)" = "$want" ] || { differs=$((differs + 1)); echo "resumed to other bits after kill $i"; }
        rm -f model.pen*.tmp-*
    fi
done
echo "$kills kills: imports left the old file $olds times and the new one $news times; $resumed trainings went on from a checkpoint; half files: $halves; other bits: $differs"
[ $kills -lt 12 ] || [ $resumed -gt 0 ] || { echo "no training was killed with a checkpoint behind it"; exit 1; }
[ $halves -eq 0 ] && [ $differs -eq 0 ]
