#!/bin/sh
# Man pages and completion from the program's own tables. usage: tools/generate_help.sh FOLDER PROGRAM...
# (PROGRAM may be several words: an emulator and what it runs)
set -eu
folder=$1
shift
mkdir -p "$folder/man1"
"$@" --generate man >"$folder/man1/penchant.1"
for verb in $("$@" --generate verbs); do
    "$@" --generate "man-$verb" >"$folder/man1/penchant-$verb.1"
done
"$@" --generate bash >"$folder/penchant.bash"
"$@" --generate zsh >"$folder/_penchant"
"$@" --generate fish >"$folder/penchant.fish"
touch "$folder/stamp"
