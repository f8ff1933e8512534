#!/usr/bin/env bash
# leaderboard.sh PROGRAM FOLDER [--minutes M] [--models a,b] [OPTION ..]: trains the models with the
# experiment PROGRAM, each for M minutes (10), on what the OPTIONs (--data FILE ..) say. Models that
# would make few steps in that time run at the sizes below, which the table names. Each run
# stays in FOLDER/MODEL: one that is done is not run again, one that was killed goes on. The table
# of all that are done goes to FOLDER.md and between the two marker lines of README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

program=$1 folder=$2
shift 2
minutes=10 chosen="" options=() failed=()
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:?--minutes wants a number}; shift 2 ;;
    --models) chosen=${2:?--models wants names, with commas}; shift 2 ;;
    *) options+=("$1"); shift ;;
    esac
done
if [ ${#options[@]} = 0 ]; then
    data=../shared/data/pems-bay-74
    options=(--data "$data/pems-bay.h5" --adjacency "$data/adj_mx_pems-bay.pkl")
    if [ ! -e $data ]; then
        echo "leaderboard: want --data FILE and --adjacency FILE" >&2
        exit 2
    fi
fi

# "name<tab>what it is" of every model.
about()
{
    "$program" --help | awk '
        /^Models:/ { on = 1; next }
        on && !/^  / { on = 0 }
        on { name = $1; sub(/^ *[^ ]+ +/, ""); print name "\t" $0 }'
}

sizes()
{
    case $1 in
    dcrnn) echo --hidden 32 --layers 1 ;;
    dgcrn) echo --hidden 32 ;;
    aagcn) echo --hidden 32 --blocks 2 ;;
    gman) echo --blocks 1 ;;
    staeformer) echo --layers 1 ;;
    esac
}

# Results under other conditions are not comparable.
same_conditions()
{
    local now="--minutes $minutes ${options[*]}"
    mkdir -p "$folder"
    if [ ! -e "$folder/options" ]; then echo "$now" >"$folder/options"; fi
    if [ "$(cat "$folder/options")" != "$now" ]; then
        echo "leaderboard: $folder holds runs with $(cat "$folder/options"), asked is $now;" \
             "move it away" >&2
        return 1
    fi
}

train()
{
    local out=$folder/$1
    if [ -e "$out/stats.csv" ]; then return; fi
    mkdir -p "$out"
    echo "== $1"
    # shellcheck disable=SC2046
    if "$program" --preset leaderboard --model "$1" $(sizes "$1") --minutes "$minutes" \
        --out "$out" --resume True "${options[@]}" >>"$out/log" 2>&1; then
        awk -F, -v m="$1" 'NR > 1 && $1 == m { print "   " $2 ": MAE " $4 }' "$out/metrics.csv"
    else
        tail -n 1 "$out/log"
        failed+=("$1")
    fi
}

# row NAME PAPER: "last MAE<tab>row of the table", for a model or for a simple forecast (no PAPER).
# An epoch that the time cut short does not count; where that was the first, its time is a bound.
row()
{
    local out=$folder/$1
    if [ $# = 1 ]; then out=$(dirname "$(find "$folder" -name metrics.csv | sort | sed -n 1p)"); fi
    awk -F, -v name="$1" -v paper="${2:-}" -v simple=$(($# == 1)) -v size="$(sizes "$1")" '
    FILENAME ~ /metrics.csv$/ && $1 == name && $3 > 0 { error = error sprintf(" %.3f |", $4); last = $4 }
    simple { next }
    FILENAME ~ /stats.csv$/ && FILENAME !~ /per_epoch/ && FNR == 1 {
        for (i = 1; i <= NF; i++) column[$i] = i
    }
    FILENAME ~ /stats.csv$/ && FILENAME !~ /per_epoch/ && FNR == 2 { parameters = $column["parameters"] }
    FILENAME ~ /per_epoch/ && FNR > 1 { seconds[++epochs] = $2 }
    END {
        for (i = 1; i < epochs; i++) sum += seconds[i]
        if (!simple) time = epochs > 1 ? sprintf("%.1f s", sum / (epochs - 1)) : sprintf("> %.1f s", seconds[1])
        sub(/--/, "", size)
        gsub(/ --/, ", ", size)
        if (size != "") name = name " (" size ")"
        printf "%s\t| %s | %s | %s | %s |%s\n", last == last + 0 ? last : 1e9, name, paper, parameters, time, error
    }' "$out/metrics.csv" "$out/stats.csv" "$out/per_epoch_stats.csv"
}

# The paper stands in parentheses at the end of what a model is.
rows()
{
    local name text any=""
    while IFS=$'\t' read -r name text; do
        if [ ! -e "$folder/$name/stats.csv" ]; then continue; fi
        row "$name" "$(sed -n 's/.*(\(.*\))$/\1/p' <<<"$text")"
        any=$name
    done <<<"$(about)"
    if [ -z "$any" ]; then return; fi
    awk -F, -v m="$any" 'NR > 1 && $1 != m && !seen[$1]++ { print $1 }' "$folder/$any/metrics.csv" |
        while read -r name; do row "$name"; done
}

table()
{
    local one
    one=$(find "$folder" -name metrics.csv | sort | sed -n 1p)
    echo "After $minutes minutes of training each (\`--preset leaderboard\`," \
         "${OMP_NUM_THREADS:-$(nproc)} threads, epochs of 200 batches of 16 windows), mean absolute" \
         "error on the test part:"
    echo
    awk -F, 'NR == 2 { first = $1 }
        NR > 1 && $1 == first && $3 > 0 { head = head " MAE " $2 " |"; line = line "---:|" }
        END { print "| model | paper | parameters | time per epoch |" head "\n|---|---|---:|---:|" line }' "$one"
    rows | sort -s -g | cut -f2-
}

# between FILE: puts the table between the marker lines, where there are such.
between()
{
    if ! grep -qx '<!-- leaderboard: begin -->' "$1"; then return; fi
    awk -v table="$folder.md" '
        /^<!-- leaderboard: end -->$/ { skip = 0 }
        !skip { print }
        /^<!-- leaderboard: begin -->$/ { skip = 1; while ((getline line < table) > 0) print line }
    ' "$1" >"$1.new"
    mv "$1.new" "$1"
}

same_conditions
if [ -z "$chosen" ]; then chosen=$(about | cut -f1 | paste -sd,); fi
for model in ${chosen//,/ }; do train "$model"; done
if [ -n "$(find "$folder" -name metrics.csv)" ]; then
    table >"$folder.md"
    between README.md
    cat "$folder.md"
fi
if [ ${#failed[@]} != 0 ]; then
    echo "leaderboard: did not train: ${failed[*]}" >&2
    exit 1
fi
