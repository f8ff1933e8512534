#!/usr/bin/env bash
# Installs a build (argument: its folder) in a scratch prefix and uses it as a stranger would:
# through pkg-config, shared and static, through CMake, from C and C++, gcc and clang.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/install" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
cmake --install "$build" --prefix "$prefix" >/dev/null
"$here/man.sh" "$prefix"
cd "$scratch"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
read -ra cflags < <(pkg-config --cflags weft)
read -ra libs < <(pkg-config --libs weft)
read -ra static < <(pkg-config --static --libs weft | sed 's/-lweft\b/-l:libweft.a/')
strict=(-Wall -Wextra -Wpedantic -Werror)

# All headers in one unit, for every compiler there is.
(cd "$prefix/include/weft" && find . -name '*.h' | sort | sed 's|^\./\(.*\)|#include "\1"|') >all.h
[ -s all.h ]
for cc in gcc clang; do
    if command -v $cc >/dev/null; then
        $cc -x c -std=c17 "${strict[@]}" "${cflags[@]}" -fsyntax-only all.h
        $cc -x c++ -std=c++17 "${strict[@]}" "${cflags[@]}" -fsyntax-only all.h
        $cc -std=c17 "${strict[@]}" "${cflags[@]}" "$here/user.c" -o user-$cc "${libs[@]}" -lm
        ./user-$cc
    fi
done
gcc -std=c17 "${cflags[@]}" "$here/user.c" -o user-static "${static[@]}"
./user-static

# The model in the README, as it stands there.
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$here/../../README.md" >readme.c
[ -s readme.c ]
gcc -std=c17 -O2 "${strict[@]}" "${cflags[@]}" readme.c -o readme "${libs[@]}" -lm
./readme | grep -q 'step 400: MAE 0\.0'

cmake -G Ninja -S "$here" -B cmake -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
ninja --quiet -C cmake
cmake/user

# Nothing but wf_ names reaches a user's program, from either library.
for names in "-D $prefix/lib/libweft.so" "-g $prefix/lib/libweft.a"; do
    # shellcheck disable=SC2086
    if nm --defined-only $names | awk 'NF == 3 { print $3 }' | grep -v '^wf_'; then
        echo "${names##*/} defines public names that do not begin with wf_" >&2
        exit 1
    fi
done
echo "install: headers, libweft.so, libweft.a, pkg-config and CMake package work"
