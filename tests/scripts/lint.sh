#!/usr/bin/env bash
# The rules of the house on the sources. Each finding is a line "file:line: what"; warnings do not
# fail. Needs gcc and g++; checks formatting and scripts where clang-format and shellcheck are
# installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folders=(tensor autograd nn models data dist apps tests)
mapfile -t sources < <(find "${folders[@]}" -name '*.[ch]' | sort)
mapfile -t cuda < <(find tensor -name '*.cu' -o -name '*.cuh' | sort)
mapfile -t headers < <(find "${folders[@]}" -name '*.h' ! -path 'tests/*' ! -name '*_private.h' | sort)
mapfile -t texts < <(find "${folders[@]}" .ci .cmake .github build.sh ./*.md CITATION.cff CMakeLists.txt -type f \
    \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cpp' -o -name '*.def' -o -name '*.md' -o -name '*.sh' \
    -o -name '*.txt' -o -name '*.in' -o -name '*.yml' -o -name '*.cff' -o -name run \) ! -path tests/scripts/lint.sh | sort)
failed=0

# report TEXT: the findings of one check, nothing when there are none.
report()
{
    if [ -n "$1" ]; then
        printf '%s\n' "$1"
        failed=1
    fi
}

# Includes point down only, from a room to those of lower level; what ends in _private.h is for its own
# room and the rooms inside it; each foreign library has its one place.
includes()
{
    awk '
    BEGIN {
        split("tensor 0 data/file.h 1 data/config.h 1 data/formats 2 data/simulate 3 data 4 autograd 4 " \
              "nn 5 models 6 dist 7 apps/kit 8 apps/pictures 9 apps/dataset 9 apps/experiment 10 " \
              "apps/scaling 10 apps/forecast 11 apps/reproduce 11 apps 12 tests 13", word, " ")
        for (i = 1; i in word; i += 2) level[word[i]] = word[i + 1]
        level["tests/install"] = level["apps/examples"] = 13 # programs of users
    }
    function bad(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }
    # The longest name of a room that the file lies in.
    function room(file) {
        while (!(file in level) && file ~ /\//) sub(/\/[^\/]*$/, "", file)
        return file
    }
    /^[ \t]*#[ \t]*include/ {
        here = room(FILENAME)
        file = $0
        sub(/^[^"<]*["<]/, "", file); sub(/[">].*/, "", file)
        test = here ~ /^tests/
        if ($0 ~ /"/) {
            there = room(file)
            folder = file
            sub(/\/[^\/]*$/, "/", folder)
            if (!(there in level)) bad("include \"" file "\" is not written from the root")
            else if (here != there && level[there] >= level[here]) bad(here "/ must not include " file)
            if (file ~ /_private\.h$/ && index(FILENAME, folder) != 1 && !test) bad(file " is private to " folder)
        }
        if (file ~ /^mpi/ && here != "dist" && !test) bad("mpi.h only under dist/")
        if (file ~ /^(hdf5|H5)/ && here != "data/formats" && !test) bad("hdf5.h only under data/formats/")
        if (file == "cblas.h" && FILENAME != "tensor/cpu/product.c" && FILENAME !~ /^tests\/bench\//)
            bad("cblas.h only in tensor/cpu/product.c")
        if (file ~ /^(curl|openssl)\// && FILENAME != "apps/dataset/fetch.c") bad("libcurl and OpenSSL only in apps/dataset/fetch.c")
        if (file ~ /^yajl\// && FILENAME != "data/formats/json_tree.c") bad("yajl only in data/formats/json_tree.c")
        if (file ~ /^(cuda|cublas|cusparse|nccl)/ && FILENAME !~ /^tensor\/cuda\//)
            bad("CUDA headers only in tensor/cuda/")
    }' "${sources[@]}" "${cuda[@]}"
}

# One tag of the library means one thing, in C and in CUDA.
tags()
{
    grep -HnoE '\<(struct|enum|union) wf_[a-z0-9_]+ \{' "${sources[@]}" "${cuda[@]}" |
        awk -F: '$3 in where { print $1 ":" $2 ": " $3 " .. } is defined in " where[$3] " too" } { where[$3] = $1 }'
}

# A file without a header of its own says first what it is.
openings()
{
    local file
    for file in "${sources[@]}" "${cuda[@]}"; do
        if [ -f "${file%.*}.h" ] && [ "${file%.h}" = "$file" ]; then continue; fi
        case $(head -c 2 "$file") in '/*') ;; *) echo "$file:1: opens without a line that says what it is" ;; esac
    done
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
        if (what == "functions" && FNR - open - 1 > 60 && FILENAME !~ /^tensor\/c/)
            printf "%s:%d: warning: function of %d lines, want <= 60\n", FILENAME, open, FNR - open - 1
        open = 0
    }
    END { if (what == "files" && last >= 600) print name ": " last " lines, want < 600" }
    ' "${sources[@]}" "${cuda[@]}"
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
    { printf '%s\n' "${sources[@]}" "${cuda[@]}" && find tests -name '*.cpp'; } |
        xargs -P 2 -n 24 clang-format --dry-run -Werror 2>&1 | grep 'error:' || true
}

report "$(includes)"
report "$(tags)"
report "$(openings)"
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
