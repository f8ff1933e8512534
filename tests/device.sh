#!/usr/bin/env bash
# device.sh OUT [STAGE ..]: what only a machine with an NVIDIA GPU can show. Everything it prints also
# goes to OUT/device.log. Stages, in the order of what is wanted first; all of them where none is named:
#   build      libraries, tests and benchmarks
#   suite      the tests of the CUDA backend, float and double
#   parity     fixtures against the CUDA backend ($WEFT_FIXTURES, or those of the project)
#   step       bench_step in float32, tf32 and bf16
#   peers      the same step in PyTorch, by PyTorch Geometric Temporal and by tests/bench/peer_torch.py
#   models     bench_models
#   soak       100,000 replayed steps
#   memcheck racecheck initcheck   the suite under compute-sanitizer
# With WEFT_PACKAGES, a folder of .deb files, those are unpacked into build/prefix and built with: for a
# machine that lacks them and reaches no mirror. WEFT_STAGE_S (240) seconds are the limit of a stage.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

out=${1:?usage: device.sh OUT [STAGE ..]}
shift
stages=("$@")
if [ ${#stages[@]} = 0 ]; then
    stages=(build suite parity step peers models soak memcheck racecheck initcheck)
fi
dir=build/device limit=${WEFT_STAGE_S:-240} prefix=$PWD/build/prefix
mkdir -p "$out" build
results=()

# Environment of a prefix that packages were unpacked into, not installed.
use_packages()
{
    local lib=$prefix/usr/lib/x86_64-linux-gnu file
    if [ ! -d "$prefix" ]; then
        for file in "$WEFT_PACKAGES"/*.deb; do dpkg -x "$file" "$prefix" || return 1; done
    fi
    export PATH=$prefix/usr/bin:$PATH CMAKE_PREFIX_PATH=$prefix/usr PKG_CONFIG_SYSROOT_DIR=$prefix
    export PKG_CONFIG_PATH=$lib/pkgconfig OPAL_PREFIX=$prefix/usr OMPI_MCA_plm=isolated
    export LIBRARY_PATH=$lib:$lib/openblas-openmp:$lib/hdf5/serial
    export LD_LIBRARY_PATH=$LIBRARY_PATH:$prefix/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}
    export CPATH=$prefix/usr/include OMPI_MCA_mca_base_component_show_load_errors=0
}

stage_build()
{
    cmake -S . -B $dir -DCMAKE_BUILD_TYPE=Release && cmake --build $dir -j "$(nproc)"
}

suite()
{
    local program
    for program in $dir/tests $dir/tests_double; do
        "$@" $program -j1 --filter='cuda/*' || return 1
    done
}

stage_suite() { suite; }

stage_parity()
{
    local fixtures=${WEFT_FIXTURES:-tests/fixtures}
    $dir/parity_double --device cuda "$fixtures" && $dir/parity --device cuda "$fixtures"
}

stage_step()
{
    local precision
    for precision in float32 tf32 bf16; do
        $dir/bench_step --device cuda --precision $precision || return 1
    done
}

stage_peers()
{
    local precision
    for precision in float32 tf32; do
        python3 tests/bench/peer_pgt.py --device cuda --precision $precision
        python3 tests/bench/peer_torch.py --device cuda --precision $precision
    done
}

stage_models() { $dir/bench_models --device cuda; }
stage_soak() { $dir/bench_soak --device cuda; }
sanitized() { suite compute-sanitizer --tool "$1" --target-processes all --error-exitcode 9; }
stage_memcheck() { sanitized memcheck; }
stage_racecheck() { sanitized racecheck; }
stage_initcheck() { sanitized initcheck; }

# A stage is a shell of its own, so that time can end it.
run()
{
    local started=$SECONDS rc=0
    echo "== $1"
    timeout --kill-after=10 "$limit" bash -c 'source "$0"; "stage_$1"' "$out/device.env" "$1" || rc=$?
    results+=("$1: $([ $rc = 0 ] && echo good || echo "status $rc"), $((SECONDS - started)) s")
}

if [ -n "${WEFT_PACKAGES:-}" ]; then use_packages || exit 1; fi
export OMP_WAIT_POLICY=passive OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
{ declare -p dir prefix; declare -f; } >"$out/device.env"
{
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
    git log -1 --format='commit %h' 2>/dev/null
    for stage in "${stages[@]}"; do run "$stage"; done
    printf '%s\n' "${results[@]}"
} 2>&1 | tee "$out/device.log"
rm -f "$out/device.env"
! grep -qE '^[a-z]+: status [0-9]+, ' "$out/device.log"
