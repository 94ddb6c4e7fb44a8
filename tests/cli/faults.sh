#!/bin/bash
# A system whose calls fail (tests/faulty.c), at every call of import, train with checkpoints, split and export in turn: status 1, words that
# name the file and the reason, the old file whole, nothing left aside; short and interrupted calls change nothing. A training that
# could not write goes on with --resume to the same bits.
set -uo pipefail
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")") # hundreds of files, each synced
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
train_words="-m ials -p epochs=3 -p factors=8 --checkpoint-seconds 0 -q"
"$PENCHANT" synth --events 4000 --n-users 150 --n-items 80 -o old.csv -q
"$PENCHANT" synth --events 5000 --n-users 200 --n-items 90 --seed 2 -o new.csv -q
"$PENCHANT" import old.csv -o old.pds -q
cp new.csv given.csv
"$PENCHANT" import given.csv -o new.pds -q
"$PENCHANT" import - --format csv -o piped.pds -q <new.csv
"$PENCHANT" train old.pds $train_words -o whole.pen
"$PENCHANT" train old.pds -m popular -o before.pen -q
lists_of() { "$PENCHANT" recommend "$1" --all -q; }
lists_of whole.pen >whole.lists || exit 1
"$PENCHANT" export whole.pen -o whole.vectors -q
"$PENCHANT" split old.pds -o whole.parts --format csv -q
bad=0 proved=0

fresh() { # everything as it was before
    rm -rf ./out* model.pen* parts
    cp old.pds out.pds
    cp before.pen model.pen
    cp old.csv out.vectors
    cp -r whole.parts parts
    for part in parts/*; do echo old >"$part"; done
    cp new.csv given.csv
    cp old.pds given.pds
    cp whole.pen given.pen
}
wrong() { echo "FAILED: $*"; cat err; bad=1; }

# What is tried: a command, the file it writes, what stands there before and after.
import() { "$@" import given.csv -o out.pds -q; }
import_stdin() { "$@" import - --format csv -o out.pds -q <given.csv; }
train() { "$@" train given.pds $train_words -o model.pen; }
export_vectors() { "$@" export given.pen -o out.vectors -q; }
split() { "$@" split given.pds -o parts --format csv -q; }

same_as_new() { # WHAT: the new file stands, whole
    case $1 in
        import) cmp -s out.pds new.pds ;;
        import_stdin) cmp -s out.pds piped.pds ;;
        train) lists_of model.pen 2>>err | cmp -s - whole.lists ;;
        export_vectors) cmp -s out.vectors whole.vectors ;;
        split) for part in parts/*; do cmp -s "$part" "whole.$part" || return 1; done ;;
    esac
}
each_old_or_new() { # WHAT: no file is half; many are written one after another
    case $1 in
        import*) cmp -s out.pds old.pds ;;
        train) cmp -s model.pen before.pen ;;
        export_vectors) cmp -s out.vectors old.csv ;;
        split) for part in parts/*; do [ "$(cat "$part")" = old ] || cmp -s "$part" "whole.$part" || return 1; done ;;
    esac
}
nothing_aside() { [ -z "$(find . -name '*.tmp-*')" ]; }

# fails WHAT CALL KIND REASON: at the first call, the second ... until there are no more
fails() {
    local what=$1 call=$2 kind=$3 reason=$4 n status
    for ((n = 1; n < 60; n++)); do
        fresh
        PENCHANT_FAULT="$call $kind $n" "$what" timeout 60 "$PENCHANT_FAULTY" >/dev/null 2>err
        status=$?
        grep -q '\[fault\]' err || break
        proved=$((proved + 1))
        [ $status -eq 1 ] || wrong "$what: $call $n $kind: status $status"
        grep -q "$reason" err || wrong "$what: $call $n $kind: no reason given"
        grep -qE "'[^']*(out\.pds|model\.pen|out\.vectors|parts/|given)|standard input" err || wrong "$what: $call $n $kind: no file named"
        nothing_aside || wrong "$what: $call $n $kind: left a file aside"
        if [ "$call" = fsync-folder ]; then # the rename is done, and a checkpoint's is no matter to the model
            each_old_or_new "$what" || same_as_new "$what" || wrong "$what: $call $n: half a file"
        else
            each_old_or_new "$what" || wrong "$what: $call $n $kind: the old file is gone"
        fi
        if [ "$what" = train ] && [ -f model.pen.ckpt ]; then
            "$PENCHANT" train old.pds $train_words -o model.pen --resume 2>err || wrong "resuming after $call $n $kind"
            same_as_new train || wrong "resumed to other bits after $call $n $kind"
        fi
    done
    [ $n -gt 1 ] || wrong "$what: $call was never called"
}

# bears WHAT CALL KIND: the work is done all the same
bears() {
    fresh
    PENCHANT_FAULT="$2 $3" "$1" timeout 120 "$PENCHANT_FAULTY" >/dev/null 2>err || wrong "$1: $2 $3: status $?"
    grep -q '\[fault\]' err || wrong "$1: $2 was never called"
    proved=$((proved + 1))
    same_as_new "$1" || wrong "$1: $2 $3: another result"
    nothing_aside || wrong "$1: $2 $3: left a file aside"
}

for what in import train export_vectors split; do
    for call in write fsync close; do fails $what $call EIO 'Input/output error'; done
    fails $what write ENOSPC 'No space left'
    fails $what write zero 'No space left'
    fails $what rename EACCES 'Permission denied'
    fails $what fsync-folder EIO 'Input/output error'
    fails $what mmap ENOMEM 'Cannot allocate memory'
    for call in write fsync close; do bears $what $call EINTR; done
    bears $what write short
done
for what in import train; do # what is patched into the header at the end
    fails $what pwrite EIO 'Input/output error'
    fails $what pwrite zero 'No space left'
    bears $what pwrite EINTR
    bears $what pwrite short
done
fails import_stdin read EIO 'Input/output error'
bears import_stdin read EINTR
bears import_stdin read short

# a file that another program shortens while it is mapped
for what in import train split export_vectors; do
    fresh
    PENCHANT_FAULT="mmap shrink" "$what" "$PENCHANT_FAULTY" >/dev/null 2>err
    [ $? -eq 1 ] || wrong "$what: a file that shrank: status $?"
    grep -q 'cut short' err || wrong "$what: a file that shrank: no words"
    each_old_or_new $what || wrong "$what: a file that shrank: the old file is gone"
    proved=$((proved + 1))
done
echo "faults: $proved calls failed as told"
[ $bad -eq 0 ] && [ $proved -gt 60 ]
