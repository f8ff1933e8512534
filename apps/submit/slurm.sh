#!/usr/bin/env bash
# Trains on nodes of a Slurm cluster, one rank per GPU, and records what each node uses. Started on
# a login node it submits itself; submitted again, it goes on from the last checkpoint.
# Every variable can also be given from outside: NODES=8 MODE=partitioned apps/submit/slurm.sh
set -euo pipefail

NODES=${NODES:-2}
GPUS_PER_NODE=${GPUS_PER_NODE:-4}                        # 0: ranks compute on processor cores
RANKS_PER_NODE=${RANKS_PER_NODE:-$((GPUS_PER_NODE > 0 ? GPUS_PER_NODE : 1))}
CORES_PER_NODE=${CORES_PER_NODE:-32}
WALLTIME=${WALLTIME:-01:00:00}
PARTITION=${PARTITION:-}                                 # empty: the cluster's default
ACCOUNT=${ACCOUNT:-}
PROGRAM=${PROGRAM:-pems_ddp}
DATASET=${DATASET-pems}                                  # empty: the program's own
MODE=${MODE:-index}                                      # ddp, index, partitioned, ddp-batch
OPTIONS=${OPTIONS:-}                                     # more options of the program, cut at spaces
OUT=${OUT:-results/$PROGRAM-$MODE}
RESUME=${RESUME:-True}
BIN=${BIN:-build/release/bin}
MPI=${MPI:-pmix}                                         # srun --mpi

threads=$((CORES_PER_NODE / RANKS_PER_NODE))
if [ $threads -lt 1 ]; then threads=1; fi
layout=(--nodes="$NODES" --ntasks-per-node="$RANKS_PER_NODE" --cpus-per-task="$threads")
gpus=()
if [ "$GPUS_PER_NODE" -gt 0 ]; then gpus=(--gpus-per-node="$GPUS_PER_NODE"); fi

if [ -z "${SLURM_JOB_ID:-}" ]; then
    mkdir -p "$OUT"
    # The program saves a checkpoint at SIGTERM: two minutes for that before the time is over.
    exec sbatch --job-name="$PROGRAM-$MODE" "${layout[@]}" "${gpus[@]}" --time="$WALLTIME" \
        ${PARTITION:+--partition="$PARTITION"} ${ACCOUNT:+--account="$ACCOUNT"} \
        --signal=TERM@120 --output="$OUT/slurm-%j.log" "$0"
fi

cd "${SLURM_SUBMIT_DIR:-.}"
mkdir -p "$OUT/nodes"
export OMP_NUM_THREADS=$threads
read -ra options <<<"$OPTIONS"

srun --overlap --nodes="$NODES" --ntasks-per-node=1 --cpus-per-task=1 "${gpus[@]}" \
    "$BIN/worker_monitor" --append True --out "$OUT/nodes/%h.csv" &
monitor=$!
trap 'kill -TERM $monitor 2>/dev/null || true; wait $monitor || true' EXIT

srun --mpi="$MPI" "${layout[@]}" "${gpus[@]}" --cpu-bind=cores \
    "$BIN/$PROGRAM" --mode "$MODE" ${DATASET:+--dataset "$DATASET"} --out "$OUT" \
    --gpu "$([ "$GPUS_PER_NODE" -gt 0 ] && echo True || echo False)" --resume "$RESUME" \
    ${options[@]+"${options[@]}"}
