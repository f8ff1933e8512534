#!/usr/bin/env bash
# The rules of the house on the sources. Each finding is a line "file:line: what"; warnings do not
# fail. Needs gcc and g++; checks formatting and scripts where clang-format and shellcheck are
# installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folders=(tensor autograd nn models data dist apps tests)
mapfile -t sources < <(find "${folders[@]}" -name '*.[ch]' | sort)
mapfile -t headers < <(find "${folders[@]}" -name '*.h' ! -path 'tensor/cpu/*' ! -path 'tests/*' \
    ! -name '*_private.h' | sort)
mapfile -t texts < <(find "${folders[@]}" .ci .cmake build.sh CMakeLists.txt README.md -type f \
    \( -name '*.[ch]' -o -name '*.def' -o -name '*.md' -o -name '*.sh' -o -name '*.txt' \
    -o -name '*.in' -o -name run \) ! -path tests/scripts/lint.sh | sort)
failed=0

# report TEXT: the findings of one check, nothing when there are none.
report()
{
    if [ -n "$1" ]; then
        printf '%s\n' "$1"
        failed=1
    fi
}

# Includes point down only, and each foreign library has its one place.
includes()
{
    awk '
    BEGIN {
        level["tensor"] = 0; level["autograd"] = level["data"] = 1; level["nn"] = 2
        level["models"] = 3; level["dist"] = 4; level["apps"] = level["tests"] = 5
    }
    function bad(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }
    /^[ \t]*#[ \t]*include/ {
        split(FILENAME, here, "/")
        file = $0
        sub(/^[^"<]*["<]/, "", file); sub(/[">].*/, "", file)
        if ($0 ~ /"/) {
            split(file, there, "/")
            if (!(there[1] in level)) bad("include \"" file "\" is not written from the root")
            else if (here[1] != there[1] && level[there[1]] >= level[here[1]])
                bad(here[1] "/ must not include " there[1] "/")
            if (file ~ /^tensor\/cpu\// && FILENAME !~ /^(tensor\/cpu|tests)\//)
                bad("tensor/cpu/ is private to the backend")
        }
        test = here[1] == "tests"
        if (file ~ /^mpi/ && here[1] != "dist" && !test) bad("mpi.h only under dist/")
        if (file ~ /^(hdf5|H5)/ && here[1] != "data" && !test) bad("hdf5.h only under data/")
        if (file == "cblas.h" && FILENAME != "tensor/cpu/product.c" && FILENAME !~ /^tests\/bench\//)
            bad("cblas.h only in tensor/cpu/product.c")
        if (file ~ /^(curl|openssl)\// && FILENAME != "apps/dataset/fetch.c") bad("libcurl and OpenSSL only in apps/dataset/fetch.c")
        if (file ~ /^yajl\// && FILENAME != "data/formats/json_tree.c") bad("yajl only in data/formats/json_tree.c")
        if (file ~ /^(cuda|cublas|cusparse|nccl)/ && FILENAME !~ /^tensor\/cuda\//)
            bad("CUDA headers only in tensor/cuda/")
    }' "${sources[@]}"
}

# An op without a row has no gradient check. Leaves have no gradient.
ops()
{
    sed -n 's/^struct wf_tensor \*\(wf_[a-z0-9_]*\)(.*/\1/p' autograd/ops.h |
        grep -vxE 'wf_(zeros|full|input)' | while read -r op; do
        grep -qw "$op" tests/kit/cases*.c || echo "autograd/ops.h: $op has no row in tests/kit/cases.c"
    done
}

# Linux braces: a function's own are the only ones that open in column 0.
sizes()
{
    awk -v what="$1" '
    FNR == 1 && what == "files" && NR > 1 { if (last >= 600) print name ": " last " lines, want < 600" }
    { name = FILENAME; last = FNR }
    /^\{/ { open = FNR }
    /^\}/ && open {
        if (what == "functions" && FNR - open - 1 > 60 && FILENAME !~ /^tensor\/cpu\//)
            printf "%s:%d: warning: function of %d lines, want <= 60\n", FILENAME, open, FNR - open - 1
        open = 0
    }
    END { if (what == "files" && last >= 600) print name ": " last " lines, want < 600" }
    ' "${sources[@]}"
}

words()
{
    grep -nHwE 'TODO|FIXME|XXX' "${texts[@]}" || true
    # vec.h alone may: its vector is a type of the compiler or a struct.
    grep -nHE '^[ \t]*typedef (struct|union|enum)[^(]*$' "${sources[@]}" | grep -v '^tensor/cpu/vec_private.h' || true
    grep -nHE '(^|[^A-Za-z0-9_.])/(work|home|root)/' "${texts[@]}" || true
    grep -nHE '\.timeout = [0-9]' "${sources[@]}" || true # tests/kit/scratch.h says why
}

readmes()
{
    local folder
    for folder in "${folders[@]}"; do
        [ -f "$folder/README.md" ] || echo "$folder: no README.md"
    done
}

# Files that their folder's README does not list, by name or as stem.[hc].
unlisted()
{
    local folder file name missing
    for folder in "${folders[@]}"; do
        [ -f "$folder/README.md" ] || continue
        missing=
        for file in "$folder"/*.[ch] "$folder"/*.def "$folder"/cpu/*.[ch]; do
            name=${file##*/}
            if [ -f "$file" ] && ! grep -qF -e "$name" -e "${name%.*}.[hc]" -e "${name%.*}.h, .c" "$folder/README.md"
            then missing+=" $name"; fi
        done
        [ -z "$missing" ] || echo "$folder/README.md: warning: does not list$missing"
    done
}

# Every header parses alone: each is its own translation unit.
parse()
{
    printf '%s\n' "${headers[@]}" | xargs -P 2 -I{} bash -c '
        set -- "{}" $(pkg-config --cflags hdf5-serial ompi-c 2>/dev/null)
        flags=(-I. -fsyntax-only -Wall -Wextra -Wpedantic -Werror -D_POSIX_C_SOURCE=200809L "${@:2}")
        echo "#include \"$1\"" | gcc -x c -std=c17 "${flags[@]}" - 2>&1 || echo "$1: not C17 alone"
        echo "#include \"$1\"" | g++ -x c++ -std=c++17 "${flags[@]}" - 2>&1 || echo "$1: not C++ alone"'
}

scripts()
{
    local script
    for script in build.sh .ci/run apps/submit/*.sh tests/*/*.sh; do
        bash -n "$script" 2>&1 || true
    done
    if command -v shellcheck >/dev/null; then
        shellcheck -f gcc -S warning apps/submit/*.sh tests/*/*.sh || true
    fi
}

formatting()
{
    { printf '%s\n' "${sources[@]}" && find tensor tests -name '*.cu' -o -name '*.cuh' -o -name '*.cpp'; } |
        xargs -P 2 -n 24 clang-format --dry-run -Werror 2>&1 | grep 'error:' || true
}

report "$(includes)"
report "$(ops)"
report "$(sizes files)"
report "$(words)"
report "$(readmes)"
report "$(parse)"
report "$(scripts)"
if command -v clang-format >/dev/null; then report "$(formatting)"; fi
sizes functions
unlisted
if [ $failed = 0 ]; then echo "lint: ${#sources[@]} sources are clean"; fi
exit $failed
