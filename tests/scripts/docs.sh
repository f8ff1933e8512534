#!/usr/bin/env bash
# Makes the API reference, build/docs/html, without a warning, and sees that the text above every
# prototype, and every shape in it, has come through.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rm -rf build/docs
mkdir -p build/docs
version=$(sed -n 's/^project(weft VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
later=()
# Versions that know it make a README the text of its folder, with no page of its own.
if [[ $(doxygen -g -) == *IMPLICIT_DIR_DOCS* ]]; then later=("IMPLICIT_DIR_DOCS = NO"); fi
{ cat .cmake/Doxyfile; printf '%s\n' "PROJECT_NUMBER = $version" "${later[@]}"; } | doxygen - >build/docs/log 2>&1 || {
    cat build/docs/log
    exit 1
}
if [ -s build/docs/log ]; then cat build/docs/log; exit 1; fi

# "header function shapes" of every prototype right below a comment; of what a page holds.
above()
{
    awk '
    FNR == 1 { text = shapes = ""; on = 0 }
    /^\/\*/ { text = ""; on = 1 }
    on { text = text " " $0; if (/\*\//) { on = 0; ended = FNR } next }
    ended == FNR - 1 && match($0, /wf_[a-z0-9_]+\(/) && /^[a-z]/ && !/\/\*/ && !/^static/ {
        name = substr($0, RSTART, RLENGTH - 1)
        n = gsub(/\[[A-Z.][A-Za-z0-9, .]*\]/, "&", text)
        file = FILENAME
        sub(/.*\//, "", file)
        if (text !~ /---- \*\//) print file, name, n
    }' "$@"
}
shown()
{
    awk '
    FNR == 1 { file = FILENAME; sub(/.*\//, "", file); sub(/_8h\.html$/, ".h", file); gsub(/__/, "_", file) }
    /class="memtitle"/ { name = $0; sub(/.*<\/span>/, "", name); sub(/\(\)<.*/, "", name); on = 0; n = text = 0 }
    /class="memdoc"/ { on = 1; next }
    on && /^<\/div>/ { on = 0; if (text) print file, name, n }
    on { if (/<p[ >]|<pre/) text = 1; n += gsub(/\[[A-Z.][A-Za-z0-9, .]*\]/, "&") }' "$@"
}
headers=$(find tensor autograd nn models data dist -name '*.h' ! -name '*_private.h')
# shellcheck disable=SC2086
lost=$(awk 'NR == FNR { shapes[$1 " " $2] = $3 + 0; seen[$1 " " $2] = 1; next }
    !(($1 " " $2) in seen) { print $1 ": " $2 " has lost its text"; next }
    shapes[$1 " " $2] < $3 { print $1 ": " $2 " shows " shapes[$1 " " $2] " of " $3 " shapes" }' \
    <(shown build/docs/html/*_8h.html) <(above $headers))
# shellcheck disable=SC2086
count=$(above $headers | wc -l)
if [ -n "$lost" ] || [ "$count" -lt 100 ]; then
    printf '%s\n' "$lost" "docs: $count prototypes have a text" >&2
    exit 1
fi
for folder in apps autograd data dist models nn tensor tests; do
    [ -s "build/docs/html/text_${folder}_README.html" ] || { echo "docs: no page of $folder/README.md" >&2; exit 1; }
done
echo "docs: build/docs/html/index.html; $count texts above prototypes, no warning"
