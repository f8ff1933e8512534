#!/usr/bin/env bash
# Does what models/TUTORIAL.md says (arguments: build folder, prefix of its install): compiles every
# C block, which its first line names, against the installed library with every compiler there is,
# and runs every shell block. Blocks that begin with "# in the tree" run in a scratch copy of the
# sources, whose build.sh links with what is built already and whose leaderboard takes seconds.
set -euo pipefail
build=$(cd "$1" && pwd)
prefix=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/own" "$scratch/tree" "$scratch/blocks"
cd "$scratch"

# c blocks to own/NAME, sh blocks to blocks/001.own or .tree
awk '
/^```(c|sh)$/ { kind = substr($0, 4); first = 1; next }
/^```$/ { kind = ""; if (file) close(file); next }
kind && first {
    first = 0
    if (kind == "c") {
        if ($1 != "/*" || $2 !~ /\.[ch]$/) { print "line " NR ": want /* NAME.c */" >"/dev/stderr"; exit 1 }
        file = "own/" $2
        dir = file
        sub(/[^\/]*$/, "", dir)
        system("mkdir -p " dir)
    } else {
        file = sprintf("blocks/%03d.%s", ++n, $0 == "# in the tree" ? "tree" : "own")
    }
}
kind { print >file }' "$root/models/TUTORIAL.md"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib PATH=$prefix/bin:$PATH
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
for cc in gcc clang; do
    if command -v $cc >/dev/null; then
        # shellcheck disable=SC2046
        (cd own && find . -name '*.c' -exec $cc -std=c17 -Wall -Wextra -Wpedantic -Werror -I. \
            $(pkg-config --cflags weft criterion) -fsyntax-only {} +)
    fi
done

cp -r "$root"/{build.sh,README.md,.clang-format,tensor,autograd,nn,models,data,dist,apps} tree
mkdir tree/tests
cp -r "$root"/tests/{kit,models,bench} tree/tests
mv tree/build.sh tree/real.sh
cat >tree/build.sh <<TEXT
#!/usr/bin/env bash
set -euo pipefail
cd "\$(dirname "\$0")"
read -ra libs < <(PKG_CONFIG_PATH=$build pkg-config --static --libs weft_dist | sed -E 's/-lweft(_dist)?\b//g')
read -ra modules < <(pkg-config --cflags hdf5-serial ompi-c)
flags=(-std=c17 -O1 -Wall -Wextra -Wpedantic -Wshadow -Werror -D_POSIX_C_SOURCE=200809L
       -D_DEFAULT_SOURCE -I. "\${modules[@]}")
case \$1 in
new-model) exec ./real.sh "\$@" ;;
build)
    mkdir -p build/release/bin
    cp $build/bin/dataset build/release/bin
    gcc "\${flags[@]}" apps/pems_bay.c models/{model,ripple}.c $build/libweft_apps.a \
        $build/libweft_dist.a $build/libweft.a -o build/release/bin/pems_bay "\${libs[@]}" -lcurl -lcrypto
    ;;
double)
    gcc "\${flags[@]}" -DWF_DOUBLE "-DWEFT_SOURCE_DIR=\"$root\"" tests/models/test_{ripple,models}.c \
        tests/kit/{byhand,dense,tiny,tiny_models,scratch}.c models/{model,ripple}.c \
        $build/libweft_dist_double.a $build/libweft_double.a -o tests_double \$(pkg-config --cflags --libs criterion) "\${libs[@]}"
    ./tests_double -j2 "\${@:2}" >log 2>&1 || { cat log; exit 1; }
    grep -q 'Tested: [1-9]' log
    ;;
leaderboard)
    tests/bench/leaderboard.sh build/release/bin/pems_bay results/leaderboard "\${@:2}" --minutes 0.03
    ;;
*) exit 2 ;;
esac
TEXT
chmod +x tree/build.sh

for block in blocks/*; do
    where=${block##*.}
    if ! (cd "$where" && bash -euo pipefail "../$block") >said 2>&1; then
        echo "TUTORIAL.md: this fails in ${where/own/a folder of your own}:" >&2
        cat "$block" said >&2
        exit 1
    fi
    cat said >>"all.$where"
done

# The program, which a block has built and run, has learned.
awk '/^epoch [0-9]+: loss/ { if (!n++) first = $4 + 0; last = $4 + 0 }
    END { if (n < 2 || !(last < 0.9 * first)) { print "TUTORIAL.md: train: loss " first ", then " last >"/dev/stderr"; exit 1 } }' all.own
grep -q 'Tested: [1-9]' all.own
grep -q '^| ripple ' tree/README.md
echo "tutorial: its C compiles against the installed library and learns, its commands work"
