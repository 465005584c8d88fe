#!/usr/bin/env bash
# Two machines on one: network namespaces with a link of their own between them, as slow as is asked for. Needs root.
#   bench/distributed/hosts.sh up [DELAY [RATE]]      makes hosts a (10.77.0.1) and b (10.77.0.2); default 0.5ms 1gbit
#   bench/distributed/hosts.sh run N COMMAND…         mpirun (Open MPI) with N ranks on a and b in turn
#   bench/distributed/hosts.sh cut                    cuts b off
#   bench/distributed/hosts.sh down                   removes them
set -euo pipefail

agent() { # what mpirun starts a remote machine with: host, command
  local host=$1
  shift
  exec ip netns exec "$host" unshare --uts sh -c "hostname $host; exec $*"
}

case $1 in
up)
  delay=${2:-0.5ms} rate=${3:-1gbit}
  for host in a b; do ip netns add "$host"; done
  ip link add veth-a netns a type veth peer name veth-b netns b
  number=1
  for host in a b; do
    ip -n "$host" addr add "10.77.0.$number/24" dev "veth-$host"
    ip -n "$host" link set "veth-$host" up
    ip -n "$host" link set lo up
    tc -n "$host" qdisc add dev "veth-$host" root netem delay "$delay" rate "$rate" limit 100000 2>/dev/null ||
      tc -n "$host" qdisc add dev "veth-$host" root tbf rate "$rate" burst 128kb latency 400ms 2>/dev/null ||
      echo "this kernel has neither netem nor tbf: the link of $host is as fast as memory"
    number=$((number + 1))
    # What names mean within them.
    mkdir -p "/etc/netns/$host"
    printf '127.0.0.1 localhost\n10.77.0.1 a\n10.77.0.2 b\n' >"/etc/netns/$host/hosts"
  done
  ;;
run)
  ranks=$2
  shift 2
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  each=$(((ranks + 1) / 2))
  exec ip netns exec a unshare --uts sh -c 'hostname a; exec "$@"' sh mpirun.openmpi -n "$ranks" \
    --host "a:$each,b:$each" --map-by node --oversubscribe \
    --mca plm_rsh_agent "$(realpath "$0")" --mca btl tcp,self --mca pml ob1 \
    --mca oob_tcp_keepalive_time 5 --mca oob_tcp_keepalive_intvl 3 --mca oob_tcp_keepalive_probes 3 \
    --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 -x PATH -x ALEXNET_DRIVER "$@"
  ;;
cut) ip -n b link set veth-b down ;;
join) ip -n b link set veth-b up ;;
down)
  for host in a b; do
    ip netns del "$host" 2>/dev/null || true
    rm -rf "/etc/netns/$host"
  done
  ;;
*) agent "$@" ;;
esac
