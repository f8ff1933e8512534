#!/usr/bin/env bash
# What ranks cost and save on this machine: the exchange of gradients, memory of each placement of
# the data at PEMS-BAY's size, epochs on 1, 2 and 4 ranks, and how far apps/scaling_model is from
# them. Every rank has one thread.  Usage: tests/bench/bench_ranks.sh [exchange|memory|epochs]..
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bin=$PWD/build/release/bin
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

ranks()
{
    local n=$1
    shift
    mpirun --oversubscribe --bind-to none -n "$n" "$@"
}

exchange()
{
    local n
    for n in 2 4; do ranks $n build/release/bench_exchange; done
}

# ---- memory ----

# held P MODE DATA: MiB that each rank holds for itself, and that all share.
held()
{
    ranks "$1" "$bin/pems_ddp" --data "$3" --adjacency "$3" --mode "$2" --debug True --stats True \
        --pictures False --baselines False --time-of-day False --out "$scratch/out" |
        awk '/^  rank /{ own += $3 - $5; peak += $7 - $5; n++; if ($5 > shared) shared = $5 }
             END { printf "%.1f %.1f %.1f\n", own / n, shared, peak / n }'
}

memory()
{
    local rows=$((181 * 288)) n mode small large
    "$bin/dataset" synth "$scratch/bay.h5" --nodes 325 --days 181 >/dev/null
    "$bin/dataset" synth "$scratch/day.h5" --nodes 325 --days 2 >/dev/null
    echo "PEMS-BAY's size: $rows rows x 325 sensors, float32: $((rows * 325 * 4 / 1048576)) MiB;" \
         "windows of 12 + 12: $((24 * (rows - 23) * 325 * 4 / 1048576)) MiB."
    echo "MiB per rank over the same run on two days, by the side of what is expected"
    echo
    echo "| placement | ranks | own | shared | expected in all | peak of own |"
    echo "|---|---|---|---|---|---|"
    for mode in index partitioned ddp ddp-batch; do
        for n in 1 2 4; do
            small=$(held $n $mode "$scratch/day.h5")
            large=$(held $n $mode "$scratch/bay.h5")
            awk -v m=$mode -v n=$n -v rows=$rows -v a="$small" -v b="$large" 'BEGIN {
                split(a, s); split(b, l); row = 325 * 4 / 1048576
                all = m == "index" ? rows * row : m == "partitioned" ? (rows + 3 * 23 * n) * row \
                    : 24 * rows * row + (m == "ddp-batch" || n == 1 ? rows * row : 0)
                printf "| %s | %d | %.1f | %.1f | %.1f | %.1f |\n", m, n, l[1] - s[1], \
                       l[2] - s[2], all, l[3] - s[3] }'
        done
    done
}

# ---- epochs ----

# epoch P MODE: seconds of the quickest of three epochs.
epoch()
{
    ranks "$1" "$bin/pems_ddp" --data "$scratch/week.h5" --adjacency "$scratch/week.h5" --mode "$2" \
        --model dcrnn-pgt --hidden 16 --batch-size 32 --epochs 3 --pictures False \
        --baselines False --out "$scratch/epochs" >/dev/null
    awk -F, 'NR > 1 && (!best || $2 < best) { best = $2 } END { printf "%.3f\n", best }' \
        "$scratch/epochs/per_epoch_stats.csv"
    rm -rf "$scratch/epochs"
}

epochs()
{
    local mode n s one="" steps valid
    "$bin/dataset" synth "$scratch/week.h5" --nodes 207 --days 7 >/dev/null
    echo "ranks,placement,epoch_s" >"$scratch/measured.csv"
    for mode in index ddp partitioned ddp-batch; do
        for n in 1 2 4; do
            s=$(epoch $n $mode)
            echo "$n,$mode,$s" | tee -a "$scratch/measured.csv"
            if [ -z "$one" ]; then one=$s; fi
        done
    done
    # 1395 windows to train on, 199 to validate on; a forward pass is a third of a step.
    steps=$(((1395 + 31) / 32)) valid=$(((199 + 31) / 32))
    "$bin/scaling_model" apps/scaling/two-cores.txt --rows 2016 --sensors 207 --windows 1395 \
        --valid-windows 199 --batch-size 32 --gradient-bytes 22000 \
        --step "$(awk -v e="$one" -v s=$steps -v v=$valid 'BEGIN { print e / (s + v / 3) }')" \
        --valid-step "$(awk -v e="$one" -v s=$steps -v v=$valid 'BEGIN { print e / (3 * s + v) }')" \
        --ranks 1,2,4 --measured "$scratch/measured.csv" --out "$scratch/model"
}

for part in "${@:-exchange memory epochs}"; do
    for one in $part; do
        echo "== $one"
        $one
    done
done
