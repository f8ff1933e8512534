#!/usr/bin/env bash
# device.sh OUT [STAGE ..]: what only a machine with an NVIDIA GPU can show. Everything it prints also
# goes to OUT/device.log. Stages, in the order of what is wanted first; all of them where none is named:
#   build      libraries, tests and benchmarks, in build/device
#   suite      the tests of the CUDA backend, float and double
#   parity     fixtures against the CUDA backend ($WEFT_FIXTURES, or those of the project)
#   step       bench_step in float32, tf32 and bf16, with the times of the kernels one by one
#   pems       the whole of PeMS: written, loaded, trained on
#   peers      the step in PyTorch, by PyTorch Geometric Temporal and by tests/bench/peer_torch.py
#   models     bench_models
#   soak       100,000 replayed steps
#   memcheck racecheck initcheck   parity, then the suite, under compute-sanitizer
# A stage ends after WEFT_STAGE_S (240) seconds, the whole after WEFT_TOTAL_S (570): what has no time
# left is left out, and counts as failed. `device.sh OUT memcheck racecheck initcheck` is a second call.
#
# A machine that lacks packages and reaches no mirror: `device.sh OUT pack`, on one of the same
# architecture that has them and CUDA 13, builds into build/device for any processor with AVX2, and
# fetches into build/debs what the programs load; copy both beside the sources, in any folder. There
#   WEFT_PACKAGES=build/debs tests/scripts/device.sh OUT suite parity step pems peers models soak
# unpacks those into build/prefix, without installing any, and uses those the system has not. To
# build there instead, add `device.sh OUT headers` here and the stage build there.
#
# WEFT_SMALL=1 makes the benchmarks tiny: enough for an emulated device, to see that all of it runs.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

out=${1:?usage: device.sh OUT [STAGE ..]}
shift
stages=("$@")
if [ ${#stages[@]} = 0 ]; then
    stages=(build suite parity step pems peers models soak memcheck racecheck initcheck)
fi
dir=build/device debs=build/debs prefix=$PWD/build/prefix
limit=${WEFT_STAGE_S:-240} total=${WEFT_TOTAL_S:-570}
mkdir -p "$out" build
results=()

targets=(tests tests_double parity parity_double bench_step bench_pems bench_models bench_soak
         pems_ddp dataset weft_cuda weft_cuda_double)

# Of Debian 12. First what the programs are linked with, then what those packages load in turn.
loaded=(libhdf5-103-1 libopenblas0-openmp libgfortran5 libyajl2 libzip4 libcurl4 libssl3 libcriterion3
        libopenmpi3 openmpi-bin openmpi-common
        libsz2 libaec0 libnghttp2-14 libpsl5 librtmp1 libssh2-1 libldap-2.5-0 libsasl2-2 libbrotli1
        libidn2-0 libunistring2 libgnutls30 libnettle8 libhogweed6 libgmp10 libp11-kit0 libtasn1-6
        libffi8 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libkeyutils1 libcom-err2
        libzstd1 libbz2-1.0 liblzma5 libgit2-1.5 libpcre2-8-0 libnanomsg5 libmbedcrypto7 libmbedtls14
        libmbedx509-1 libhttp-parser2.9 libpmix2 libhwloc15 libudev1 libcap2 libevent-core-2.1-7
        libevent-pthreads-2.1-7 libmunge2 libnl-3-200 libnl-route-3-200)
wanted_to_build=(pkgconf pkgconf-bin libpkgconf3 libhdf5-dev libopenblas-openmp-dev libyajl-dev
                 libzip-dev libcurl4-openssl-dev libssl-dev libcriterion-dev libopenmpi-dev)

# What a benchmark is given with WEFT_SMALL.
declare -A small=([step]="--batch|1|--groups|1|dcrnn-pgt N 325, hidden 2"
                  [models]="--batch|1|--groups|1|stid|fc-lstm"
                  [pems]="--nodes|20|--rows|600|--batch|2|--steps|3" [soak]="--steps|100")

# ---- a folder of packages, unpacked and not installed ----

# Of a library that the system has too, its own is taken; of Open MPI all parts are from one place.
unpack()
{
    local file name have=/usr/lib/x86_64-linux-gnu lib=$prefix/usr/lib/x86_64-linux-gnu
    for file in "$WEFT_PACKAGES"/*.deb; do dpkg -x "$file" "$prefix" || return 1; done
    cp -a "$prefix"/lib/. "$prefix"/usr/lib || return 1
    for file in "$lib"/lib*.so.*; do
        name=${file##*/}
        case $name in libmpi* | libopen-*) continue ;; esac
        if [ -e "$have/$name" ]; then ln -sf "$have/$name" "$file"; fi
    done
    ln -sf mpirun.openmpi "$prefix"/usr/bin/mpirun
    find "$lib" -name '*.pc' -exec sed -i '/^Requires.private/d' {} + # whose headers nobody wants
    for file in "$WEFT_PACKAGES"/*.whl; do
        if [ -e "$file" ]; then python3 -m zipfile -e "$file" "$prefix"/python || return 1; fi
    done
}

use_packages()
{
    local lib=$prefix/usr/lib/x86_64-linux-gnu
    if [ ! -d "$prefix" ] && ! unpack; then
        rm -rf "$prefix"
        return 1
    fi
    export PATH=$prefix/usr/bin:$PATH PYTHONPATH=$prefix/python:${PYTHONPATH:-}
    export CMAKE_PREFIX_PATH=$prefix/usr PKG_CONFIG=$prefix/usr/bin/pkgconf
    export PKG_CONFIG_SYSROOT_DIR=$prefix PKG_CONFIG_LIBDIR=$lib/pkgconfig
    export CPATH=$prefix/usr/include LIBRARY_PATH=$lib:$lib/hdf5/serial:$lib/openblas-openmp
    export OPAL_PREFIX=$prefix/usr OMPI_MCA_plm=isolated OMPI_MCA_mca_base_component_show_load_errors=0
    export PMIX_MCA_pcompress_base_silence_warning=1
    libraries+=:$lib:$lib/openblas-openmp
}

# ---- stages ----

# compile [CMAKE OPTION ..]; for the GPU that is here, or Hopper's.
compile()
{
    local generator="Unix Makefiles" gpu
    if command -v ninja >/dev/null; then generator=Ninja; fi
    gpu=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)
    cmake -G "$generator" -S . -B $dir -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_CUDA_ARCHITECTURES="${gpu:-90}-real" "$@" &&
        cmake --build $dir -j "${WEFT_JOBS:-$(nproc)}" --target "${targets[@]}" &&
        { git log -1 --format='commit %h' || echo 'commit unknown'; } >$dir/commit 2>/dev/null
}

stage_build() { compile; }

fetch() { (mkdir -p $debs && cd $debs && apt-get download "$@"); }

stage_pack()
{
    compile -DWEFT_ARCH=x86-64-v3 || return 1
    rm -rf $dir/CMake* $dir/*.a $dir/*.ninja $dir/*.json $dir/emulated $dir/ranks*
    find $dir -type f -perm -u+x -exec strip {} +
    fetch "${loaded[@]}" && python3 -m pip download --no-deps -d $debs torch_geometric_temporal==0.56.2 &&
        du -sh $dir $debs
}

stage_headers() { fetch "${wanted_to_build[@]}"; }

# suite FILTER [COMMAND ..]: by that command. A test that is skipped shows nothing; two ranks may lack
# a second device.
suite()
{
    local program tap="$out/suite.tap" rc=0
    for program in $dir/tests $dir/tests_double; do
        "${@:2}" "$program" -j8 --tap="$tap" --filter="$1" || rc=1
        sed -i '/# SKIP test was skipped$/d; /NCCL wants a device for every rank/d' "$tap"
        if grep '# SKIP' "$tap" || ! grep -q '^ok' "$tap"; then rc=1; fi
    done
    rm -f "$tap"
    return $rc
}

# parity [COMMAND ..]
parity()
{
    local program fixtures=${WEFT_FIXTURES:-tests/fixtures} rc=0
    for program in parity_double parity; do
        "$@" $dir/$program --device cuda "$fixtures" || rc=1
    done
    return $rc
}

# bench NAME [ARGS]
bench()
{
    local IFS='|'
    # shellcheck disable=SC2086
    $dir/bench_"$1" --device cuda "${@:2}" ${WEFT_SMALL:+${small[$1]}}
}

stage_suite() { suite 'cuda/*'; }
stage_parity() { parity; }

stage_step()
{
    local precision rc=0
    for precision in float32 tf32 bf16; do bench step --precision $precision || rc=1; done
    return $rc
}

stage_pems() { bench pems --file "${TMPDIR:-/tmp}/bench_pems.h5"; }

stage_peers()
{
    local precision rc=0
    export LD_LIBRARY_PATH=$theirs
    for precision in float32 tf32; do
        python3 tests/bench/peer_torch.py --device cuda --precision $precision || rc=1
        python3 tests/bench/peer_pgt.py --device cuda --precision $precision || rc=1
    done
    return $rc
}

# A device that has failed once does nothing more in its process: what is left is tried one by one.
stage_models()
{
    local name log="$out/models.log"
    if bench models | tee "$log"; then return; fi
    for name in $(sed -n 's/^M(\([a-z0-9_]*\).*/\1/p' models/models.def | tr _ -); do
        grep -q "^$name " "$log" || bench models "$name"
    done
    return 1
}

stage_soak() { bench soak; }

# Without ranks, which would take too long. What the library is told of a failed call it looks at
# itself, and some tests ask for too much.
sanitized()
{
    local tool=(compute-sanitizer --tool "$1" --target-processes all --report-api-errors no
                --error-exitcode 9)
    local rc=0
    parity "${tool[@]}" || rc=1
    suite 'cuda/!(ranks_*|nccl_*)' "${tool[@]}" || rc=1
    return $rc
}

stage_memcheck() { sanitized memcheck; }
stage_racecheck() { sanitized racecheck; }
stage_initcheck() { sanitized initcheck; }

# A stage is a shell of its own, so that time can end it.
run()
{
    local started=$SECONDS rc=0 left=$((total - SECONDS))
    if [ $left -lt 10 ]; then
        results+=("$1: status 124, no time left for it, 0 s")
        return
    fi
    echo "== $1"
    timeout --kill-after=10 $((left < limit ? left : limit)) \
        bash -c 'source "$0"; "stage_$1"' "$out/device.env" "$1" || rc=$?
    results+=("$1: $([ $rc = 0 ] && echo good || echo "status $rc"), $((SECONDS - started)) s")
}

# What the plugin loads, and NCCL, may have come with PyTorch alone.
theirs=${LD_LIBRARY_PATH:-}
libraries=$PWD/$dir:/usr/local/cuda/lib64
if [ -n "${WEFT_PACKAGES:-}" ]; then use_packages || exit 1; fi
for site in $(python3 -c 'import sys; print(*sys.path)' 2>/dev/null); do
    for folder in "$site"/nvidia/*/lib; do
        if [ -d "$folder" ]; then libraries+=:$folder; fi
    done
done
export LD_LIBRARY_PATH=${theirs:+$theirs:}$libraries
export PATH=$PATH:/usr/local/cuda/bin WEFT_BUILD_DIR=$PWD/$dir PYTHONUNBUFFERED=1
export OMP_WAIT_POLICY=passive OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
{ declare -p out dir debs prefix theirs targets loaded wanted_to_build small; declare -f; } >"$out/device.env"
{
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
    for stage in "${stages[@]}"; do run "$stage"; done
    cat $dir/commit 2>/dev/null
    printf '%s\n' "${results[@]}"
} 2>&1 | tee "$out/device.log"
rm -f "$out/device.env"
! grep -qE '^[a-z]+: status [0-9]+, ' "$out/device.log"
