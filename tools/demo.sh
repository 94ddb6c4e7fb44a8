#!/bin/bash
# Runs the very commands that README.md shows between its demo marks, on MovieLens 100K, and makes FOLDER/report.html of what they
# print. usage: tools/demo.sh PROGRAM FOLDER
set -euo pipefail
program=$1 folder=$2
mkdir -p "$folder"
tools/fetch_ml100k.sh "$folder"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
ln -s "$(realpath "$program")" "$bin/penchant"
PATH=$bin:$PATH
started=$(date +%s.%N)

# each command of the README between the marks, and what it printed
n=0
: >"$folder/commands"
while IFS= read -r command; do
    n=$((n + 1))
    printf '\n$ %s\n' "$command"
    printf '%s\n' "$command" >>"$folder/commands"
    bash -c "$command" > >(tee "$folder/out.$n") 2> >(tee "$folder/err.$n" >&2) || { echo "demo: the command failed" >&2; exit 1; }
    wait
done < <(sed -n '/<!-- demo -->/,/<!-- \/demo -->/p' README.md | sed -n '/^```sh/,/^```$/p' | grep -v '^```' | grep -v '^#' | grep -v '^$')
[ "$n" -gt 0 ] || { echo "demo: README.md shows no command between its demo marks" >&2; exit 1; }
tools/demo_report.sh "$folder" >"$folder/report.html.tmp"
mv "$folder/report.html.tmp" "$folder/report.html"
printf '\nwrote %s/report.html; %.1f s\n' "$folder" "$(echo "$(date +%s.%N) $started" | awk '{print $1 - $2}')"
