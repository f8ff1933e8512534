#!/usr/bin/env bash
# Has build.sh make a new model in a scratch copy, builds it against a build (argument: its folder)
# and runs its tests; names that will not do are refused and change nothing.
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -r "$root"/{build.sh,.clang-format,tensor,autograd,nn,models,data,dist} "$scratch"
mkdir -p "$scratch/tests/models"
cd "$scratch"

./build.sh new-model second_try >said
grep -q 'demo --model second-try' said
grep -qxF 'M(second_try)' models/models.def

refused()
{
    local before complaint
    before=$(find . -type f -exec cksum {} + | sort)
    if complaint=$(./build.sh new-model "${@:2}" 2>&1); then
        echo "new-model ${*:2}: accepted" >&2
        exit 1
    fi
    if ! grep -qF -e "$1" <<<"$complaint"; then
        echo "new-model ${*:2}: said '$complaint', not '$1'" >&2
        exit 1
    fi
    if [ "$before" != "$(find . -type f -exec cksum {} + | sort)" ]; then
        echo "new-model ${*:2}: refused, but files changed" >&2
        exit 1
    fi
}
refused "models/second_try.h is there already" second_try
refused "models/dcrnn.h is there already" dcrnn
refused "wf_gru" gru
refused '"fc-lstm"' fc_lstm
for name in "" models.def 2nd Upper a-b _a a__b a_ '../a' 'a b' averyveryverylongnameindeed; do
    refused "want one name" "$name"
done
refused "want one name"
refused "want one name" one two

export PKG_CONFIG_PATH=$build
read -ra libs < <(pkg-config --static --libs weft_dist | sed -E 's/-lweft(_dist)?\b//g')
read -ra criterion < <(pkg-config --cflags --libs criterion)
read -ra modules < <(pkg-config --cflags hdf5-serial ompi-c)
gcc -std=c17 -O1 -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
    -Werror -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE "-DWEFT_SOURCE_DIR=\"$root\"" \
    -I. "-I$root" "${modules[@]}" models/second_try.c models/model.c \
    tests/models/test_second_try.c "$root"/tests/models/test_models.c \
    "$root"/tests/kit/{byhand,dense,tiny,tiny_models,scratch}.c "$build/libweft_dist.a" "$build/libweft.a" -o try "${criterion[@]}" "${libs[@]}"
./try -j2 >log 2>&1 || { cat log; exit 1; }
grep -q 'Tested: [1-9]' log
echo "new-model: the new model builds, trains and passes its tests; bad names are refused"
