#!/bin/sh
# Man pages and completion from the program's own tables. usage: tools/generate_help.sh PROGRAM FOLDER
set -eu
program=$1 folder=$2
mkdir -p "$folder/man1"
"$program" --generate man >"$folder/man1/penchant.1"
for verb in $("$program" --generate verbs); do
    "$program" --generate "man-$verb" >"$folder/man1/penchant-$verb.1"
done
"$program" --generate bash >"$folder/penchant.bash"
"$program" --generate zsh >"$folder/_penchant"
"$program" --generate fish >"$folder/penchant.fish"
touch "$folder/stamp"
