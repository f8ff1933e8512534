#!/usr/bin/env bash
# The front door: fetches dependencies, drives CMake and Ninja, runs what they built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

JOBS=${WEFT_JOBS:-2}

usage()
{
    cat <<'TEXT'
usage: ./build.sh COMMAND

  deps [--no-install]  install the packages that are missing, or only name them
  build                libraries, programs and tests, in build/release
  demo [ARGS]          train and forecast on synthetic traffic
  check                the quick tests, in float, for the loop of work: a minute where little changed
  test                 every test in float and in double, those of the CUDA backend on an emulated
                       device too, an install in a scratch folder, lint
  double [ARGS]        the tests of the double build alone; ARGS go to Criterion
  sanitize             every test under AddressSanitizer and UndefinedBehaviorSanitizer
  racecheck            the CUDA backend's tests on an emulated device that looks at each access of a
                       kernel: races, bounds, memory that nobody wrote
  fuzz [SECONDS]       every fuzz target for SECONDS (300); needs clang
  bench [NAME]         the benchmark bench_NAME, or all
  reproduce WHAT.. [--scale small|paper] [ARGS]
                       the paper's table3, table4, figure5, figure7, memory, or all of them, into
                       results/reproduce; goes on where it stopped
  leaderboard [--minutes M] [--models a,b] [--data FILE ..]
                       trains every model for M minutes (10), writes the table of README.md
  parity [--device cuda] [DIR]
                       results against those of the published implementations in DIR
  docs                 the API reference, build/docs/html; needs doxygen
  lint                 the rules of the house, on the sources
  format               clang-format, in place
  install PREFIX       headers, libraries, programs, pkg-config and CMake files
  new-model NAME       a model that trains, to start from: models/NAME.[hc] and its test
  clean                remove build/

WEFT_JOBS=N sets the number of parallel jobs (2). WEFT_WERROR=OFF is for compilers that warn of more.
TEXT
}

# ---- packages ----

PACKAGES=(cmake ninja-build gcc g++ pkg-config libcriterion-dev libhdf5-dev libopenblas-openmp-dev
          libopenmpi-dev openmpi-bin libyajl-dev libzip-dev
          libcurl4-openssl-dev libssl-dev gnuplot-nox iproute2)

# Only formatting, fuzzing, the API reference and the check of the manual pages want these.
clang_packages()
{
    echo clang clang-format libomp-dev doxygen groff-base
    case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12") echo libclang-rt-14-dev ;;
    "ubuntu 24.04") echo libclang-rt-18-dev ;;
    esac
}

# need [--no-install] PACKAGE..: installs those that are missing.
need()
{
    local install=yes package missing=() root=()
    if [ "$1" = --no-install ]; then install=no; shift; fi
    if ! command -v dpkg-query >/dev/null; then
        echo "no dpkg here; Weft needs what Debian calls: $*" >&2
        return 0
    fi
    local have
    have=$(dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' "$@" 2>/dev/null |
           awk '$2 == "ii" { print $1 }') || true
    for package; do
        grep -qxF -e "$package" <<<"$have" || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then return 0; fi
    echo "missing packages: ${missing[*]}"
    if [ $install = no ]; then return 1; fi
    if [ "$(id -u)" != 0 ]; then root=(sudo); fi
    "${root[@]}" apt-get update
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
}

# ---- building and running ----

# compile DIR "CMAKE OPTIONS" TARGET..
compile()
{
    local dir=$1 options=$2
    shift 2
    # shellcheck disable=SC2086
    cmake -G Ninja -S . -B "$dir" -DWEFT_WERROR="${WEFT_WERROR:-ON}" $options >"$dir.log" || { cat "$dir.log"; return 1; }
    echo "== building in $dir"
    if [ -t 1 ]; then
        NINJA_STATUS='[%f of %t, %e s] ' ninja -C "$dir" -j "$JOBS" "$@"
    else
        NINJA_STATUS='[%f of %t, %e s] ' ninja -C "$dir" -j "$JOBS" "$@" | sparse
    fi
}

# sparse: of ninja's lines of progress one every ten seconds; all that a compiler says.
sparse()
{
    local line told=$SECONDS
    while IFS= read -r line; do
        case $line in
        \[*' of '*' s] '*) if [ $((SECONDS - told)) -ge 10 ]; then told=$SECONDS; printf '   %s\n' "${line:0:100}"; fi ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
}

release()
{
    need "${PACKAGES[@]}"
    mkdir -p build
    compile build/release -DCMAKE_BUILD_TYPE=Release "$@"
}

# Several ranks or test processes share the cores, and may be run by root in a container.
quiet_threads()
{
    export OMP_WAIT_POLICY=passive OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
}

# progress TOTAL: passes a running program's words on, but for what Criterion says of each test, which
# becomes one line on a terminal that says where the program is, elsewhere a line every ten seconds.
progress()
{
    local line test total=$1 began=$SECONDS told=$SECONDS text
    local -A seen=() # a test of many rows reports each
    while IFS= read -r line; do
        case $line in
        *': Test is disabled') # left out by a filter
            total=$((total - 1))
            continue
            ;;
        '[RUN '* | '[SKIP]'* | '[====] Running '*) continue ;;
        '[PASS]'*) ;;
        *)
            if [ -t 1 ]; then printf '\r\033[K'; fi
            printf '%s\n' "$line"
            continue
            ;;
        esac
        test=${line#\[PASS\] } test=${test%%: (*}
        seen[$test]=1
        text=$(printf '   %3d s  test %d of %d: %s' $((SECONDS - began)) ${#seen[@]} "$total" "${test/::/\/}")
        if [ -t 1 ]; then
            printf '\r\033[K%s' "${text:0:100}"
        elif [ $((SECONDS - told)) -ge 10 ]; then
            told=$SECONDS
            printf '%s\n' "$text"
        fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
}

# skipped PROGRAM: the reasons of the tests it skipped, a line each; those a filter left out have none.
skipped()
{
    sed -n '/# SKIP test was skipped$/d; s/^ok - .*# SKIP *//p' "$1.tap" | sort | uniq -c |
        sed 's/^ *\([0-9]*\) /   \1 skipped: /'
}

# run_tests PROGRAM ARGS..: Criterion returns 0 where nothing ran, so its log is read too.
run_tests()
{
    local program=$1 log=$1.log rc=0
    shift
    quiet_threads
    echo "== $program"
    "$program" -j"$JOBS" --verbose=1 --tap="$program.tap" "$@" 2>&1 | tee "$log" |
        progress "$("$program" --list | grep -c '^[├└]')" || rc=$?
    skipped "$program" | tee "$program.skipped"
    if ! grep -q 'Tested: [1-9]' "$log"; then
        echo "$program: no test ran" >&2
        return 1
    fi
    if grep -nE 'LeakSanitizer|AddressSanitizer|runtime error:|blocks of the library leak' "$log"; then
        echo "$program: the log holds a report" >&2
        return 1
    fi
    return $rc
}

# run_emulated DIR DEVICE FILTER: the tests of the CUDA backend on the emulated device, or the watched
# one, where none has a reason to be skipped.
run_emulated()
{
    local dir=$1 device=$2 program
    "$dir/${device}_check" || return 1
    for program in "$dir"/tests "$dir"/tests_double; do
        echo "== on the $device device"
        LD_LIBRARY_PATH=$PWD/$dir/$device run_tests "$program" --filter="$3" || return 1
        if [ -s "$program.skipped" ]; then return 1; fi
    done
}

# ---- commands ----

cmd_deps()
{
    case "${1:-}" in
    "") need "${PACKAGES[@]}" $(clang_packages) ;;
    --no-install) need --no-install "${PACKAGES[@]}" $(clang_packages) ;;
    *) usage >&2; exit 2 ;;
    esac
}

cmd_build()
{
    release
}

# A thread that waits spins for a moment, then sleeps: quick alone, and bearable on a busy machine.
brief_spin()
{
    export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-20000}
}

cmd_demo()
{
    release demo
    brief_spin
    build/release/bin/demo "$@"
}

# Everything but the CUDA plugin, which takes nvcc longer than all the rest takes together.
everything_for_tests()
{
    release weft weft_dist weft_shared weft_dist_shared apps/all CMakeFiles/tests/all emulated
}

cmd_check()
{
    release tests apps/all
    run_tests build/release/tests --filter='!(zoo|ranks|hosts|reproduce|experiments|catalog|plan|fetch|scripts)/*'
}

cmd_test()
{
    everything_for_tests
    run_tests build/release/tests
    run_tests build/release/tests_double
    run_emulated build/release emulated 'cuda/*'
    echo "== an install, a new model, documents, lint"
    tests/scripts/install.sh build/release
    tests/scripts/new_model.sh build/release
    if command -v doxygen >/dev/null; then tests/scripts/docs.sh; fi
    tests/scripts/lint.sh
}

cmd_docs()
{
    need doxygen
    tests/scripts/docs.sh
}

cmd_double()
{
    release tests_double
    run_tests build/release/tests_double "$@"
}

cmd_sanitize()
{
    need "${PACKAGES[@]}"
    local dir=build/sanitize
    mkdir -p $dir
    rm -rf $dir/reports && mkdir $dir/reports
    compile $dir "-DCMAKE_BUILD_TYPE=Debug -DWEFT_SANITIZE=address,undefined" all emulated
    export ASAN_OPTIONS=detect_leaks=1:log_path=$PWD/$dir/reports/asan
    export LSAN_OPTIONS=print_suppressions=0
    export UBSAN_OPTIONS=print_stacktrace=1:log_path=$PWD/$dir/reports/ubsan
    local rc=0
    run_tests $dir/tests "$@" || rc=1
    run_tests $dir/tests_double "$@" || rc=1
    run_emulated $dir emulated 'cuda/*' || rc=1
    # A refused allocation is a warning there, and what some tests ask for.
    if grep -hE -A 30 'ERROR:|runtime error:' $dir/reports/* 2>/dev/null; then rc=1; fi
    return $rc
}

# NCCL's stand-in reaches the device's memory as the host.
cmd_racecheck()
{
    release tests tests_double watched
    run_emulated build/release watched "${1:-cuda/!(ranks_*|nccl_*)}"
}

cmd_fuzz()
{
    need "${PACKAGES[@]}" $(clang_packages)
    local seconds=${1:-300} dir=build/fuzz source name corpus leaks given seeds rc=0
    mkdir -p $dir
    CC=clang compile $dir "-DCMAKE_BUILD_TYPE=Debug -DWEFT_FUZZ=ON -DWEFT_SANITIZE=address,undefined" \
        $(basename -s .c tests/fuzz/fuzz_*.c)
    quiet_threads
    for source in tests/fuzz/fuzz_*.c; do
        name=$(basename -s .c "$source")
        corpus=$dir/corpus/$name
        mkdir -p "$corpus"
        leaks=1 given=() seeds=()
        if [ "$name" = fuzz_h5 ]; then leaks=0; fi # HDF5 itself leaks when it gives up on a file
        if [ -f "tests/fuzz/$name.dict" ]; then given+=("-dict=tests/fuzz/$name.dict"); fi
        if [ -d "tests/fuzz/seeds/$name" ]; then seeds+=("tests/fuzz/seeds/$name"); fi
        echo "== $name, $seconds s"
        $dir/"$name" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 -timeout=10 \
            -detect_leaks=$leaks \
            -artifact_prefix="$corpus-" "${given[@]}" "$corpus" "${seeds[@]}" ||
            { echo "$name: a finding"; rc=1; }
    done
    return $rc
}

cmd_bench()
{
    release
    brief_spin
    local program ran=no
    for program in build/release/bench_"${1:-*}" tests/bench/bench_"${1:-*}".sh; do
        if [ "$program" = build/release/bench_exchange ]; then # by bench_ranks.sh
            continue
        elif [ -x "$program" ] && [ -f "$program" ]; then
            echo "== $program"
            "$program"
            ran=yes
        fi
    done
    if [ $ran = no ]; then
        echo "there is no benchmark $1" >&2
        return 1
    fi
}

cmd_reproduce()
{
    release reproduce dataset chickenpox windmill pems_bay pems pems_ddp opt_baseline
    brief_spin
    quiet_threads
    build/release/bin/reproduce "$@"
}

cmd_leaderboard()
{
    release pems_bay
    brief_spin
    tests/bench/leaderboard.sh build/release/bin/pems_bay results/leaderboard "$@"
}

cmd_parity()
{
    release parity_double parity
    build/release/parity_double "$@"
    build/release/parity "$@"
}

cmd_lint()
{
    need "${PACKAGES[@]}" $(clang_packages)
    tests/scripts/lint.sh
}

cmd_format()
{
    need $(clang_packages)
    find tensor autograd nn models data dist apps tests \
        \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cpp' \) -exec clang-format -i {} +
}

cmd_install()
{
    if [ $# != 1 ]; then usage >&2; exit 2; fi
    release
    cmake --install build/release --prefix "$1"
}

# taken NAME OPTION: says what has the name already, if anything.
taken()
{
    local file
    for file in "models/$1.h" "models/$1.c" "tests/models/test_$1.c"; do
        if [ -e "$file" ]; then echo "$file is there already"; return; fi
    done
    grep -rnowE --include='*.h' "wf_$1(_(config|defaults|init|forward|type))?" \
        tensor autograd nn models data dist | head -n 1 || true
    grep -nHA 1 '^WF_MODEL_TYPE' models/*.c | grep -F "\"$2\"" | head -n 1 || true
}

# from_skeleton NAME OPTION FILE
from_skeleton()
{
    sed "s/@name@/$1/g; s/@NAME@/${1^^}/g; s/@option@/$2/g" "models/skeleton/$3.in"
}

cmd_new_model()
{
    local LC_ALL=C name=${1:-} option found made
    option=${name//_/-}
    if [ $# != 1 ] || ! [[ $name =~ ^[a-z][a-z0-9]*(_[a-z0-9]+)*$ ]] || [ ${#name} -gt 24 ]; then
        echo "new-model: '$*': want one name of lower-case letters, digits and single _, at most" \
             "24 of them, a letter first" >&2
        return 1
    fi
    found=$(taken "$name" "$option")
    if [ -n "$found" ]; then
        echo "new-model: '$name' is taken: $found" >&2
        return 1
    fi
    made=("models/$name.h" "models/$name.c" "tests/models/test_$name.c")
    from_skeleton "$name" "$option" model.h >"${made[0]}"
    from_skeleton "$name" "$option" model.c >"${made[1]}"
    from_skeleton "$name" "$option" test.c >"${made[2]}"
    if command -v clang-format >/dev/null; then clang-format -i "${made[@]}"; fi
    echo "M($name)" >>models/models.def
    cat <<TEXT
made ${made[*]}, and its line in models/models.def
train it:   ./build.sh build && build/release/bin/demo --model $option
test it:    ./build.sh double --filter='$name/*', and --filter='models/*' for its gradient
then list it in models/README.md
TEXT
}

cmd_clean()
{
    rm -rf build
}

case "${1:-}" in
deps | build | demo | check | test | double | sanitize | racecheck | fuzz | bench | parity | docs | lint | format | \
    install | clean | new-model | leaderboard | reproduce)
    command=$1
    shift
    "cmd_${command//-/_}" "$@"
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
