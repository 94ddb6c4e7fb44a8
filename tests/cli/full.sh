#!/bin/bash
# A full disk (a limit on the size of files): an error that says so, status 1, the old file untouched, nothing left aside.
set -uo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$PENCHANT" synth --events 50000 -o log.csv -q
"$PENCHANT" import log.csv -o log.pds -q
"$PENCHANT" train log.pds -m popular -o model.pen -q
cp log.pds old.pds
cp model.pen old.pen
bad=0
try() { # WHAT COMMAND...
    local what=$1
    shift
    (ulimit -f 16; trap '' XFSZ; "$@" >/dev/null 2>err)
    local got=$?
    if [ $got -ne 1 ] || ! grep -qiE 'too large|no space' err; then
        echo "FAILED: $what: status $got"; cat err; bad=1
    fi
    if ls ./*.tmp-* >/dev/null 2>&1; then echo "FAILED: $what left a file aside"; bad=1; rm -f ./*.tmp-*; fi
}
try import "$PENCHANT" import log.csv -o log.pds -q
try train "$PENCHANT" train old.pds -m popular -o model.pen -q
try synth "$PENCHANT" synth --events 50000 -o log2.csv -q
try split "$PENCHANT" split old.pds -o parts -q
cmp -s log.pds old.pds || { echo "FAILED: a failed import changed the file"; bad=1; }
cmp -s model.pen old.pen || { echo "FAILED: a failed training changed the model"; bad=1; }
if [ -w /dev/full ]; then
    "$PENCHANT" models >/dev/full 2>err
    [ $? -eq 1 ] && grep -q "standard output" err || { echo "FAILED: a full standard output went unnoticed"; bad=1; }
fi
[ $bad -eq 0 ] && echo "full: ok"
exit $bad
