#!/bin/bash
# The pages made from tables are those that the tables make now.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tools/generate_docs.sh "$PENCHANT" "$scratch"
for page in cli/verbs.md models/parameters.md reproduce.md; do
    diff -u "docs/$page" "$scratch/$page" || { echo "docs/$page is stale: run make docs" >&2; exit 1; }
done
echo "generated: ok"
