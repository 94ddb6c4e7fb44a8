#!/bin/bash
# README.zh-CN.md says what README.md says: the same commands, the same numbers in its tables, as many headings, the same links.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
commands() { sed -n '/^```sh/,/^```$/p' "$1" | sed 's/ *#.*//'; }
numbers() { grep '^|' "$1" | grep -oE '[0-9]*\.[0-9]+' || true; }
headings() { grep -oE '^#+ ' "$1"; }
links() { grep -oE '\]\([^)]*\)' "$1" | grep -v 'README' | sort; }
for part in commands numbers headings links; do
    diff <($part README.md) <($part README.zh-CN.md) || { echo "the $part of README.md and README.zh-CN.md differ"; bad=1; }
done
exit $bad
