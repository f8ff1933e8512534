#!/usr/bin/env bash
# The manual pages below a prefix (argument): one for every program and a program for every one, each
# option that a program lists is in its page, and formatters find no fault with them.
set -euo pipefail
prefix=$1
pages=$prefix/share/man
failed=0

# bad WORDS..
bad()
{
    echo "man: $*" >&2
    failed=1
}

for program in "$prefix"/bin/*; do
    name=${program##*/}
    page=$pages/man1/$name.1
    if [ ! -f "$page" ]; then
        bad "$name has no page: write apps/man/$name.1.in"
        continue
    fi
    listed=$("$program" --help | sed -n 's/^  --\([a-z0-9-]*\) .*/\1/p')
    [ -n "$listed" ] || bad "$name --help lists no option"
    while read -r option; do
        grep -qF -e "\\fB\\-\\-${option//-/\\-}\\fR" "$page" || bad "$name.1 lacks --$option"
    done <<<"$listed"
    grep -q "^$name \\\\- " "$page" || bad "$name.1: want the line '$name \\- what it does' under NAME"
done
for page in "$pages"/man1/*; do
    name=$(basename "$page" .1)
    [ -x "$prefix/bin/$name" ] || bad "$name.1 is a page of no program"
done
for name in weft weft-experiment; do
    [ -f "$pages/man7/$name.7" ] || bad "there is no $name.7"
done
while read -r model; do
    grep -qxF ".SS \"${model//-/\\-}\"" "$pages/man7/weft-experiment.7" ||
        bad "weft-experiment.7 lacks the model $model"
done < <("$prefix/bin/pems_bay" --help | awk '/^[^ ]|^$/ { on = $0 == "Models:"; next } on { print $1 }')

# References lead to pages that are there, but for those of other packages.
while read -r name section; do
    case $name in mpirun | pkg-config) continue ;; esac
    [ -f "$pages/man$section/$name.$section" ] || bad "there is no $name($section), which a page names"
done < <(sed -n 's/^\.BR \([a-z0-9_\\-]*\) (\([0-9]\)).*/\1 \2/p' "$pages"/man?/* | tr -d '\\' | sort -u)

for page in "$pages"/man?/*; do
    for words in @[A-Z]*@ '"Weft "'; do
        ! grep -qe "$words" "$page" || bad "${page##*/}: holds $words"
    done
    if command -v groff >/dev/null; then
        said=$(groff -man -Tutf8 -ww -z "$page" 2>&1)
        [ -z "$said" ] || bad "$said"
    fi
    if command -v mandoc >/dev/null; then
        said=$(mandoc -Tlint -Wwarning "$page" | grep -v 'missing date' || true)
        [ -z "$said" ] || bad "$said"
    fi
done
if ! command -v groff mandoc >/dev/null; then echo "man: neither groff nor mandoc is here to format the pages"; fi
exit $failed
