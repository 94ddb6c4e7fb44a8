#!/bin/bash
# FOLDER's commands, their output and their pictures as one self-contained page. usage: tools/demo_report.sh FOLDER > report.html
set -euo pipefail
folder=$1
escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }
cat <<'HTML'
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Penchant on MovieLens 100K</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #222; background: #fff }
pre { background: #f5f5f3; padding: .8rem 1rem; overflow-x: auto; font-size: 13px; line-height: 1.35; border-radius: 4px }
pre.command { background: #22303c; color: #eee; margin-bottom: 0; border-radius: 4px 4px 0 0 }
pre.command:not(:has(+ pre)) { border-radius: 4px }
pre.command + pre { margin-top: 0; border-radius: 0 0 4px 4px }
svg { max-width: 100%; height: auto }
h2 { margin-top: 2.2rem } details { margin: .3rem 0 } summary { cursor: pointer; color: #555 }
</style></head><body>
<h1>Penchant on MovieLens 100K</h1>
<p>Every table on this page was printed by the command above it; the commands are those of the README. MovieLens 100K: 943 users,
1,682 films, 100,000 ratings (GroupLens). Each number says what it was measured on in the words of its command.</p>
HTML
if [ -f "$folder/compare.svg" ]; then
    echo '<h2>The models compared, with 95 % intervals</h2>'
    cat "$folder/compare.svg"
fi
if [ -f "$folder/popularity.svg" ]; then
    echo '<h2>How popular the films are</h2>'
    cat "$folder/popularity.svg"
fi
echo '<h2>Step by step</h2>'
n=0
while IFS= read -r command; do
    n=$((n + 1))
    printf '<pre class="command">$ %s</pre>' "$(printf '%s' "$command" | escape)"
    [ ! -s "$folder/out.$n" ] || { echo '<pre>'; escape <"$folder/out.$n"; echo '</pre>'; }
    if [ -s "$folder/err.$n" ]; then
        printf '<details><summary>what it said on the way</summary><pre>'
        tr '\r' '\n' <"$folder/err.$n" | escape
        echo '</pre></details>'
    fi
done <"$folder/commands"
echo '</body></html>'
