#!/usr/bin/env bash
# leaderboard.sh PROGRAM FOLDER [--minutes M] [--models a,b] [OPTION ..]: trains the models with the
# experiment PROGRAM, each for M minutes (10), on what the OPTIONs (--data FILE ..) say. A short trial
# finds how many steps that is; they are cut into the epochs of the preset. Some models run with the
# settings below, which the table names. Each run stays in FOLDER/MODEL: one that is done is not
# run again, one that was killed goes on. The table of all that are done goes to FOLDER.md and between
# the two marker lines of README.md.
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
if ! [[ " ${options[*]} " == *" --data "* ]]; then
    data=../shared/data/pems-bay-74
    options+=(--data "$data/pems-bay.h5" --adjacency "$data/adj_mx_pems-bay.pkl")
    if [ ! -e $data ]; then
        echo "leaderboard: want --data FILE and --adjacency FILE" >&2
        exit 2
    fi
fi

# setting NAME: of the preset.
setting()
{
    sed -n '/PRESET("leaderboard"/,/)/p' apps/experiment/presets.def | sed 's/\\n/\n/g; s/"/\n/g' | sed -n "s/^$1=//p"
}
batch=$(setting batch-size) epochs=$(setting epochs) share=$(setting train-share)

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
    dcrnn-pgt | dgcrn) echo --hidden 32 ;;
    agcrn) echo --hidden 32 --layers 1 ;;
    evolvegcn-*) echo --lags 12 --skip True --end 64 ;;
    mpnnlstm) echo --hidden 32 --dropout 0.1 ;;
    aagcn) echo --hidden 32 --blocks 2 ;;
    gman) echo --blocks 1 --heads 4 ;;
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

# column FILE NAME: of the only row of a stats.csv.
column()
{
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i }
        NR == 2 { print $c }' "$1"
}

# run MODEL OUT OPTION ..
run()
{
    local model=$1 out=$2
    shift 2
    mkdir -p "$out"
    # shellcheck disable=SC2046
    "$program" --preset leaderboard --model "$model" $(sizes "$model") --out "$out" "${options[@]}" \
        "$@" >>"$out/log" 2>&1 || { tail -n 1 "$out/log"; failed+=("$model"); return 1; }
}

# A quarter of a minute, which leaves nothing to validate or test.
trial()
{
    if [ -e "$folder/$1/trial/stats.csv" ]; then return; fi
    run "$1" "$folder/$1/trial" --epochs 1000000 --minutes 0.25 --train-share 0.998 \
        --valid-share 0.001 --baselines False || true
}

# rate MODEL: the steps that it took in its trial, per minute.
rate()
{
    echo $((4 * $(column "$folder/$1/trial/stats.csv" steps)))
}

train()
{
    local out=$folder/$1 batches
    if [ -e "$out/stats.csv" ] || [ ! -e "$out/trial/stats.csv" ]; then return; fi
    echo "== $1"
    batches=$(awk -v s="$(rate "$1")" -v m="$minutes" -v e=$epochs 'BEGIN { printf "%d", s * m / e + 0.5 }')
    run "$1" "$out" --epoch-batches $((batches > 0 ? batches : 1)) --resume True || return 0
    awk -F, -v m="$1" 'NR > 1 && $1 == m { print "   " $2 ": MAE " $4 }' "$out/metrics.csv"
}

# row NAME PAPER: "last MAE<tab>row of the table", for a model or for a simple forecast (no PAPER).
# The time is that of all windows at the pace of the trial.
row()
{
    local out=$folder/$1 simple=$(($# == 1)) parameters="" time="" epochs=""
    if [ $simple = 1 ]; then
        out=$(dirname "$(find "$folder" -mindepth 2 -maxdepth 2 -name metrics.csv | sort | sed -n 1p)")
    else
        parameters=$(column "$out/stats.csv" parameters)
        time=$(awk -v w="$(column "$out/stats.csv" windows)" -v s="$(rate "$1")" -v b=$batch -v p=$share \
            'BEGIN { printf "%.0f s", 60 * p * w / b / s }')
        epochs=$(awk -v w="$(column "$out/stats.csv" windows)" -v s="$(column "$out/stats.csv" steps)" \
            -v b=$batch -v p=$share 'BEGIN { printf "%.2f", s * b / (p * w) }')
    fi
    awk -F, -v name="$1" -v size="$(sizes "$1")" -v cells="${2:-} | $parameters | $time | $epochs" '
    $1 == name && $3 > 0 { error = error sprintf(" %.3f |", $4); last = $4 }
    END {
        sub(/--/, "", size)
        gsub(/ --/, ", ", size)
        if (size != "") name = name " (" size ")"
        printf "%s\t| %s | %s |%s\n", last == last + 0 ? last : 1e9, name, cells, error
    }' "$out/metrics.csv"
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
    one=$(find "$folder" -mindepth 2 -maxdepth 2 -name metrics.csv | sort | sed -n 1p)
    local threads=${OMP_NUM_THREADS:-$(nproc)} word=threads
    if [ "$threads" = 1 ]; then word=thread; fi
    cat <<TEXT
Every model took as many steps of $batch windows as $minutes minutes on $threads $word allow, at a learning rate that falls
as a cosine in $epochs stages (\`--preset leaderboard\`). An epoch is all training windows, its time that at the pace of a
trial, "epochs" how many there were. Mean absolute errors on the test part, in the data's units.
TEXT
    echo
    awk -F, 'NR == 2 { first = $1 }
        NR > 1 && $1 == first && $3 > 0 { head = head " MAE " $2 " |"; line = line "---:|" }
        END { print "| model | paper | parameters | time per epoch | epochs |" head "\n|---|---|---:|---:|---:|" line }' "$one"
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
for model in ${chosen//,/ }; do trial "$model"; done # all trials first: they measure time
for model in ${chosen//,/ }; do train "$model"; done
if [ -n "$(find "$folder" -mindepth 2 -maxdepth 2 -name metrics.csv)" ]; then
    table >"$folder.md"
    between README.md
    cat "$folder.md"
fi
if [ ${#failed[@]} != 0 ]; then
    echo "leaderboard: did not train: ${failed[*]}" >&2
    exit 1
fi
