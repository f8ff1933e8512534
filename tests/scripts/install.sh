#!/usr/bin/env bash
# Installs a build (argument: its folder) in a scratch prefix and uses it as a stranger would:
# through pkg-config and CMake, shared and static, from C and C++, gcc and clang; with its manual
# pages and its tutorial.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../install" && pwd)
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
read -ra trains < <(pkg-config --libs weft_dist)
strict=(-Wall -Wextra -Wpedantic -Werror)

# All headers in one unit, for every compiler there is.
(cd "$prefix/include/weft" && find . -name '*.h' | sort | sed 's|^\./\(.*\)|#include "\1"|') >all.h
[ -s all.h ]
compilers=()
for pair in "gcc g++" "clang clang++"; do
    read -r cc cxx <<<"$pair"
    if command -v "$cc" >/dev/null && command -v "$cxx" >/dev/null; then compilers+=("$pair"); fi
done
for pair in "${compilers[@]}"; do
    read -r cc cxx <<<"$pair"
    $cc -x c -std=c17 "${strict[@]}" "${cflags[@]}" -fsyntax-only all.h
    $cxx -x c++ -std=c++17 "${strict[@]}" "${cflags[@]}" -fsyntax-only all.h
    kinds=(shared)
    # The static library wants the compiler's OpenMP, which clang may come without.
    if echo 'int main(void) { return 0; }' | $cc -x c -fopenmp -o openmp - 2>said; then kinds+=(static); else
        echo "install: $cc has no OpenMP: $(sed -n '$p' said); libweft.a is not tried with it"
    fi
    for linked in "${kinds[@]}"; do
        if [ $linked = shared ]; then with=("${libs[@]}"); else with=("${static[@]}"); fi
        for program in user stgnn; do
            $cc -std=c17 "${strict[@]}" "${cflags[@]}" "$here/$program.c" -o "$program-$cc-$linked" "${with[@]}" -lm
            "./$program-$cc-$linked"
        done
        $cxx -std=c++17 "${strict[@]}" "${cflags[@]}" "$here/stgnn.cc" -o "stgnn-$cxx-$linked" "${with[@]}" -lm
        "./stgnn-$cxx-$linked"
    done
    $cc -std=c17 "${strict[@]}" "${cflags[@]}" "$here/alone.c" -o "alone-$cc" "${trains[@]}"
    "./alone-$cc"
done

# The examples as a user builds them. What the README shows of one stands in it letter by letter.
examples=$(cd "$here/../../apps/examples" && pwd)
for program in "$examples"/*.c; do
    name=$(basename -s .c "$program")
    gcc -std=c17 -O2 "${strict[@]}" "${cflags[@]}" "$program" -o "example-$name" "${libs[@]}" -lm
    "./example-$name" >"example-$name.log"
done
grep -q 'step 400: MAE 0\.00' example-ring.log
shown=$(awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$examples/../../README.md")
if [ -z "$shown" ] || [[ $(<"$examples/ring.c") != *"$shown"* ]]; then
    echo "install: the C code of README.md is not in apps/examples/ring.c" >&2
    exit 1
fi

# libweft needs no MPI, libcurl or libcrypto. HDF5 may bring some of them itself, as Debian 12's does.
foreign='lib(mpi|curl|crypto)\.'
hdf5=$(ldd "$prefix/lib/libweft.so" | awk '/libhdf5/ { print $3 }')
for file in "$prefix/lib/libweft.so" example-ring; do
    if readelf -d "$file" | grep NEEDED | grep -E "$foreign"; then echo "install: $file needs these" >&2; exit 1; fi
    loaded=$(ldd "$file" | grep -oE "${foreign}[^ ]*" | sort || true)
    brought=$(ldd "$hdf5" | grep -oE "${foreign}[^ ]*" | sort || true)
    if [ -n "$(comm -23 <(echo "$loaded") <(echo "$brought"))" ]; then
        echo "install: $file loads $loaded, HDF5 brings $brought" >&2
        exit 1
    fi
done
gcc -std=c17 "${cflags[@]}" "$examples/ring.c" -o example-static -Wl,--as-needed "${static[@]}" -lm
if readelf -d example-static | grep NEEDED | grep -E "$foreign"; then
    echo "install: a model with libweft.a needs these" >&2
    exit 1
fi
./example-static >/dev/null

# The same as a project of CMake, with Criterion tests of its own.
fixture=$(cd "$here/../fixtures" && pwd)/torch_linear.h5
for pair in "${compilers[@]}"; do
    read -r cc cxx <<<"$pair"
    for kind in OFF ON; do
        if [ $kind = ON ] && [ ! -e "stgnn-$cc-static" ]; then continue; fi
        dir=cmake-$cc-$kind
        CC=$cc CXX=$cxx cmake -G Ninja -S "$here" -B "$dir" -DCMAKE_PREFIX_PATH="$prefix" -DSTATIC=$kind \
            -DFIXTURE="$fixture" >/dev/null
        ninja --quiet -C "$dir"
        (cd "$dir" && ctest --output-on-failure >log 2>&1) || { cat "$dir/log"; exit 1; }
        grep -q '100% tests passed.* out of 5' "$dir/log"
    done
done

# Nothing but wf_ names reaches a user's program, from any library.
for names in "-D $prefix/lib/libweft.so" "-g $prefix/lib/libweft.a" "-D $prefix/lib/libweft_dist.so" "-g $prefix/lib/libweft_dist.a"; do
    # shellcheck disable=SC2086
    if nm --defined-only $names | awk 'NF == 3 { print $3 }' | grep -v '^wf_'; then
        echo "${names##*/} defines public names that do not begin with wf_" >&2
        exit 1
    fi
done
"$here/tutorial.sh" "$build" "$prefix"
echo "install: headers, libweft and libweft_dist (.so and .a), pkg-config, CMake package, manual pages and tutorial work"
