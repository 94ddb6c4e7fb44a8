#!/bin/bash
# The long proofs, one line each: kill -9 at random moments, each fuzz target for MINUTES minutes (20), the suite under sanitizers.
# usage: tools/torture.sh [kill|fuzz|fuzz:TARGET[=MINUTES]|dev|tsan]...
#   all of them where none is named; MINUTES=1 KILLS=20 tools/torture.sh kill fuzz  for a short look, fuzz:where=5 fuzz:split  for some targets
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
    nice tools/sanitize.sh all "$1" "$jobs" >"$logs/$1.log" 2>&1
    say "$1" $? "$(grep -h 'tests passed' "$logs/$1.log")"
}

fuzz_one() { # TARGET MINUTES
    local target=$1 dictionary=() grown=$logs/corpus-$1 status
    [ -f "fuzz/$target.dict" ] && dictionary=(-dict="fuzz/$target.dict")
    mkdir -p "$grown"
    nice "build/fuzz/fuzz_$target" -max_total_time=$(($2 * 60)) -print_final_stats=1 -rss_limit_mb=2048 "${dictionary[@]}" \
        -artifact_prefix="$logs/$target-" "$grown" "fuzz/corpus/$target" >"$logs/fuzz-$target.log" 2>&1
    status=$?
    echo "$status $(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/fuzz-$target.log" | tail -n 1)" >"$logs/fuzz-$target.end"
}

run_fuzz() { # TARGET=MINUTES...
    build fuzz || return
    local target status executions
    for target; do
        [ -f "fuzz/fuzz_${target%=*}.c" ] || { echo "no fuzz target '${target%=*}'"; exit 2; }
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        fuzz_one "${target%=*}" "${target#*=}" &
    done
    wait
    for target; do
        read -r status executions <"$logs/fuzz-${target%=*}.end"
        say "fuzz ${target%=*}" "$status" "${executions:-0} executions in ${target#*=} minutes"
    done
}

fuzz_targets() {
    local source
    for source in fuzz/fuzz_*.c; do
        source=$(basename "$source" .c)
        echo "${source#fuzz_}=$minutes"
    done
}

[ $# -gt 0 ] || set -- kill fuzz dev tsan
targets=()
for part; do
    case $part in
        fuzz) mapfile -t targets < <(fuzz_targets) ;;
        fuzz:*=*) targets+=("${part#fuzz:}") ;;
        fuzz:*) targets+=("${part#fuzz:}=$minutes") ;;
        kill | dev | tsan) ;;
        *) echo "unknown part '$part': kill, fuzz, fuzz:TARGET, dev, tsan"; exit 2 ;;
    esac
done
for part; do
    case $part in
        kill) run_kill ;;
        dev | tsan) run_suite "$part" ;;
    esac
done
[ ${#targets[@]} -eq 0 ] || run_fuzz "${targets[@]}"
exit $found
