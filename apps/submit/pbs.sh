#!/usr/bin/env bash
# Trains on nodes of a PBS cluster, one rank per GPU, and records what each node uses. Started on a
# login node it submits itself; submitted again, it goes on from the last checkpoint.
# Every variable can also be given from outside: NODES=8 MODE=partitioned apps/submit/pbs.sh
set -euo pipefail

NODES=${NODES:-2}
GPUS_PER_NODE=${GPUS_PER_NODE:-4}                        # 0: ranks compute on processor cores
RANKS_PER_NODE=${RANKS_PER_NODE:-$((GPUS_PER_NODE > 0 ? GPUS_PER_NODE : 1))}
CORES_PER_NODE=${CORES_PER_NODE:-32}
WALLTIME=${WALLTIME:-01:00:00}
QUEUE=${QUEUE:-}                                         # empty: the cluster's default
ACCOUNT=${ACCOUNT:-}
RESOURCES=${RESOURCES:-}                                 # more for qsub -l: filesystems=home:eagle
PROGRAM=${PROGRAM:-pems_ddp}
DATASET=${DATASET-pems}                                  # empty: the program's own
MODE=${MODE:-index}                                      # ddp, index, partitioned, ddp-batch
OPTIONS=${OPTIONS:-}                                     # more options of the program, cut at spaces
OUT=${OUT:-results/$PROGRAM-$MODE}
RESUME=${RESUME:-True}
BIN=${BIN:-build/release/bin}

threads=$((CORES_PER_NODE / RANKS_PER_NODE))
if [ $threads -lt 1 ]; then threads=1; fi

if [ -z "${PBS_JOBID:-}" ]; then
    mkdir -p "$OUT"
    select=$NODES:ncpus=$CORES_PER_NODE:mpiprocs=$RANKS_PER_NODE:ompthreads=$threads
    if [ "$GPUS_PER_NODE" -gt 0 ]; then select+=:ngpus=$GPUS_PER_NODE; fi
    exec qsub -V -N "$(cut -c 1-15 <<<"$PROGRAM-$MODE")" -l select="$select" -l place=scatter \
        -l walltime="$WALLTIME" ${RESOURCES:+-l "$RESOURCES"} ${QUEUE:+-q "$QUEUE"} \
        ${ACCOUNT:+-A "$ACCOUNT"} -j oe -o "$OUT/" "$0"
fi

cd "${PBS_O_WORKDIR:-.}"
mkdir -p "$OUT/nodes"
export OMP_NUM_THREADS=$threads
read -ra options <<<"$OPTIONS"
hosts=$OUT/hosts.${PBS_JOBID//[^A-Za-z0-9]/-}
sort -u "$PBS_NODEFILE" | sed "s/\$/ slots=$RANKS_PER_NODE/" >"$hosts"

mpirun --hostfile "$hosts" -np "$NODES" --map-by ppr:1:node --bind-to none \
    "$BIN/worker_monitor" --append True --out "$OUT/nodes/%h.csv" &
monitor=$!
trap 'kill -TERM $monitor 2>/dev/null || true; wait $monitor || true; rm -f "$hosts"' EXIT

mpirun --hostfile "$hosts" -np $((NODES * RANKS_PER_NODE)) \
    --map-by "ppr:$RANKS_PER_NODE:node:PE=$threads" --bind-to core -x OMP_NUM_THREADS \
    "$BIN/$PROGRAM" --mode "$MODE" ${DATASET:+--dataset "$DATASET"} --out "$OUT" \
    --gpu "$([ "$GPUS_PER_NODE" -gt 0 ] && echo True || echo False)" --resume "$RESUME" \
    ${options[@]+"${options[@]}"}
