#!/usr/bin/env bash
# Several hosts on one machine: runs an MPI program with its ranks spread over network namespaces,
# each with a host name, an address and a cable (a veth pair) to one switch (a bridge), so that
# ranks on different hosts reach each other through TCP alone.
#
# All of it lives in namespaces of its own, process ids too: nothing of the machine's network is
# touched, and the kernel clears everything away however this script ends. Needs root or user
# namespaces; exit status 77 where neither is allowed, else that of mpirun.
set -euo pipefail

usage()
{
    cat <<'TEXT'
usage: tests/scripts/netns.sh [OPTIONS] PROGRAM [ARGUMENTS]

  -n HOSTS     network namespaces (2)
  -r RANKS     ranks on each host (1)
  -t SECONDS   mpirun gives up after this time (60)

Variables OMPI_MCA_* reach mpirun and win over this script's own choices.
TEXT
}

skip()
{
    echo "netns.sh: skipped: $1" >&2
    exit 77
}

clean()
{
    rm -rf "$folder"
}

# ---- outside: into namespaces, and kill them when told to stop ----

outside()
{
    local tool reason rights=() spaces
    for tool in unshare nsenter ip mpirun; do
        command -v $tool >/dev/null || skip "no $tool in PATH"
    done
    if [ "$(id -u)" != 0 ]; then rights=(--user --map-root-user); fi
    spaces=("${rights[@]}" --net --uts --mount --pid --fork --kill-child --mount-proc)
    # Everything that may be forbidden, tried once.
    reason=$(unshare "${spaces[@]}" sh -c '
        ip link add name t0 type bridge && ip link add t1 type veth peer name t2 &&
        ip addr add 10.99.0.254/16 dev t0 && hostname head && unshare --net --uts true' 2>&1) ||
        skip "no namespaces here: $(tail -n 1 <<<"$reason")"
    folder=$(mktemp -d)
    export WEFT_NETNS_FOLDER=$folder
    # unshare ignores SIGTERM; killed, it takes the first process of the namespaces with it.
    trap 'kill -KILL "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true
          clean; exit 143' INT TERM HUP
    unshare "${spaces[@]}" "$0" "$@" <&0 &
    pid=$!
    local rc=0
    wait "$pid" || rc=$?
    clean
    return $rc
}

# ---- inside: build the network, run ----

# Host I: a process that keeps its namespaces, its cable, its address 10.99.0.I.
host()
{
    local i=$1 pid
    unshare --net --uts sh -c "hostname host$i && ip link set lo up && touch '$folder/ready$i' &&
                               exec sleep infinity" &
    pid=$!
    until [ -e "$folder/ready$i" ]; do
        kill -0 $pid || return 1
        sleep 0.02
    done
    ip link add "port$i" type veth peer name net0 netns $pid
    ip link set "port$i" master switch0 up
    nsenter --target $pid --net ip addr add "10.99.0.$i/16" dev net0
    nsenter --target $pid --net ip link set net0 up
    echo "$pid" >"$folder/10.99.0.$i"
    echo "10.99.0.$i slots=$ranks" >>"$folder/hosts"
}

# mpirun's remote shell: agent ADDRESS COMMAND..
agent()
{
    cat >"$folder/agent" <<TEXT
#!/bin/sh
pid=\$(cat '$folder/'"\$1") || exit 1
shift
exec nsenter --target "\$pid" --net --uts sh -c "\$*"
TEXT
    chmod +x "$folder/agent"
}

inside()
{
    local i
    hostname head
    ip link set lo up
    ip link add name switch0 type bridge
    ip addr add 10.99.0.254/16 dev switch0
    ip link set switch0 up
    for ((i = 1; i <= hosts; i++)); do host $i; done
    agent
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    # Shared memory stays out even between two ranks of one host: every byte takes a socket. One-
    # sided calls over sockets are pt2pt's; rdma offers itself and then fails.
    : "${OMPI_MCA_pml:=ob1}" "${OMPI_MCA_btl:=tcp,self}" "${OMPI_MCA_osc:=^rdma,ucx}"
    : "${OMPI_MCA_btl_tcp_if_include:=10.99.0.0/16}" "${OMPI_MCA_mpi_yield_when_idle:=1}"
    export OMPI_MCA_pml OMPI_MCA_btl OMPI_MCA_osc OMPI_MCA_btl_tcp_if_include
    export OMPI_MCA_mpi_yield_when_idle OMPI_MCA_orte_tmpdir_base=$folder
    mpirun --hostfile "$folder/hosts" -np $((hosts * ranks)) --map-by node --bind-to none \
        --timeout "$seconds" --mca plm rsh --mca plm_rsh_agent "$folder/agent" \
        --mca oob_tcp_if_include 10.99.0.0/16 "$@"
}

hosts=2 ranks=1 seconds=60
given=("$@")
while getopts n:r:t:h option; do
    case $option in
    n) hosts=$OPTARG ;;
    r) ranks=$OPTARG ;;
    t) seconds=$OPTARG ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
for number in "$hosts" "$ranks" "$seconds"; do
    if ! [[ $number =~ ^[1-9][0-9]{0,3}$ ]]; then usage >&2; exit 2; fi
done
if [ $# = 0 ] || [ "$hosts" -gt 200 ]; then usage >&2; exit 2; fi

if [ -z "${WEFT_NETNS_FOLDER:-}" ]; then
    outside "${given[@]}"
else
    folder=$WEFT_NETNS_FOLDER
    unset WEFT_NETNS_FOLDER
    inside "$@"
fi
