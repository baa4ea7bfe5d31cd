#!/bin/sh
# Ranks on two hosts, which are network namespaces with a cable between them: topo has a line for each, what a step
# sends goes through the cable, the model file is one process's, each host reads files of its own, and a cable that is
# cut ends the ranks of both. Open MPI only: MPICH finds a way through the memory that the namespaces share. Needs root.
# Run by `make check-mpi`. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2154,SC2086 # called through check; variables of harness.sh and ranks.sh; lists of words
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
# shellcheck source=tests/ranks.sh
. "$srcdir/tests/ranks.sh"
cd "$work" || exit 99
[ "$kind" = openmpi ] || skip "two hosts: only with Open MPI"
[ "$(id -u)" = 0 ] || skip "two hosts: needs root"
a=numann-a-$$ b=numann-b-$$
ip netns add $a 2>ip.err || skip "two hosts: no network namespaces here: $(cat ip.err)"
trap 'ip netns del $a; ip netns del $b; chmod -R u+w "$work"; rm -rf "$work"' EXIT
ip netns add $b
ip link add cable netns $a type veth peer name cable netns $b 2>ip.err || skip "two hosts: no virtual cable here: $(cat ip.err)"
for at in "$a 10.77.0.1" "$b 10.77.0.2"; do
  ip -n ${at% *} addr add ${at#* }/24 dev cable
  ip -n ${at% *} link set lo up
  ip -n ${at% *} link set cable up
done
# As ssh would. The launcher takes hosts of one name for one host.
cat >on <<END
#!/bin/sh
while case \$1 in -*) true ;; *) false ;; esac; do shift; done
case \$1 in 10.77.0.1) there=$a name=host-a ;; *) there=$b name=host-b ;; esac
shift
exec ip netns exec \$there unshare -um sh -c 'hostname "\$0"; [ ! -f $work/\$0.sh ] || . $work/\$0.sh; exec sh -c "\$*"' \$name "\$@"
END
chmod +x on
write_large large.yaml
sets="--threads 1"
net=10.77.0.0/24
# Three ranks, the second on the other host; numann's arguments are words without blanks.
spread() { # ARGUMENT...
  rm -rf "$PIDS" && mkdir "$PIDS"
  timeout -k 5 60 ./on 10.77.0.1 exec $MPIRUN --mca plm_rsh_agent "$work/on" --mca btl_tcp_if_include $net --mca oob_tcp_if_include $net \
    --host 10.77.0.1:2,10.77.0.2:2 --map-by node -n 3 sh -c "'PIDS=$PIDS NUMANN=$NUMANN XDG_CACHE_HOME=$XDG_CACHE_HOME exec $work/rank $*'" \
    >out 2>err </dev/null &
  job=$!
}
sent() { ip netns exec $a cat /sys/class/net/cable/statistics/tx_bytes; }
echo "$library, $MPIRUN"

spread topo
end_job
check "two hosts, topo: code" exited 0 "$code" "topo on two hosts"
check "two hosts, topo: the machine once" same "$(grep -c '^machine$' out)" 1
check "two hosts, topo: a line each" same "$(grep -c '^ *ranks 0, 2 on host-a: ' out) $(grep -c '^ *rank 1 on host-b: ' out)" "1 1"

run 0 train "$work/large.yaml" $sets --set train.epochs=4 --out whole --quiet --json
steps=$(json steps)
before=$(sent)
spread train "$work/large.yaml" $sets --set train.epochs=4 --out "$work/spread" --quiet --json
end_job
check "two hosts: code" exited 0 "$code" "three ranks on two hosts"
check "two hosts: three ranks" same "$(json ranks)" 3
check "two hosts: the same model file" cmp spread/model.safetensors whole/model.safetensors
# Of 310,870 parameters a rank owns a third: at least its weights and a root for the other host, each step.
least=$((steps * 4 * 2 * 310870 / 3)) through=$(($(sent) - before))
check "two hosts: $through bytes went through the cable, at least $least" test "$through" -ge "$least"

# ---- files of its own, which a host has where the other has them, too
make_rows
spread_rows() { # NAME CODE: what host-b.sh does makes the training end so
  spread train "$work/judged.yaml" $sets --set train.batch=257 --set train.grain=8 --set train.epochs=2 --set train.early_stopping.patience=2 --out "$work/rows-run" --overwrite --quiet
  end_job
  check "$1: ranks of two hosts" test "$code" -"$2" 0
}
cp -r rows copies
echo "mount --bind $work/copies $work/rows" >host-b.sh
spread_rows "its own copies of the files" eq
echo "mount -t tmpfs tmpfs $work/rows" >host-b.sh
spread_rows "no data on a host" ne
check "no data on a host: told once" one_error "data: rank 1: $work/rows/train.csv: cannot be opened"
for part in train judge; do
  cp other_$part.csv copies/$part.csv
  echo "mount --bind $work/copies $work/rows" >host-b.sh
  spread_rows "another row in $part.csv" ne
  check "another row in $part.csv: told once" one_error "rank 1 has another config, other rows"
  cp rows/$part.csv copies/$part.csv
done
rm host-b.sh

spread train "$work/large.yaml" $sets --set train.epochs=100000 --set parallel.patience=3 --out "$work/cut" --quiet
until [ -s cut/metrics.csv ] || ! is_alive "$job"; do sleep 0.05; done
ip -n $b link set cable down
tries=0
while [ "$(alive)" ] && [ $tries -lt 300 ]; do sleep 0.1 && tries=$((tries + 1)); done
check "a cut cable: the ranks of both hosts end" same "$(alive)" ""
ip -n $b link set cable up # for the launcher, which waits for its other half; what it passes on may come only now
end_job
check "a cut cable: told" has err "numann: error: ranks: rank [0-2] has waited [0-9]* s for rank [0-2], which is lost or hangs"
check "a cut cable: an exit code of its own" has err "errorcode 8"
check "a cut cable: the launcher's code" test "$code" -ne 0
finish
