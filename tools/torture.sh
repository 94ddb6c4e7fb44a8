#!/bin/bash
# The long proofs, one line each: kill -9 at random moments, each fuzz target for MINUTES minutes (20), the suite under sanitizers.
# usage: tools/torture.sh [kill|fuzz|dev|tsan]...     (all of them; MINUTES=1 KILLS=20 tools/torture.sh kill fuzz  for a short look)
# Logs, the corpora that grew and what crashed a target are left in build/torture/. Status 1 if anything was found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
minutes=${MINUTES:-20} kills=${KILLS:-200} jobs=${JOBS:-$(nproc)} logs=$PWD/build/torture found=0
mkdir -p "$logs"

build() { # PRESET
    cmake --preset "$1" >"$logs/build-$1.log" 2>&1 && nice cmake --build "build/$1" -j"$jobs" >>"$logs/build-$1.log" 2>&1 && return 0
    echo "build $1: FAILED, see $logs/build-$1.log"
    found=1
    return 1
}

say() { # NAME STATUS WORDS
    [ "$2" -eq 0 ] || found=1
    echo "$1: $([ "$2" -eq 0 ] && echo ok || echo FAILED): $3"
}

run_kill() {
    build release || return
    PENCHANT=$PWD/build/release/penchant PENCHANT_KILLS=$kills nice bash tests/cli/kill.sh >"$logs/kill.log" 2>&1
    say kill $? "$(tail -n 1 "$logs/kill.log")"
}

run_suite() { # PRESET
    build "$1" || return
    nice ctest --test-dir "build/$1" -j"$jobs" --output-on-failure >"$logs/$1.log" 2>&1
    say "$1" $? "$(grep -h 'tests passed' "$logs/$1.log")"
}

fuzz_one() { # TARGET
    local target=$1 dictionary=() grown=$logs/corpus-$1 status
    [ -f "fuzz/$target.dict" ] && dictionary=(-dict="fuzz/$target.dict")
    mkdir -p "$grown"
    nice "build/fuzz/fuzz_$target" -max_total_time=$((minutes * 60)) -print_final_stats=1 -rss_limit_mb=2048 "${dictionary[@]}" \
        -artifact_prefix="$logs/$target-" "$grown" "fuzz/corpus/$target" >"$logs/fuzz-$target.log" 2>&1
    status=$?
    echo "$status $(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/fuzz-$target.log" | tail -n 1)" >"$logs/fuzz-$target.end"
}

run_fuzz() {
    build fuzz || return
    local source target status executions
    for source in fuzz/fuzz_*.c; do
        target=$(basename "$source" .c)
        target=${target#fuzz_}
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        fuzz_one "$target" &
    done
    wait
    for source in fuzz/fuzz_*.c; do
        target=$(basename "$source" .c)
        target=${target#fuzz_}
        read -r status executions <"$logs/fuzz-$target.end"
        say "fuzz $target" "$status" "${executions:-0} executions in $minutes minutes"
    done
}

[ $# -gt 0 ] || set -- kill fuzz dev tsan
for part; do
    case $part in
        kill) run_kill ;;
        fuzz) run_fuzz ;;
        dev | tsan) run_suite "$part" ;;
        *) echo "unknown part '$part': kill, fuzz, dev, tsan"; exit 2 ;;
    esac
done
exit $found
