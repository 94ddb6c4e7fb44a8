#!/bin/sh
# Puts MovieLens 100K into FOLDER as ml-100k.inter and ml-100k.item (RecBole's atomic form), checked by hash: from $PENCHANT_DATA, a
# folder of data sets; else from GroupLens; else out of the recbole wheel on PyPI, which carries it. The data may not be
# redistributed: it never enters the repository.
# usage: tools/fetch_ml100k.sh FOLDER
set -eu
folder=${1:?usage: tools/fetch_ml100k.sh FOLDER}
inter_hash=4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff
film_hashes="51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532 4fcc5f7493f4354bea8a6976f4d22b780013f36c695bd2e996ba0ae245c25b6f"
mkdir -p "$folder"

hash_of() { sha256sum <"$1" | cut -d' ' -f1; }

sound() { # the log and the films (RecBole's, or made from GroupLens's) have the right bytes
    [ -f "$folder/ml-100k.inter" ] && [ "$(hash_of "$folder/ml-100k.inter")" = $inter_hash ] && [ -f "$folder/ml-100k.item" ] || return 1
    case " $film_hashes " in *" $(hash_of "$folder/ml-100k.item") "*) ;; *) return 1 ;; esac
}

log_of() { # u.data as an atomic file
    printf 'user_id:token\titem_id:token\trating:float\ttimestamp:float\n'
    cat "$1"
}

films_of() { # u.item and u.genre as an atomic file
    iconv -f latin1 -t utf-8 "$2" | awk -F'|' -v OFS='\t' -v genres="$1" '
        BEGIN { while ((getline line < genres) > 0) if (split(line, part, "|") == 2) name[part[2]] = part[1]
                print "item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq" }
        NF > 20 { title = $2; year = ""
                  if (match(title, / \([0-9][0-9][0-9][0-9]\)$/)) { year = substr(title, RSTART + 2, 4); title = substr(title, 1, RSTART - 1) }
                  list = ""
                  for (i = 0; i < 19; i++) if ($(6 + i) == 1) list = list (list == "" ? "" : " ") name[i]
                  print $1, title, year, list }'
}

from_data() {
    [ -n "${PENCHANT_DATA:-}" ] && [ -f "$PENCHANT_DATA/ml-100k/u.data" ] || return 1
    log_of "$PENCHANT_DATA/ml-100k/u.data" >"$folder/ml-100k.inter"
    if [ -f "$PENCHANT_DATA/ml-100k/ml-100k.item" ]; then
        cp -f "$PENCHANT_DATA/ml-100k/ml-100k.item" "$folder/ml-100k.item"
        chmod u+w "$folder/ml-100k.item"
    else
        films_of "$PENCHANT_DATA/ml-100k/u.genre" "$PENCHANT_DATA/ml-100k/u.item" >"$folder/ml-100k.item"
    fi
}

download() { # ADDRESS FILE
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --max-time 60 -o "$2" "$1" 2>/dev/null
    elif command -v wget >/dev/null 2>&1; then
        wget -q -T 60 -O "$2" "$1" 2>/dev/null
    else
        python3 -c 'import sys, urllib.request as r; open(sys.argv[2], "wb").write(r.urlopen(sys.argv[1], timeout=60).read())' "$1" "$2" 2>/dev/null
    fi
}

unpack() { # ZIP FOLDER
    if command -v unzip >/dev/null 2>&1; then
        unzip -qo "$1" -d "$2"
    else
        python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])' "$1" "$2"
    fi
}

from_grouplens() {
    download https://files.grouplens.org/datasets/movielens/ml-100k.zip "$scratch/ml-100k.zip" && unpack "$scratch/ml-100k.zip" "$scratch" || return 1
    log_of "$scratch/ml-100k/u.data" >"$folder/ml-100k.inter"
    films_of "$scratch/ml-100k/u.genre" "$scratch/ml-100k/u.item" >"$folder/ml-100k.item"
}

from_pypi() {
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null && ! python3 -m pip --version >/dev/null 2>&1; then
        [ "$(id -u)" = 0 ] && sudo="" || sudo=sudo
        $sudo apt-get install -y --no-install-recommends python3 python3-venv >/dev/null 2>&1 || return 1
    fi
    python3 -m pip --version >/dev/null 2>&1 && pip="python3 -m pip" || { python3 -m venv "$scratch/venv" && pip="$scratch/venv/bin/pip"; }
    $pip download -q --no-deps --no-binary :none: -d "$scratch" recbole==1.2.1 >/dev/null 2>&1 || return 1
    unpack "$scratch"/recbole-1.2.1-*.whl "$scratch/wheel" || return 1
    cp "$scratch/wheel/recbole/dataset_example/ml-100k/ml-100k.inter" "$scratch/wheel/recbole/dataset_example/ml-100k/ml-100k.item" "$folder/"
}

sound && exit 0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for source in from_data from_grouplens from_pypi; do
    if $source && sound; then
        echo "MovieLens 100K is in $folder ($source)"
        exit 0
    fi
done
echo "MovieLens 100K could not be had. Put ml-100k/u.data, u.item and u.genre of GroupLens's ml-100k.zip into a folder and set PENCHANT_DATA to it." >&2
exit 1
